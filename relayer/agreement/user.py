"""A user of one chain over several endpoints, who goes on to the next when one does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from relayer.agreement.endpoints import Endpoint
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import Transient
from relayer.ports.chain import Begun, Depositor

A = TypeVar("A")


class FailoverDepositor:
    """A Depositor that goes on to the next endpoint when one does not answer.

    Nothing is asked of several: a user believes an endpoint as a wallet does. A deposit that has
    begun is finished with the bytes it began with, wherever: it is never a second one.
    """

    def __init__(self, endpoints: Sequence[Endpoint[Depositor]]) -> None:
        """Ask these in their order, beginning with the last one that answered."""
        self._endpoints = list(endpoints)
        self._one_at_a_time = asyncio.Lock()

    @property
    def account(self) -> Account:
        """The user's own account."""
        return self._endpoints[0].port.account

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Deposit through the first endpoints that answer; Transient if none does."""
        async with self._one_at_a_time:
            begun = await self.begin(asset, shares, destination, recipient)
            return await self.finish(begun)

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """Sign a deposit, and send it once; see Depositor."""
        return await self._first(lambda one: one.begin(asset, shares, destination, recipient))

    async def finish(self, begun: Begun) -> str:
        """See a deposit that has begun included; see Depositor."""
        return await self._first(lambda one: one.finish(begun))

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds by the first endpoint that answers; Transient if none does."""
        return await self._first(lambda one: one.shares_of(account, asset))

    async def _first(self, put: Callable[[Depositor], Awaitable[A]]) -> A:
        """What the first endpoint answers that serves the chain; the first one's error if none."""
        errors: list[Transient] = []
        for endpoint in tuple(self._endpoints):
            try:
                await endpoint.prove()
                answer = await put(endpoint.port)
            except Transient as error:
                errors.append(error)
                continue
            if errors:  # who does not answer goes to the end
                self._endpoints.sort(key=lambda one: one is not endpoint)
            return answer
        raise errors[0]
