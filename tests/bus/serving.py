"""The promises of `serve`, for any bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest

from relayer.ports.bus import Bus, Lost, Partition, Undeclared
from tests.bus.harness import LANES, SOON, STREAMS, World, keys, out, read


@pytest.mark.usefixtures("bus")
class Serving:
    """What `serve` promises."""

    async def test_every_partition_gets_one_body(self, world: World, bus: Bus) -> None:
        """Each number is served once, and serve returns when all bodies have returned."""
        served: list[int] = []

        async def body(partition: Partition) -> None:
            await partition.restore()
            served.append(partition.number)

        async with asyncio.timeout(SOON):
            await bus.serve(world.inbox, world.state, body)

        assert sorted(served) == list(range(LANES))

    async def test_serving_without_an_inbox_follows_the_state(self, world: World, bus: Bus) -> None:
        """The state topic alone says how many partitions there are to own."""
        served: list[int] = []

        async def body(partition: Partition) -> None:
            await partition.restore()
            await partition.commit([], {"cursor": b"1"})
            served.append(partition.number)

        async with asyncio.timeout(SOON):
            await bus.serve(None, world.cursors, body)

        assert sorted(served) == list(range(STREAMS))

    async def test_lanes_fold_what_is_published(self, world: World, bus: Bus) -> None:
        """Records published while bodies run are taken, and what they commit comes out."""

        async def lane(partition: Partition) -> None:
            await partition.restore()
            while True:
                records = await partition.take(10, SOON, asyncio.Event())
                outs = [out(world.stream, 0, f"done-{r.key}") for r in records]
                await partition.commit(outs, {})

        async with _running(bus, world, lane):
            await bus.publish([out(world.inbox, i % LANES, f"k{i}") for i in range(30)])
            async with aclosing(bus.follow(world.stream, None)) as follower:
                done = keys(await read(follower, 30))

        assert sorted(done) == sorted(f"done-k{i}" for i in range(30))

    async def test_a_lost_partition_is_served_again(self, world: World, bus: Bus) -> None:
        """Lost ends one body; it runs again with a new partition, its neighbours do not."""
        began: list[int] = []
        over = asyncio.Event()

        async def body(partition: Partition) -> None:
            state = await partition.restore()
            began.append(partition.number)
            if partition.number == 1 and not state:
                await partition.commit([], {"k": b"v"})
                raise Lost("made up")
            if partition.number == 1:
                over.set()
            await over.wait()

        async with asyncio.timeout(SOON):
            await bus.serve(world.inbox, world.state, body)

        assert sorted(began) == sorted([*range(LANES), 1])

    async def test_lost_inside_a_task_group_is_still_lost(self, world: World, bus: Bus) -> None:
        """A body that runs its effects in a group raises a group: of Lost alone, it is Lost."""
        began: list[int] = []

        async def body(partition: Partition) -> None:
            await partition.restore()
            began.append(partition.number)
            if began.count(partition.number) == 1:
                async with asyncio.TaskGroup() as effects:
                    effects.create_task(asyncio.sleep(SOON))
                    raise Lost("made up")

        async with asyncio.timeout(SOON):
            await bus.serve(world.inbox, world.state, body)

        assert sorted(began) == sorted([*range(LANES)] * 2)

    async def test_a_fenced_body_comes_back(self, world: World, bus: Bus) -> None:
        """Another owner fences a served partition; the body is lost, restores, and goes on."""
        restored = asyncio.Queue[int]()

        async def body(partition: Partition) -> None:
            await partition.restore()
            if partition.number == 0:
                restored.put_nowait(0)
            while True:
                await partition.take(1, 0.05, asyncio.Event())
                await partition.commit([], {"alive": b"1"})

        async with _running(bus, world, body), asyncio.timeout(SOON):
            await restored.get()
            async with world.own(world.inbox, world.state, 0) as other:
                await other.restore()
            await restored.get()

    async def test_another_exception_ends_all_bodies_and_comes_out(
        self, world: World, bus: Bus
    ) -> None:
        """What is not Lost is nobody's to swallow; the neighbours are cancelled first."""
        cancelled: list[int] = []
        waiting = asyncio.Semaphore(0)

        async def body(partition: Partition) -> None:
            await partition.restore()
            if partition.number == 0:
                for _ in range(LANES - 1):
                    await waiting.acquire()
                raise ZeroDivisionError("made up")
            try:
                waiting.release()
                await asyncio.Event().wait()
            finally:
                cancelled.append(partition.number)

        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(SOON):
                await bus.serve(world.inbox, world.state, body)

        assert sorted(cancelled) == list(range(1, LANES))

    async def test_a_group_with_more_than_lost_comes_out(self, world: World, bus: Bus) -> None:
        """Lost beside another error does not hide that error."""

        async def body(partition: Partition) -> None:
            await partition.restore()
            if partition.number == 0:
                raise ExceptionGroup("both", [Lost("made up"), ZeroDivisionError("made up")])
            await asyncio.Event().wait()

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(SOON):
                await bus.serve(world.inbox, world.state, body)

        assert caught.group_contains(ZeroDivisionError)

    async def test_cancelling_serve_cancels_and_awaits_the_bodies(
        self, world: World, bus: Bus
    ) -> None:
        """When serve is over, so is every body, its cleaning up included."""
        ready = asyncio.Semaphore(0)
        cleaned: list[int] = []

        async def body(partition: Partition) -> None:
            await partition.restore()
            try:
                ready.release()
                await partition.take(1, float("inf"), asyncio.Event())
            finally:
                await asyncio.sleep(0.05)
                cleaned.append(partition.number)

        async with _running(bus, world, body), asyncio.timeout(SOON):
            for _ in range(LANES):
                await ready.acquire()

        assert sorted(cleaned) == list(range(LANES))

    async def test_two_serves_never_own_one_partition_at_once(self, world: World, bus: Bus) -> None:
        """A second serve of the same waits for what the first holds, and then goes on from there."""
        owners: dict[int, int] = {}
        most = 0
        turns = asyncio.Semaphore(0)

        async def body(partition: Partition) -> None:
            nonlocal most
            await partition.restore()
            owners[partition.number] = owners.get(partition.number, 0) + 1
            most = max(most, *owners.values())
            try:
                turns.release()
                await partition.take(1, float("inf"), asyncio.Event())
            finally:
                owners[partition.number] -= 1

        async with (
            _running(bus, world, body),
            _running(bus, world, body),
            asyncio.timeout(SOON * 3),
        ):
            for _ in range(LANES):
                await turns.acquire()
            await asyncio.sleep(0.2)

        assert most == 1

    async def test_what_does_not_fit_together_cannot_be_served(
        self, world: World, bus: Bus
    ) -> None:
        """Inbox and state have equally many partitions, and state is compacted."""

        async def body(_: Partition) -> None:
            raise AssertionError

        for inbox, state in (
            (world.inbox, world.cursors),
            (None, world.stream),
            ("nobody's", world.state),
        ):
            with pytest.raises(Undeclared):
                await bus.serve(inbox, state, body)


@contextlib.asynccontextmanager
async def _running(
    bus: Bus, world: World, body: Callable[[Partition], Awaitable[None]]
) -> AsyncIterator[None]:
    """Serve in the background; cancel and await it at the end."""
    task = asyncio.ensure_future(bus.serve(world.inbox, world.state, body))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
