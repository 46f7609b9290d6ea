"""The one writer: groups, slow disks, refusals inside a group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayer.bus.sqlite import SqliteBus, SqlitePartition
from relayer.ports.bus import Lost
from tests.bus.harness import LANES, everything, keys, out, topics
from tests.bus.worlds import SqliteWorld


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SqliteBus]:
    """An open bus."""
    path = tmp_path / "bus.db"
    async with SqliteBus(path, topics(SqliteWorld(path))) as bus:
        yield bus


def _count_commits(bus: SqliteBus, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Make every commit wait for the disk as long as said, and list when each began."""
    quick, commits = bus.log.commit, list[float]()

    def slow() -> None:
        commits.append(time.perf_counter())
        time.sleep(seconds)
        quick()

    monkeypatch.setattr(bus.log, "commit", slow)
    return commits


async def test_lanes_that_commit_at_once_share_a_commit(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty publishes that are ready together wait for the disk a few times only."""
    commits = _count_commits(bus, monkeypatch, 0)
    async with asyncio.TaskGroup() as group:
        for i in range(30):
            group.create_task(bus.publish([out("stream", 0, f"k{i}")]))

    assert len(commits) <= 3
    assert len(await everything(bus, "stream")) == 30


async def test_a_fenced_owner_in_a_group_takes_nobody_with_it(bus: SqliteBus) -> None:
    """One job of a group is Lost; the others of the same commit are there, it is not."""
    owners = [SqlitePartition(bus, "in", "state", n) for n in range(LANES)]
    for owner in owners:
        await owner.restore()
    await SqlitePartition(bus, "in", "state", 1).restore()

    async def commit(owner: SqlitePartition) -> str:
        try:
            await owner.commit([out("stream", 0, f"of-{owner.number}")], {})
        except Lost:
            return "lost"
        return "done"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(commit(owner)) for owner in owners]

    assert [task.result() for task in tasks] == ["done", "lost", "done"]
    assert sorted(keys(await everything(bus, "stream"))) == ["of-0", "of-2"]


async def test_a_slow_disk_does_not_hold_the_loop(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When commits take long, others run meanwhile; when the disk is quick again, it is noticed."""
    monkeypatch.setattr("relayer.bus.sqlite_writer.PROBE", 1_000_000)
    _count_commits(bus, monkeypatch, 0.05)
    for _ in range(20):
        await bus.publish([out("stream", 0, "warm")])
    beats = 0

    async def heart() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    beating = asyncio.ensure_future(heart())
    for _ in range(5):
        await bus.publish([out("stream", 0, "slow")])
    beating.cancel()

    assert beats >= 10


async def test_what_is_waiting_is_written_before_the_bus_closes(tmp_path: Path) -> None:
    """Closing writes what was handed in."""
    path = tmp_path / "bus.db"
    async with SqliteBus(path, topics(SqliteWorld(path))) as bus:
        pending = asyncio.ensure_future(bus.publish([out("stream", 0, "last")]))
        await asyncio.sleep(0)
    await pending

    async with SqliteBus(path, topics(SqliteWorld(path))) as bus:
        assert keys(await everything(bus, "stream")) == ["last"]


async def test_cancelling_the_wait_does_not_break_the_writer(bus: SqliteBus) -> None:
    """Who no longer waits for a commit disturbs nobody; readers are woken all the same."""
    follower = bus.follow("stream", None)
    reading = asyncio.ensure_future(anext(follower))
    await follower.caught_up.wait()
    pending = asyncio.ensure_future(bus.publish([out("stream", 0, "k")]))
    await asyncio.sleep(0)
    pending.cancel()

    assert (await asyncio.wait_for(reading, 10)).key == "k"
    await bus.publish([out("stream", 0, "next")])
    assert (await anext(follower)).key == "next"
