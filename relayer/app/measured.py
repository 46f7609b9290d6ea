"""The bus as metrics see it: how long commits take, and how far each owned lane is behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from relayer.bus.passing import PassingBus, PassingPartition
from relayer.domain.errors import Transient
from relayer.ports.bus import Bus, Out, Partition

EVERY: Final = 5.0
"""Seconds between two looks at how far a lane is behind."""


class BusObserver(Protocol):
    """Who is told."""

    def committed(self, topic: str, seconds: float) -> None:
        """A commit of an owner of this state took so many seconds."""

    def behind(self, topic: str, lane: int, records: int | None) -> None:
        """So many records of an inbox are beyond its lane's last commit; None: the lane has left."""


class MeasuredBus(PassingBus):
    """A bus whose owned partitions are measured; everything else is the bus's own."""

    def __init__(self, inner: Bus, observer: BusObserver) -> None:
        """Stand before ``inner``."""
        super().__init__(inner)
        self._observer = observer

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        """As the bus does; a body's partition is looked after for as long as the body lives."""

        async def measured(partition: Partition) -> None:
            if inbox is None:
                await body(_Measured(partition, state, self._observer))
                return
            looking = asyncio.create_task(self._look(partition, inbox))
            try:
                await body(_Measured(partition, state, self._observer))
            finally:
                looking.cancel()
                await asyncio.wait([looking])
                self._observer.behind(inbox, partition.number, None)

        await self._inner.serve(inbox, state, measured)

    async def _look(self, partition: Partition, inbox: str) -> None:
        """Look at the log itself, not at what the lane has read: a lane that hangs reads nothing."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                records = await partition.behind()
            except Transient:
                continue  # not restored yet, or nobody answers: the next look will tell
            self._observer.behind(inbox, partition.number, records)


class _Measured(PassingPartition):
    """A partition whose commits are measured."""

    def __init__(self, inner: Partition, state: str, observer: BusObserver) -> None:
        super().__init__(inner)
        self._state, self._observer = state, observer

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        began = time.monotonic()
        await super().commit(outs, state)
        self._observer.committed(self._state, time.monotonic() - began)
