"""The gate of one process, kept fresh: it follows ``supply`` and ``control`` and folds them.

Everything that signs or submits shares one Gatekeeper per process. Until both topics have been
read to their end the gate is not ready, and nothing is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Protocol

from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import Gate, GatePolicy, Verdict
from relayer.domain.records import CONTROL, SUPPLY
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import Mode
from relayer.ports.bus import Bus, Record

RECENT: Final = timedelta(minutes=10)
"""How far back ``supply`` is read at start: leases are shorter than this."""


class GateObserver(Protocol):
    """Told what the gate takes and refuses."""

    def refused(self, record: Record, error: RecordRefused) -> None:
        """A record was not authentic or did not decode."""

    def gate_changed(self, gate: Gate) -> None:
        """A lease, halt or resume was taken."""

    def verdict(self, verdict: Verdict) -> None:
        """A monitor published a reading."""


class Gatekeeper:
    """Follows the two topics for as long as ``run`` runs."""

    def __init__(self, bus: Bus, policy: GatePolicy, observer: GateObserver) -> None:
        """Begin with no lease, so with a closed gate."""
        self.gate = Gate(policy=policy)
        self._bus = bus
        self._observer = observer
        self._read: dict[str, Sequence[SupplySnapshot]] = {}
        self._ready = (asyncio.Event(), asyncio.Event())
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow both topics until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(SUPPLY, RECENT, self._take_supply, self._ready[0]))
            group.create_task(self._follow(CONTROL, None, self._take_control, self._ready[1]))

    async def ready(self) -> None:
        """Wait until what was on the bus at start has been folded."""
        for event in self._ready:
            await event.wait()

    def pending(self) -> Sequence[str]:
        """The topics whose past is not folded yet; empty when the gate is ready."""
        topics = (SUPPLY, CONTROL)
        return [t for t, event in zip(topics, self._ready, strict=True) if not event.is_set()]

    async def changed(self) -> None:
        """Wait for the next lease, halt or resume."""
        await self._changed.wait()

    def paused(self, chain: ChainId) -> frozenset[str]:
        """Assets whose deliveries a chain refused at the newest reading of a monitor."""
        return frozenset(one.asset for one in self._newest(chain) if one.paused)

    def inventory(self, chain: ChainId) -> Mapping[str, Shares]:
        """Shares that a chain held at the newest reading, of the assets that it does not mint."""
        return {s.asset: s.held for s in self._newest(chain) if s.mode is Mode.LOCK_RELEASE}

    def _newest(self, chain: ChainId) -> Iterator[SupplySnapshot]:
        return (one for told in self._read.values() for one in told if one.chain == chain)

    async def _follow(
        self,
        topic: str,
        since: timedelta | None,
        take: Callable[[Record], None],
        ready: asyncio.Event,
    ) -> None:
        async with (
            asyncio.TaskGroup() as group,
            aclosing(self._bus.follow(topic, since)) as follower,
        ):
            group.create_task(_pass_on(follower.caught_up, ready))
            async for record in follower:
                try:
                    take(record)
                except RecordRefused as error:
                    self._observer.refused(record, error)

    def _take_supply(self, record: Record) -> None:
        taken = self.gate.fold_supply(record.value or b"", record.time)
        if isinstance(taken, Verdict):
            self._read[taken.asset] = taken.snapshots
            self._observer.verdict(taken)
            return
        self._announce()

    def _take_control(self, record: Record) -> None:
        self.gate.fold_control(record.value or b"", record.time, record.offset)
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        self._observer.gate_changed(self.gate)


async def _pass_on(seen: asyncio.Event, ready: asyncio.Event) -> None:
    await seen.wait()
    ready.set()
