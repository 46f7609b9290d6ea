"""Deploys the bridge on an EVM chain with a funded key: the devnet and tests on real nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import contracts_abi
from relayer.chains.evm.codec import read_quantity
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.sender import EvmSender
from relayer.chains.gateway.configure import (
    BridgePlan,
    Call,
    Deployment,
    PeerPlan,
    TokenPlan,
    connecting_steps,
    deployed,
    gateway_arguments,
    opening_steps,
    token_arguments,
)
from relayer.ports.signer import Signer

_CREATION_GAS: Final = 7_000_000
_CALL_GAS: Final = 400_000


class EvmSetup:
    """Sets a bridge up as one admin account."""

    def __init__(self, rpc: EvmRpc, admin: Signer, *, poll_seconds: float = 0.1) -> None:
        """Deploy as ``admin``, who owns tokens and gateway afterwards."""
        self._rpc = rpc
        self._admin = admin
        self._sender = EvmSender(rpc, admin, poll_seconds=poll_seconds)

    async def deploy(self, plan: BridgePlan) -> Deployment:
        """Tokens, gateway, roles, limits and inventories; no peers yet.

        Rejected with the contract's word if a call fails.
        """
        head = read_quantity(await self._rpc.call("eth_blockNumber", []), "height")
        creation = contracts_abi.load("Gateway").bytecode
        arguments = gateway_arguments(plan, self._admin.public)
        tx, gateway = await self._sender.create(creation + arguments, gas=_CREATION_GAS)
        tokens = await self._tokens(plan)
        await self._sender.all_mined([tx])
        await self._run(opening_steps(plan, gateway, tokens, self._admin.public))
        return deployed(plan, gateway, tokens, head)

    async def connect(
        self, deployment: Deployment, tokens: Sequence[TokenPlan], peers: Sequence[PeerPlan]
    ) -> None:
        """List the peers, trust their gateways and open deposits to them."""
        await self._run(connecting_steps(deployment, tokens, peers))

    async def run(self, *calls: Call) -> None:
        """Calls of the admin, such as a pause or a multiplier, in their order."""
        await self._run((calls,))

    async def _tokens(self, plan: BridgePlan) -> dict[str, bytes]:
        """Deploy the tokens; their 20-byte addresses by asset."""
        addresses, txs = {}, []
        for token in plan.tokens:
            arguments = token_arguments(token, self._admin.public)
            code = contracts_abi.load("DevnetToken").bytecode + arguments
            tx, addresses[token.asset] = await self._sender.create(code, gas=_CREATION_GAS)
            txs.append(tx)
        await self._sender.all_mined(txs)
        return addresses

    async def _run(self, steps: Sequence[Sequence[Call]]) -> None:
        for step in steps:
            await self._sender.all_mined(await self._sender.send(*step, gas=_CALL_GAS))
