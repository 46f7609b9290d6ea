"""The bus as metrics see it: how long commits take, and how far each owned lane is behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from relayer.domain.errors import Transient
from relayer.ports.bus import Bus, Finding, Follower, Genuine, Out, Partition, Record, unasked

EVERY: Final = 5.0
"""Seconds between two looks at how far a lane is behind."""


class BusObserver(Protocol):
    """Who is told."""

    def committed(self, topic: str, seconds: float) -> None:
        """A commit of an owner of this state took so many seconds."""

    def behind(self, topic: str, lane: int, records: int | None) -> None:
        """So many records of an inbox are beyond its lane's last commit; None: the lane has left."""


class MeasuredBus:
    """A bus whose owned partitions are measured; everything else is the bus's own."""

    def __init__(self, inner: Bus, observer: BusObserver) -> None:
        """Stand before ``inner``."""
        self._inner, self._observer = inner, observer

    def partitions(self, topic: str) -> int:
        """As the bus says."""
        return self._inner.partitions(topic)

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

    def follow(self, topic: str, since: timedelta | None) -> Follower:
        """As the bus does."""
        return self._inner.follow(topic, since)

    async def publish(self, outs: Sequence[Out]) -> None:
        """As the bus does."""
        await self._inner.publish(outs)

    async def check(self) -> Sequence[Finding]:
        """As the bus does."""
        return await self._inner.check()


class _Measured:
    """A partition whose commits are measured."""

    def __init__(self, inner: Partition, state: str, observer: BusObserver) -> None:
        self._inner, self._state, self._observer = inner, state, observer

    @property
    def number(self) -> int:
        return self._inner.number

    async def restore(self, genuine: Genuine = unasked) -> Mapping[str, bytes]:
        return await self._inner.restore(genuine)

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - the port's own
        return await self._inner.take(limit, timeout, wake)

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        began = time.monotonic()
        await self._inner.commit(outs, state)
        self._observer.committed(self._state, time.monotonic() - began)

    async def behind(self) -> int:
        return await self._inner.behind()
