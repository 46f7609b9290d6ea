"""The file of the embedded bus does not grow for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from relayer.bus.sqlite import SqliteBus
from relayer.bus.sqlite_tidy import BATCH, GRAVES_KEPT
from relayer.ports.bus import Topic
from tests.bus.harness import SOON, everything, keys, out

HOUR = 3600.0


class Now:
    """A clock that stands until it is moved; seconds since the epoch."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def now() -> Now:
    """The clock of the bus."""
    return Now()


@pytest.fixture
async def bus(tmp_path: Path, now: Now) -> AsyncIterator[SqliteBus]:
    """A bus that tidies all the time, after a clock that the test moves."""
    topics = [
        Topic(name="hour", partitions=2, retention=timedelta(hours=1), compacted=False),
        Topic(name="other", partitions=2, retention=None, compacted=False),
        Topic(name="ever", partitions=1, retention=None, compacted=False),
        Topic(name="state", partitions=2, retention=None, compacted=True),
    ]
    async with SqliteBus(tmp_path / "bus.db", topics, now=now, tidy_every=0.01) as bus:
        yield bus


async def _tidied(bus: SqliteBus, query: str, expected: int) -> None:
    """Wait until a count in the file is as expected."""
    async with asyncio.timeout(SOON):
        while _count(bus, query) != expected:
            await asyncio.sleep(0.01)


def _count(bus: SqliteBus, query: str) -> int:
    return int(bus.log.write.execute(query).fetchone()[0])


async def test_records_go_when_their_time_is_over(bus: SqliteBus, now: Now) -> None:
    """Older than the retention: gone, oldest first; younger, or in a topic kept for ever: there."""
    old = [out("hour", i % 2, f"old{i}") for i in range(BATCH * 5)]
    await bus.publish([*old, out("ever", 0, "old")])
    now.time += 0.9 * HOUR
    await bus.publish([out("hour", 0, "young"), out("ever", 0, "young")])
    assert len(await everything(bus, "hour")) == BATCH * 5 + 1

    now.time += 0.2 * HOUR
    await _tidied(bus, "select count(*) from log", 3)

    assert keys(await everything(bus, "hour")) == ["young"]
    assert keys(await everything(bus, "ever")) == ["old", "young"]


async def test_offsets_go_on_where_all_records_have_gone(bus: SqliteBus, now: Now) -> None:
    """An emptied partition does not begin again at zero, and an owner takes on from there."""
    async with bus.own("hour", "state", 0) as partition:
        await partition.restore()
        await bus.publish([out("hour", 0, f"k{i}") for i in range(5)])
        await partition.take(5, 1, asyncio.Event())
        await partition.commit([], {})
        now.time += 2 * HOUR
        await _tidied(bus, "select count(*) from log", 0)
        await bus.publish([out("hour", 0, "next")])

        (record,) = await partition.take(5, 1, asyncio.Event())
        assert (record.key, record.offset) == ("next", 5)


async def test_another_inbox_is_taken_from_its_beginning(bus: SqliteBus) -> None:
    """A position belongs to the inbox it was taken from."""
    await bus.publish([out("hour", 0, f"k{i}") for i in range(3)])
    await bus.publish([out("other", 0, "first")])
    async with bus.own("hour", "state", 0) as partition:
        await partition.restore()
        await partition.take(5, 1, asyncio.Event())
        await partition.commit([], {"k": b"v"})

    async with bus.own("other", "state", 0) as partition:
        assert await partition.restore() == {"k": b"v"}
        assert keys(await partition.take(5, 1, asyncio.Event())) == ["first"]


async def test_an_owner_whose_records_expired_goes_on_with_the_oldest_kept(
    bus: SqliteBus, now: Now, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not stop, and it does not stay silent: what is missing is the Sweep's to find."""
    await bus.publish([out("hour", 0, f"k{i}") for i in range(3)])
    now.time += 2 * HOUR
    await _tidied(bus, "select count(*) from log", 0)
    await bus.publish([out("hour", 0, "k3")])
    async with bus.own("hour", "state", 0) as partition:
        await partition.restore()

        assert keys(await partition.take(5, 1, asyncio.Event())) == ["k3"]
    assert "bus.records_expired_unread" in capsys.readouterr().out


async def test_state_is_as_large_as_its_keys(bus: SqliteBus, now: Now) -> None:
    """A key that changes a thousand times is one row; a deleted key is none after a while."""
    async with bus.own(None, "state", 0) as partition:
        await partition.restore()
        for i in range(100):
            await partition.commit([], {"same": str(i).encode(), f"done{i}": b"v"})
            await partition.commit([], {f"done{i}": None})

        assert _count(bus, "select count(*) from kept where value is not null") == 1
        now.time += GRAVES_KEPT + 1
        await _tidied(bus, "select count(*) from kept", 1)
    async with bus.own(None, "state", 0) as partition:
        assert await partition.restore() == {"same": b"99"}


async def test_tombstones_stay_for_followers_that_lag(bus: SqliteBus, now: Now) -> None:
    """A deletion can be followed for a while before it goes too."""
    async with bus.own(None, "state", 0) as partition:
        await partition.restore()
        await partition.commit([], {"k": b"v"})
        await partition.commit([], {"k": None})
    now.time += GRAVES_KEPT - 1
    await asyncio.sleep(0.1)

    assert [(r.key, r.value) for r in await everything(bus, "state")] == [("k", None)]


async def test_empty_pages_go_back_to_the_disk(bus: SqliteBus, now: Now) -> None:
    """After a burst has expired the file is small again."""
    for _ in range(12):
        await bus.publish([out("hour", 0, "k", b"x" * 999_000)])
    burst = _count(bus, "pragma page_count")
    now.time += 2 * HOUR
    await _tidied(bus, "select count(*) from log", 0)
    async with asyncio.timeout(SOON):
        while _count(bus, "pragma page_count") > burst // 2:
            await asyncio.sleep(0.01)

    assert burst > 2_900


async def test_time_never_falls_within_a_partition(bus: SqliteBus, now: Now) -> None:
    """A clock that is set back does not hide records from those who follow since a moment."""
    await bus.publish([out("ever", 0, "one")])
    now.time -= HOUR
    await bus.publish([out("ever", 0, "two")])
    one, two = await everything(bus, "ever")

    assert one.time == two.time


async def test_tidying_that_fails_ends_the_bus(bus: SqliteBus, now: Now) -> None:
    """Trouble with the file met in the background is told to the next who writes."""
    await bus.publish([out("hour", 0, "old")])
    bus.log.write.execute("pragma query_only = on")
    now.time += 2 * HOUR
    await asyncio.sleep(0.1)
    bus.log.write.execute("pragma query_only = off")

    with pytest.raises(Exception, match="bus file"):
        await bus.publish([out("hour", 0, "new")])
