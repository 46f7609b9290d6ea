"""Deposits at random over all routes, for as long as it is asked, whatever the chains do.

A user whose deposit fails or does not come through tries again later with fresh connections; what
counts in the end are the final deposits on the chains, not what a user believes.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from relayer.app.chains import ChainKit
from relayer.cli.demo.plan import user_account, user_secret
from relayer.domain.address import ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.errors import RelayerError
from relayer.ports.chain import Depositor
from relayer.settings import Settings

PATIENCE = 60.0
"""Seconds after which a user gives a deposit up."""


@dataclass(slots=True)
class Traffic:
    """Users who deposit, ``rate`` per second on average over all routes."""

    settings: Settings
    kits: dict[ChainId, ChainKit]
    users: int
    rate: float
    dice: random.Random
    made: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    _who: dict[tuple[ChainId, int], Depositor] = field(default_factory=dict)
    _busy: set[tuple[ChainId, int]] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Deposit until ``stop`` is set; returns when the last deposit has ended."""
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(self._deposit())
                await asyncio.sleep(self.dice.expovariate(self.rate))

    async def _deposit(self) -> None:
        source, destination = self.dice.sample([c.id for c in self.settings.chains], 2)
        asset = self.dice.choice(self.settings.assets).symbol
        who = (source, self.dice.randrange(self.users))
        if who in self._busy:
            return
        self._busy.add(who)
        shares = Shares(self.dice.randrange(50_000_000, 150_000_000) * RAW_UNIT)
        recipient = user_account(self.settings, destination, who[1])
        try:
            async with asyncio.timeout(PATIENCE):
                await self._depositor(who).deposit(asset, shares, destination, recipient)
        except* (RelayerError, TimeoutError) as group:
            self._who.pop(who, None)
            self.failed[type(group.exceptions[0]).__name__] += 1
        else:
            self.made += 1
        finally:
            self._busy.discard(who)

    def _depositor(self, who: tuple[ChainId, int]) -> Depositor:
        if who not in self._who:
            self._who[who] = self.kits[who[0]].depositor(user_secret(self.settings, *who))
        return self._who[who]
