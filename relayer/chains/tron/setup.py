"""Deploys the bridge on a Tron chain with a funded key: the devnet and tests on real nodes.

Contracts' addresses are known before they are mined, and Tron does not order an account's
transactions, so all calls of a step are sent at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import contracts_abi
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
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.sender import OutOfTime, TronSender
from relayer.ports.signer import Signer

_DEPLOY_FEE_LIMIT = 15_000_000_000
"""Sun: the most that the chain takes. Only energy in use is charged."""
_CALL_FEE_LIMIT = 1_000_000_000
_TRIES = 5

T = TypeVar("T")
Send = Callable[[], Awaitable[tuple[str, T]]]


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
        admin, code = self._admin.public, contracts_abi.load("DevnetToken").bytecode
        gateway_code = contracts_abi.load("Gateway").bytecode + gateway_arguments(plan, admin)
        async with asyncio.TaskGroup() as group:
            made = group.create_task(self._create("Gateway", gateway_code))
            makings = {
                token.asset: group.create_task(
                    self._create(token.asset, code + token_arguments(token, admin))
                )
                for token in plan.tokens
            }
        gateway, tokens = made.result(), {asset: one.result() for asset, one in makings.items()}
        await self._run(opening_steps(plan, gateway, tokens, self._admin.public))
        return deployed(plan, gateway, tokens, first_height)

    async def connect(
        self, deployment: Deployment, tokens: Sequence[TokenPlan], peers: Sequence[PeerPlan]
    ) -> None:
        """List the peers, trust their gateways and open deposits to them."""
        await self._run(connecting_steps(deployment, tokens, peers))

    async def run(self, *calls: Call) -> None:
        """Calls of the admin, such as a pause or a multiplier, mined in any order."""
        await self._run((calls,))

    async def _create(self, name: str, code: bytes) -> bytes:
        """Deploy a contract; its 20-byte address."""

        async def send() -> tuple[str, bytes]:
            return await self._sender.create(name, code, fee_limit=_DEPLOY_FEE_LIMIT)

        return await self._surely(send)

    async def _call(self, call: Call) -> None:
        async def send() -> tuple[str, None]:
            return await self._sender.send(call, fee_limit=_CALL_FEE_LIMIT), None

        await self._surely(send)

    async def _run(self, steps: Sequence[Sequence[Call]]) -> None:
        for step in steps:
            async with asyncio.TaskGroup() as group:
                for call in step:
                    group.create_task(self._call(call))

    async def _surely(self, send: Send[T]) -> T:
        """Send until it is done, again where a busy witness gave it up."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(OutOfTime):
                return await self._once(send)
        return await self._once(send)

    async def _once(self, send: Send[T]) -> T:
        tx, result = await send()
        await self._sender.included(tx)
        return result
