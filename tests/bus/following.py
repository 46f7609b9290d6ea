"""The promises of following and publishing, for any bus."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from relayer.ports.bus import Bus, Undeclared
from tests.bus.harness import SOON, STREAMS, World, everything, keys, out, read


@pytest.mark.usefixtures("bus")
class Following:
    """What `follow` and `publish` promise."""

    async def test_a_follower_replays_then_goes_on_live(self, world: World, bus: Bus) -> None:
        """Old records of all partitions come first, then new ones as they are published."""
        await bus.publish([out(world.stream, n, f"old-{n}") for n in range(STREAMS)])
        async with aclosing(bus.follow(world.stream, None)) as follower:
            old = await read(follower, STREAMS)
            async with asyncio.TaskGroup() as group:
                live = group.create_task(read(follower, 2))
                await asyncio.sleep(0.1)
                await bus.publish([out(world.stream, 0, "new-0")])
                await bus.publish([out(world.stream, 1, "new-1")])

        assert sorted(keys(old)) == ["old-0", "old-1"]
        assert sorted(keys(live.result())) == ["new-0", "new-1"]

    async def test_each_partition_is_followed_in_order(self, world: World, bus: Bus) -> None:
        """Within a partition the order is that of appending, over replay and live."""
        for i in range(700):
            if i % 100 == 0:
                await bus.publish(
                    [out(world.stream, j % STREAMS, f"{j:03}") for j in range(i, i + 100)]
                )
        async with aclosing(bus.follow(world.stream, None)) as follower:
            records = await read(follower, 700)

        for number in range(STREAMS):
            mine = keys([r for r in records if r.partition == number])
            assert mine == [f"{i:03}" for i in range(number, 700, STREAMS)]

    async def test_caught_up_is_set_after_the_last_old_record_was_handled(
        self, world: World, bus: Bus
    ) -> None:
        """Not before the reader comes back for more after the last one that was there."""
        await bus.publish([out(world.stream, 0, f"k{i}") for i in range(3)])
        async with aclosing(bus.follow(world.stream, None)) as follower:
            await read(follower, 3)
            assert not follower.caught_up.is_set()

            waiting = asyncio.ensure_future(anext(follower))
            async with asyncio.timeout(SOON):
                await follower.caught_up.wait()
            await bus.publish([out(world.stream, 0, "live")])
            async with asyncio.timeout(SOON):
                assert (await waiting).key == "live"

    async def test_following_an_empty_topic_is_caught_up_at_once(
        self, world: World, bus: Bus
    ) -> None:
        """Where nothing is, everything has been handled."""
        assert await everything(bus, world.stream) == []

    async def test_several_followers_each_see_everything(self, world: World, bus: Bus) -> None:
        """Following takes nothing away from others."""
        async with (
            aclosing(bus.follow(world.stream, None)) as one,
            aclosing(bus.follow(world.stream, None)) as two,
            asyncio.TaskGroup() as group,
        ):
            seen = [group.create_task(read(follower, 3)) for follower in (one, two)]
            await asyncio.sleep(0.1)
            await bus.publish([out(world.stream, 0, f"k{i}") for i in range(3)])

        assert [keys(task.result()) for task in seen] == [["k0", "k1", "k2"]] * 2

    async def test_following_since_skips_what_is_older(self, world: World, bus: Bus) -> None:
        """Records older than `since` are left out, in every partition; newer ones all come."""
        await bus.publish([out(world.stream, n, "old") for n in range(STREAMS)])
        await asyncio.sleep(1.5)
        await bus.publish([out(world.stream, 0, "young")])
        async with aclosing(bus.follow(world.stream, timedelta(seconds=0.75))) as follower:
            assert keys(await read(follower, 1)) == ["young"]
            waiting = asyncio.ensure_future(anext(follower))
            async with asyncio.timeout(SOON):
                await follower.caught_up.wait()
            await bus.publish([out(world.stream, 1, "younger")])
            async with asyncio.timeout(SOON):
                assert (await waiting).key == "younger"

    async def test_a_follower_of_state_sees_values_and_deletions(
        self, world: World, bus: Bus
    ) -> None:
        """A live follower of a compacted topic meets the tombstone, and no key of the bus."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            await partition.commit([], {"k": b"1"})
            async with aclosing(bus.follow(world.state, None)) as follower:
                first = await read(follower, 1)
                await partition.commit([], {"k": None})
                second = await read(follower, 1)

        assert [(r.key, r.value) for r in (*first, *second)] == [("k", b"1"), ("k", None)]

    async def test_a_closed_follower_ends(self, world: World, bus: Bus) -> None:
        """Closing ends the iteration, also of one that waits."""
        follower = bus.follow(world.stream, None)

        async def count() -> int:
            return len([record async for record in follower])

        waiting = asyncio.ensure_future(count())
        async with asyncio.timeout(SOON):
            await follower.caught_up.wait()
            await follower.aclose()

            assert await waiting == 0

    async def test_an_undeclared_topic_cannot_be_followed(self, bus: Bus) -> None:
        """A name nobody declared is an error."""
        with pytest.raises(Undeclared):
            await bus.follow("nobody's", None).aclose()

    async def test_concurrent_publishers_lose_nothing(self, world: World, bus: Bus) -> None:
        """Many tasks publish at once; each record is there once, each task's in its order."""

        async def publish(name: int) -> None:
            for i in range(20):
                await bus.publish([out(world.stream, name % STREAMS, f"{name}/{i:02}")])

        async with asyncio.TaskGroup() as group:
            for name in range(8):
                group.create_task(publish(name))

        seen = keys(await everything(bus, world.stream))
        for name in range(8):
            mine = [key for key in seen if key.startswith(f"{name}/")]
            assert mine == [f"{name}/{i:02}" for i in range(20)]

    async def test_publishing_nothing_is_fine(self, world: World, bus: Bus) -> None:
        """An empty sequence is published at once."""
        await bus.publish([])

        assert await everything(bus, world.stream) == []
