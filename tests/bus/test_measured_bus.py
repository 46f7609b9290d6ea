"""What is measured of a bus, told by the process that owns a lane."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from relayer.app import measured
from relayer.app.measured import MeasuredBus
from relayer.bus.sqlite import SqliteBus
from relayer.ports.bus import Partition
from tests.bus.harness import SOON, out, topics
from tests.bus.worlds import SqliteWorld


class _Told:
    """Notes what it is told, and when a lane has been looked at."""

    def __init__(self) -> None:
        self.commits: list[str] = []
        self.behind_of: list[tuple[str, int, int | None]] = []
        self.looked = asyncio.Event()

    def committed(self, topic: str, seconds: float) -> None:
        assert 0 < seconds < SOON
        self.commits.append(topic)

    def behind(self, topic: str, lane: int, records: int | None) -> None:
        self.behind_of.append((topic, lane, records))
        self.looked.set()


async def test_a_lane_that_hangs_is_seen_to_fall_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing any more; the metric grows all the same, and goes when the lane goes."""
    monkeypatch.setattr(measured, "EVERY", 0.01)
    world, told = SqliteWorld(tmp_path / "bus.db"), _Told()
    async with SqliteBus(world.path, topics(world)) as inner:
        bus = MeasuredBus(inner, told)

        async def lane(partition: Partition) -> None:
            await partition.restore()
            if partition.number:
                return
            await partition.commit([], {"a": b"1"})
            await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(3)])
            told.looked.clear()
            async with asyncio.timeout(SOON):
                while (world.inbox, 0, 3) not in told.behind_of:
                    await told.looked.wait()
                    told.looked.clear()

        await bus.serve(world.inbox, world.state, lane)

    assert told.commits == [world.state]
    assert [said for said in told.behind_of if said[1] == 0][-1] == (world.inbox, 0, None)
