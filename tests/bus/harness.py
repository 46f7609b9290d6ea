"""What the conformance suite needs of a bus under test, beyond the port."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from relayer.ports.bus import Bus, Out, Partition, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.ports.bus import Follower, Record

LANES: Final = 3
STREAMS: Final = 2
SOON: Final = 10.0
"""Seconds within which what must happen has happened, on a busy machine too."""


class World(Protocol):
    """One bus with empty topics of its own, for one test."""

    inbox: str
    """A topic with LANES partitions, kept for days."""
    state: str
    """A compacted topic with LANES partitions."""
    stream: str
    """A topic with STREAMS partitions, kept for months."""
    cursors: str
    """A compacted topic with STREAMS partitions."""

    async def open(self) -> Bus:
        """Open the bus: the first time, or again after `close` or `kill`."""

    async def close(self) -> None:
        """Stop in good order."""

    async def kill(self) -> None:
        """Stop as if the process had been killed at this moment: nothing is flushed or released."""

    async def clear(self) -> None:
        """Give back everything that this world holds, what was killed included."""

    def own(
        self, inbox: str | None, state: str, number: int
    ) -> AbstractAsyncContextManager[Partition]:
        """Own a partition as another process would, whoever else believes to own it."""

    def child(self) -> Sequence[str]:
        """Return the command of a process that opens this bus and runs `tests.bus.crasher`."""


def topics(world: World) -> list[Topic]:
    """Return the topics of a world."""
    days, months = timedelta(days=3), timedelta(days=90)
    return [
        Topic(name=world.inbox, partitions=LANES, retention=days, compacted=False),
        Topic(name=world.state, partitions=LANES, retention=None, compacted=True),
        Topic(name=world.stream, partitions=STREAMS, retention=months, compacted=False),
        Topic(name=world.cursors, partitions=STREAMS, retention=None, compacted=True),
    ]


def out(topic: str, number: int, key: str, value: bytes | None = b"v") -> Out:
    """Return a record to append."""
    return Out(topic=topic, partition=number, key=key, value=value)


def keys(records: Sequence[Record]) -> list[str]:
    """Return the keys of records, in their order."""
    return [record.key for record in records]


async def take(partition: Partition, limit: int = 100) -> Sequence[Record]:
    """Take what comes within a short while."""
    return await partition.take(limit, SOON, asyncio.Event())


async def take_count(partition: Partition, count: int) -> list[Record]:
    """Take until so many records have come."""
    records: list[Record] = []
    async with asyncio.timeout(SOON):
        while len(records) < count:
            records += await partition.take(count - len(records), SOON, asyncio.Event())
    return records


async def take_nothing(partition: Partition) -> bool:
    """Say whether the inbox stays empty for a moment."""
    return not await partition.take(100, 0.2, asyncio.Event())


async def read(follower: Follower, count: int) -> list[Record]:
    """Read so many records."""
    async with asyncio.timeout(SOON):
        return [await anext(follower) for _ in range(count)]


async def everything(bus: Bus, topic: str, least: int = 0) -> list[Record]:
    """Read all that is in a topic now, which is so many records at least.

    Kafka shows a commit a moment after it has acknowledged it.
    """
    async with asyncio.timeout(SOON):
        while len(records := await _all_there(bus.follow(topic, None))) < least:
            await asyncio.sleep(0.01)
    return records


async def _all_there(follower: Follower) -> list[Record]:
    records: list[Record] = []

    async def collect() -> None:
        async for record in follower:
            records.append(record)  # noqa: PERF401 - it never ends by itself

    async with asyncio.TaskGroup() as group:
        group.create_task(collect())
        await follower.caught_up.wait()
        await follower.aclose()
    return records
