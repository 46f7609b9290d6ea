"""The promises that survive a crash, for any bus."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import pytest

from relayer.ports.bus import Bus, Lost
from tests.bus.harness import World, everything, keys, out, take_count, take_nothing


@pytest.mark.usefixtures("bus")
class Crashing:
    """What restarts and kills leave behind."""

    @pytest.mark.parametrize("how", ["close", "kill"])
    async def test_what_was_committed_is_there_after_a_restart(
        self, world: World, bus: Bus, how: str
    ) -> None:
        """State, outputs and position survive; what was taken and not committed comes again."""
        await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(4)])
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            await take_count(partition, 2)
            await partition.commit([out(world.stream, 0, "o")], {"s": b"1"})
            await take_count(partition, 2)

            await (world.close() if how == "close" else world.kill())
        bus = await world.open()

        async with world.own(world.inbox, world.state, 0) as partition:
            assert await partition.restore() == {"s": b"1"}
            assert keys(await take_count(partition, 2)) == ["k2", "k3"]
            assert await take_nothing(partition)
        assert keys(await everything(bus, world.stream, 1)) == ["o"]

    async def test_offsets_go_on_rising_after_a_restart(self, world: World, bus: Bus) -> None:
        """A restart never gives an offset twice."""
        offsets = []
        for _ in range(3):
            await bus.publish([out(world.stream, 0, "k")])
            await world.kill()
            bus = await world.open()
            offsets = [record.offset for record in await everything(bus, world.stream)]

        assert len(offsets) == 3
        assert offsets == sorted(set(offsets))

    async def test_fencing_goes_on_after_restarts(self, world: World) -> None:
        """Epochs outlive the process: a restart does not begin again at the first."""
        for turn in range(3):
            async with (
                world.own(world.inbox, world.state, 0) as older,
                world.own(world.inbox, world.state, 0) as newer,
            ):
                await older.restore()
                state = await newer.restore()
                await newer.commit([], {f"turn-{turn}": b"v"})
                with pytest.raises(Lost):
                    await older.commit([], {"ghost": b"v"})
            assert set(state) == {f"turn-{i}" for i in range(turn)}
            await world.kill()
            await world.open()

    @pytest.mark.timeout(120)
    async def test_a_killed_process_leaves_whole_commits_only(self, world: World, bus: Bus) -> None:
        """SIGKILL at random moments: all that was acknowledged is there, and no half of anything."""
        await world.close()
        acknowledged = 0
        for moment in random.Random(7).sample(range(20, 200), 5):
            acknowledged = max(acknowledged, await _run_and_kill(world, moment / 1000))
        bus = await world.open()

        outputs = keys(await everything(bus, world.stream))
        async with world.own(world.inbox, world.state, 0) as partition:
            state = await partition.restore()
            rest = await partition.take(10, 0.2, asyncio.Event())
        done = int(state["count"])
        assert done >= acknowledged > 0
        assert outputs == [f"out-{i}" for i in range(done)]
        assert state == {"count": str(done).encode()} | {
            f"s-{i % 10}": str(i).encode() for i in range(done)
        }
        assert keys(rest)[:1] in ([f"in-{done}"], [])


async def _run_and_kill(world: World, seconds: float) -> int:
    """Run the crasher, kill it some seconds after its first commit; return its last report."""
    child = await asyncio.create_subprocess_exec(
        *world.child(), stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline()]
    await asyncio.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines(keepends=True)
    assert await child.wait() == -signal.SIGKILL
    whole = [line for line in lines if line.endswith(b"\n")]
    return int(whole[-1])
