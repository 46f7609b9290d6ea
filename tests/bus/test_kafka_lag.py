"""A reader that is far behind catches up without holding in memory what it has not handled."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from relayer.bus.kafka import KafkaBus
from tests.bus.kafka_wire import stranger
from tests.bus.worlds import KafkaWorld

RECORDS = 100_000
SIZE = 500
"""Bytes of each record: 50 MB in all."""

WATCHED = 20_000
"""So many records are read under a count of every allocation, which is slow: whoever kept what it
has handled, or fetched all there is, would hold more than the room by then."""

ROOM = 12_000_000
"""Bytes that a reader may hold: what one answer of the broker brings, and its records."""


class Scale:
    """Counts what is allocated until so many records have been seen."""

    def __init__(self) -> None:
        self.peak = self._seen = 0
        tracemalloc.start()

    def saw(self, records: int = 1) -> None:
        """Stop counting when enough were seen: the rest is read at full speed."""
        self._seen += records
        if tracemalloc.is_tracing() and self._seen >= WATCHED:
            _, self.peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()


@pytest.fixture
async def world(kafka: str) -> AsyncIterator[KafkaWorld]:
    """Topics of its own."""
    world = KafkaWorld(kafka)
    yield world
    await world.clear()


@pytest.fixture
async def bus(world: KafkaWorld) -> KafkaBus:
    """The bus, with an inbox that nobody has read for long."""
    bus = await world.open()
    async with stranger(world.cluster, linger_ms=5, max_batch_size=500_000) as other:
        for i in range(RECORDS):
            await other.send(world.inbox, b"x" * SIZE, key=b"%d" % i, partition=0)
    return bus


@pytest.mark.timeout(180)
async def test_an_owner_and_a_follower_catch_up_in_bounded_memory(
    world: KafkaWorld, bus: KafkaBus
) -> None:
    """A hundred thousand records behind: all are seen, in order, a few at a time."""
    owned = Scale()
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        taken = 0
        while taken < RECORDS:
            records = await owner.take(64, 5, asyncio.Event())
            assert [record.key for record in records] == [
                str(i) for i in range(taken, taken + len(records))
            ]
            taken += len(records)
            owned.saw(len(records))
        await owner.commit([], {})
    followed = Scale()
    async with aclosing(bus.follow(world.inbox, None)) as follower:
        for i in range(RECORDS):
            assert (await anext(follower)).key == str(i)
            followed.saw()

    assert 0 < owned.peak < ROOM
    assert 0 < followed.peak < ROOM
