"""The users of a benchmark: many keys per chain, each making one deposit at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from relayer.app.chains import ChainKit, kit_for
from relayer.cli.demo.plan import Journey, plan, user_account, user_secret
from relayer.domain.address import ChainId
from relayer.ports.chain import Depositor
from relayer.settings import Settings

USERS = 24


@dataclass(slots=True)
class Crowd:
    """Users of all chains; deposits are made over the same adapters as ``relayer send``."""

    settings: Settings
    users: int = USERS
    _kits: dict[ChainId, ChainKit] = field(default_factory=dict)
    _who: dict[tuple[ChainId, int], Depositor] = field(default_factory=dict)
    _turns: dict[tuple[ChainId, int], asyncio.Lock] = field(default_factory=dict)

    def plan(self, transfers: int) -> list[Journey]:
        """So many journeys over all routes, assets and users."""
        return plan(self.settings, transfers, self.users)

    async def deposit(self, journey: Journey) -> None:
        """Make one journey's deposit; returns when it is in a block."""
        who = (journey.source, journey.user)
        async with self._turns.setdefault(who, asyncio.Lock()):
            recipient = user_account(self.settings, journey.destination, journey.user)
            await self._depositor(who).deposit(
                journey.asset, journey.shares, journey.destination, recipient
            )

    async def deposit_all(self, journeys: Sequence[Journey]) -> None:
        """Make all deposits, as fast as the chains take them."""
        async with asyncio.TaskGroup() as group:
            for journey in journeys:
                group.create_task(self.deposit(journey))

    async def deposit_steadily(self, journeys: Sequence[Journey], rate: float) -> None:
        """Begin ``rate`` deposits per second, whether or not earlier ones are done."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for place, journey in enumerate(journeys):
                group.create_task(self.deposit(journey))
                await asyncio.sleep(max(0.0, began + (place + 1) / rate - loop.time()))

    async def close(self) -> None:
        """Close the users' connections."""
        for kit in self._kits.values():
            await kit.close()

    def _depositor(self, who: tuple[ChainId, int]) -> Depositor:
        if who not in self._who:
            chain, _ = who
            if chain not in self._kits:
                settings = self.settings.chain(chain)
                self._kits[chain] = kit_for(self.settings, settings, lambda *_: None)
            self._who[who] = self._kits[chain].depositor(user_secret(self.settings, *who))
        return self._who[who]
