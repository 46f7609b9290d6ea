"""Deploys the bridge on a Tron chain with a funded key: the devnet and tests on real nodes.

Contracts' addresses are known before they are mined, and Tron does not order an account's
transactions, so all calls of a step are sent at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import contracts_abi
from relayer.chains.gateway.configure import (
    BridgePlan,
    Call,
    Deployment,
    PeerPlan,
    TokenPlan,
    connecting_steps,
    gateway_arguments,
    opening_steps,
    token_arguments,
)
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.sender import TronSender
from relayer.domain.address import account_from_tron
from relayer.domain.transfer import TokenPlace
from relayer.ports.signer import Signer

_DEPLOY_FEE_LIMIT = 15_000_000_000
"""Sun: the most that the chain takes. Only energy in use is charged."""
_CALL_FEE_LIMIT = 1_000_000_000


class TronSetup:
    """Sets a bridge up as one admin account."""

    def __init__(self, rpc: TronRpc, admin: Signer, *, poll_seconds: float = 1.0) -> None:
        """Deploy as ``admin``, who owns tokens and gateway afterwards."""
        self._admin = admin
        self._sender = TronSender(rpc, admin, poll_seconds=poll_seconds)

    async def deploy(self, plan: BridgePlan) -> Deployment:
        """Tokens, gateway, roles, limits and inventories; no peers yet.

        Rejected with the chain's word if a call fails.
        """
        first_height = await self._sender.ready()
        gateway_tx, gateway = await self._create(
            "Gateway", contracts_abi.load("Gateway"), gateway_arguments(plan, self._admin.public)
        )
        pending, tokens = [gateway_tx], {}
        for token in plan.tokens:
            tx, tokens[token.asset] = await self._create(
                token.asset,
                contracts_abi.load("DevnetToken"),
                token_arguments(token, self._admin.public),
            )
            pending.append(tx)
        await self._included(pending)
        await self._run(opening_steps(plan, gateway, tokens, self._admin.public))
        places = tuple(
            TokenPlace(
                asset=token.asset, token=account_from_tron(tokens[token.asset]), mode=token.mode
            )
            for token in plan.tokens
        )
        return Deployment(
            chain=plan.chain,
            gateway=account_from_tron(gateway),
            tokens=places,
            first_height=first_height,
        )

    async def connect(
        self, deployment: Deployment, tokens: Sequence[TokenPlan], peers: Sequence[PeerPlan]
    ) -> None:
        """List the peers, trust their gateways and open deposits to them."""
        await self._run(connecting_steps(deployment, tokens, peers))

    async def run(self, *calls: Call) -> None:
        """Calls of the admin, such as a pause or a multiplier, mined in any order."""
        await self._run((calls,))

    async def _create(
        self, name: str, artifact: contracts_abi.Artifact, arguments: bytes
    ) -> tuple[str, bytes]:
        code = artifact.bytecode + arguments
        return await self._sender.create(name, code, fee_limit=_DEPLOY_FEE_LIMIT)

    async def _run(self, steps: Sequence[Sequence[Call]]) -> None:
        for step in steps:
            txs = [await self._sender.send(call, fee_limit=_CALL_FEE_LIMIT) for call in step]
            await self._included(txs)

    async def _included(self, txs: Iterable[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for tx in txs:
                group.create_task(self._sender.included(tx))
