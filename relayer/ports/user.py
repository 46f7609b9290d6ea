"""A user of one chain over several endpoints: one of them serves a deposit from first to last."""

from __future__ import annotations

from collections.abc import Sequence

from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import Transient
from relayer.ports.chain import Depositor
from relayer.ports.endpoints import Endpoint


class FailoverDepositor:
    """A Depositor that goes on to the next endpoint when one does not answer.

    Nothing is asked of several: a user believes an endpoint as a wallet does. A deposit that has
    begun stays where it is, for what was sent there may be mined: elsewhere it would be a second one.
    """

    def __init__(self, endpoints: Sequence[Endpoint[Depositor]]) -> None:
        """Ask these in their order, beginning with the last one that answered."""
        self._endpoints = list(endpoints)

    @property
    def account(self) -> Account:
        """The user's own account."""
        return self._endpoints[0].port.account

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Deposit through the first endpoint that proves to serve the chain; Transient if none."""
        port = await self._serving()
        return await port.deposit(asset, shares, destination, recipient)

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds by the first endpoint that answers; Transient if none does."""
        port = await self._serving()
        return await port.shares_of(account, asset)

    async def _serving(self) -> Depositor:
        errors: list[Transient] = []
        for endpoint in tuple(self._endpoints):
            try:
                await endpoint.prove()
            except Transient as error:
                errors.append(error)
                continue
            if errors:  # who does not answer goes to the end
                self._endpoints.sort(key=lambda one: one is not endpoint)
            return endpoint.port
        raise errors[0]
