"""The promises of an owned partition and of publishing, for any bus."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from relayer.ports.bus import (
    MAX_BYTES,
    Bus,
    Lost,
    Out,
    Partition,
    Record,
    TooLarge,
    Undeclared,
    Unfit,
)
from tests.bus.harness import (
    LANES,
    SOON,
    World,
    everything,
    keys,
    out,
    take,
    take_count,
    take_nothing,
)


@pytest.mark.usefixtures("bus")
class Owning:
    """What `restore`, `take`, `commit` and `publish` promise."""

    async def test_records_are_taken_in_the_order_of_their_appending(
        self, world: World, bus: Bus
    ) -> None:
        """One partition is one order, with offsets that rise, over many publishes."""
        for begin in range(0, 60, 20):
            await bus.publish([out(world.inbox, 1, f"k{i}") for i in range(begin, begin + 20)])

        async with world.own(world.inbox, world.state, 1) as partition:
            await partition.restore()
            records = await take_count(partition, 60)

        assert keys(records) == [f"k{i}" for i in range(60)]
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets))

    async def test_a_record_says_all_it_was_given_and_when(self, world: World, bus: Bus) -> None:
        """Topic, partition, key, value and a time in seconds since the epoch come back."""
        await bus.publish([out(world.inbox, 2, "ключ-鍵-🔑", b"\x00\xff")])

        async with world.own(world.inbox, world.state, 2) as partition:
            await partition.restore()
            (record,) = await take(partition)

        assert (record.topic, record.partition) == (world.inbox, 2)
        assert (record.key, record.value) == ("ключ-鍵-🔑", b"\x00\xff")
        assert record.time > 1_700_000_000

    async def test_a_partition_takes_only_its_own(self, world: World, bus: Bus) -> None:
        """Records of other partitions never show."""
        await bus.publish([out(world.inbox, n, f"of-{n}") for n in range(LANES)])

        async with world.own(world.inbox, world.state, 1) as partition:
            await partition.restore()

            assert keys(await take(partition)) == ["of-1"]
            assert await take_nothing(partition)

    async def test_take_keeps_to_its_limit_and_continues(self, world: World, bus: Bus) -> None:
        """At most `limit` records come at once, the rest afterwards."""
        await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(5)])

        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            first = await partition.take(2, SOON, asyncio.Event())
            rest = await take_count(partition, 5 - len(first))

        assert 1 <= len(first) <= 2
        assert keys([*first, *rest]) == [f"k{i}" for i in range(5)]

    async def test_an_empty_take_returns_when_its_time_has_passed(self, world: World) -> None:
        """Nothing is an answer, and it takes about as long as was asked for."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            began = asyncio.get_running_loop().time()

            assert await partition.take(10, 0.2, asyncio.Event()) == []
            assert 0.15 < asyncio.get_running_loop().time() - began < SOON

    @pytest.mark.parametrize("seconds", [SOON * 5, float("inf")])
    async def test_wake_ends_a_take_without_records(self, world: World, seconds: float) -> None:
        """Setting the event returns an empty take at once; the event stays set."""
        wake = asyncio.Event()
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            asyncio.get_running_loop().call_later(0.1, wake.set)
            async with asyncio.timeout(SOON):
                assert await partition.take(10, seconds, wake) == []

            assert wake.is_set()

    async def test_a_record_ends_a_waiting_take(self, world: World, bus: Bus) -> None:
        """What is published while a take waits arrives there at once."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            async with asyncio.TaskGroup() as group:
                taken = group.create_task(partition.take(10, SOON, asyncio.Event()))
                await asyncio.sleep(0.1)
                await bus.publish([out(world.inbox, 0, "late")])

        assert keys(taken.result()) == ["late"]

    async def test_records_are_returned_even_when_woken(self, world: World, bus: Bus) -> None:
        """A set event does not hide records that are there: a busy lane still makes progress."""
        wake = asyncio.Event()
        wake.set()
        await bus.publish([out(world.inbox, 0, "there")])
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            async with asyncio.timeout(SOON):
                records: Sequence[Record] = []
                while not records:
                    records = await partition.take(10, SOON, wake)
                    await asyncio.sleep(0.01)

        assert keys(records) == ["there"]

    async def test_an_owner_without_inbox_waits_and_commits(self, world: World, bus: Bus) -> None:
        """A listener owns only its cursor: take waits for time or wake, the state is kept."""
        async with world.own(None, world.cursors, 1) as partition:
            assert await partition.restore() == {}
            assert await partition.take(10, 0.05, asyncio.Event()) == []
            await partition.commit([out(world.inbox, 0, "found")], {"cursor": b"7"})

        async with world.own(None, world.cursors, 1) as partition:
            assert await partition.restore() == {"cursor": b"7"}
        assert keys(await everything(bus, world.inbox, 1)) == ["found"]

    async def test_what_is_not_genuine_is_passed_over(self, world: World, bus: Bus) -> None:
        """The owner says of each value whether it is genuine; the others are not in the answer."""
        async with world.own(None, world.cursors, 1) as partition:
            await partition.restore()
            await partition.commit([], {"own": b"genuine", "gone": b"genuine"})
            await partition.commit([], {"gone": None})
        await bus.publish([out(world.cursors, 1, f"forged{n}") for n in range(600)])

        asked: list[str] = []

        def genuine(key: str, value: bytes) -> bool:
            asked.append(key)
            return value == b"genuine"

        async with world.own(None, world.cursors, 1) as partition:
            assert await partition.restore(genuine) == {"own": b"genuine"}
        assert {f"forged{n}" for n in range(600)} < set(asked)

    async def test_restore_returns_the_last_value_of_each_key(self, world: World) -> None:
        """Later values win, keys set to None are gone, other partitions do not show."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            await partition.commit([], {"a": b"1", "b": b"1", "": b"empty key", "c": b""})
            await partition.commit([], {"a": b"2", "b": None})
        async with world.own(world.inbox, world.state, 1) as partition:
            await partition.restore()
            await partition.commit([], {"a": b"of another"})

        async with world.own(world.inbox, world.state, 0) as partition:
            assert await partition.restore() == {"a": b"2", "": b"empty key", "c": b""}

    async def test_taking_resumes_after_the_last_commit(self, world: World, bus: Bus) -> None:
        """What was committed is not taken again; what was only taken is."""
        await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(6)])
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            await take_count(partition, 2)
            await partition.commit([], {})
            await take_count(partition, 2)

        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()

            assert keys(await take_count(partition, 4)) == ["k2", "k3", "k4", "k5"]

    async def test_an_owner_knows_how_far_its_commits_are_behind(
        self, world: World, bus: Bus
    ) -> None:
        """Taking alone brings nobody nearer; a commit does, and the next owner begins there."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            none = await partition.behind()
            await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(6)])
            await take_count(partition, 2)
            all_of_them = await partition.behind()
            await partition.commit([], {})
            rest = await partition.behind()
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()

            assert (none, all_of_them, rest) == (0, 6, 4)
            assert await partition.behind() == 4

    async def test_how_far_behind_is_not_known_before_the_place_is(self, world: World) -> None:
        """A partition that was not restored does not guess, one without inbox is never behind."""
        async with world.own(world.inbox, world.state, 0) as partition:
            with pytest.raises(Lost):
                await partition.behind()
        async with world.own(None, world.cursors, 0) as partition:
            await partition.restore()

            assert await partition.behind() == 0

    async def test_a_commit_writes_outputs_state_and_position_together(
        self, world: World, bus: Bus
    ) -> None:
        """After a commit all three are there, in order, for everybody."""
        await bus.publish([out(world.inbox, 0, "in")])
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            await take(partition)
            outs = [out(world.stream, 1, f"o{i}", None if i == 1 else b"v") for i in range(3)]
            await partition.commit([*outs, out(world.inbox, 2, "to another lane")], {"s": b"1"})

        assert [(r.key, r.value) for r in await everything(bus, world.stream, 3)] == [
            ("o0", b"v"),
            ("o1", None),
            ("o2", b"v"),
        ]
        async with world.own(world.inbox, world.state, 2) as other:
            await other.restore()
            assert keys(await take(other)) == ["to another lane"]
        async with world.own(world.inbox, world.state, 0) as partition:
            assert await partition.restore() == {"s": b"1"}
            assert await take_nothing(partition)

    async def test_a_zombie_is_fenced_and_leaves_nothing(self, world: World, bus: Bus) -> None:
        """Once a newer owner has restored, the older one's commit is Lost, whole."""
        await bus.publish([out(world.inbox, 0, "in")])
        async with (
            world.own(world.inbox, world.state, 0) as zombie,
            world.own(world.inbox, world.state, 0) as owner,
        ):
            await zombie.restore()
            await take(zombie)
            await zombie.commit([], {"s": b"before"})
            assert await owner.restore() == {"s": b"before"}

            for _ in range(2):
                with pytest.raises(Lost):
                    await zombie.commit([out(world.stream, 0, "ghost")], {"s": b"ghost"})
            await owner.commit([out(world.stream, 0, "true")], {"t": b"1"})

        assert keys(await everything(bus, world.stream, 1)) == ["true"]
        async with world.own(world.inbox, world.state, 0) as partition:
            assert await partition.restore() == {"s": b"before", "t": b"1"}

    async def test_fencing_one_partition_leaves_the_others_alone(self, world: World) -> None:
        """An epoch belongs to one partition of one state topic."""
        async with (
            world.own(world.inbox, world.state, 0) as mine,
            world.own(world.inbox, world.state, 1) as neighbour,
            world.own(None, world.cursors, 0) as cursor,
        ):
            for partition in (mine, neighbour, cursor):
                await partition.restore()
            for partition in (neighbour, cursor, mine):
                await partition.commit([], {"k": b"v"})

    async def test_what_was_not_restored_cannot_be_taken_or_committed(self, world: World) -> None:
        """Ownership begins with restore."""
        async with world.own(world.inbox, world.state, 0) as partition:
            with pytest.raises(Lost):
                await partition.commit([], {"k": b"v"})
            with pytest.raises(Lost):
                await take(partition)

    @pytest.mark.parametrize("way", ["publish", "commit outs", "commit state"])
    async def test_a_record_of_the_largest_size_fits_and_one_byte_more_does_not(
        self, world: World, bus: Bus, way: str
    ) -> None:
        """The limit counts key and value; what is refused leaves nothing, and the owner lives on."""
        fits, above = b"x" * (MAX_BYTES - 1), b"x" * MAX_BYTES
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            small = out(world.stream, 0, "small")

            async def write(value: bytes) -> None:
                await _write(way, bus, partition, [small, out(world.stream, 0, "k", value)])

            with pytest.raises(TooLarge):
                await write(above)
            assert await everything(bus, world.stream) == []
            await write(fits)
            state = await _restored(world, 0)

        stream = await everything(bus, world.stream)
        assert fits in [*(record.value for record in stream), *state.values()]

    @pytest.mark.parametrize("key", ["#position", "#", "lone \ud800 surrogate"])
    async def test_a_key_that_no_bus_takes_is_refused(
        self, world: World, bus: Bus, key: str
    ) -> None:
        """Reserved keys and keys that are not text are Unfit everywhere."""
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            with pytest.raises(Unfit):
                await partition.commit([], {"good": b"v", key: b"v"})
        with pytest.raises(Unfit):
            await bus.publish([out(world.stream, 0, "good"), out(world.stream, 0, key)])

        assert await everything(bus, world.stream) == []
        assert await _restored(world, 0) == {}

    @pytest.mark.parametrize(("topic", "number"), [("", LANES), ("", -1), ("nobody's", 0)])
    async def test_what_is_not_declared_is_refused(
        self, world: World, bus: Bus, topic: str, number: int
    ) -> None:
        """A topic or partition nobody declared is an error, not a new topic."""
        bad = out(topic or world.inbox, number, "k")
        with pytest.raises(Undeclared):
            await bus.publish([out(world.stream, 0, "good"), bad])
        async with world.own(world.inbox, world.state, 0) as partition:
            await partition.restore()
            with pytest.raises(Undeclared):
                await partition.commit([out(world.stream, 0, "good"), bad], {})

        assert await everything(bus, world.stream) == []

    async def test_partitions_tells_the_declared_count(self, world: World, bus: Bus) -> None:
        """The count is the declared one; an unknown topic is refused."""
        assert bus.partitions(world.inbox) == LANES
        with pytest.raises(Undeclared):
            bus.partitions("nobody's")

    async def test_a_good_bus_has_no_findings(self, bus: Bus) -> None:
        """Check is silent about topics that are as declared."""
        assert list(await bus.check()) == []


async def _write(way: str, bus: Bus, partition: Partition, outs: list[Out]) -> None:
    match way:
        case "publish":
            await bus.publish(outs)
        case "commit outs":
            await partition.commit(outs, {})
        case _:
            await partition.commit([], {o.key: o.value for o in outs})


async def _restored(world: World, number: int) -> Mapping[str, bytes]:
    async with world.own(world.inbox, world.state, number) as partition:
        return await partition.restore()
