"""Whatever goes wrong within a commit on Kafka takes the one path: Lost, fence, restore, go on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest
import structlog
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError

from relayer.bus import kafka_follow, kafka_members, kafka_partition
from relayer.bus.kafka import KafkaBus
from relayer.domain.errors import Transient
from relayer.ports.bus import Lost, Partition
from tests.bus.harness import (
    LANES,
    SOON,
    everything,
    keys,
    out,
    read,
    take,
    take_count,
    take_nothing,
    topics,
)
from tests.bus.kafka_wire import Way, Wire, forget
from tests.bus.worlds import KafkaWorld

QUICK = 1.0
"""Seconds after which the cluster rolls an unfinished transaction back."""


@pytest.fixture
async def world(kafka: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaWorld]:
    """Topics of its own, and transactions that time out soon."""
    monkeypatch.setattr(kafka_partition, "GRACE", 0.5)
    world = KafkaWorld(kafka)
    world.cluster = dataclasses.replace(world.cluster, transaction=QUICK)
    yield world
    await world.clear()


@pytest.fixture
async def bus(world: KafkaWorld) -> KafkaBus:
    """The bus, open."""
    return await world.open()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The way to Kafka, whole so far."""
    return Wire(monkeypatch)


async def _lose(world: KafkaWorld, wire: Wire, way: Way) -> str:
    """Take one record and commit it, the last step over a faulty wire; return why it is Lost."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        assert keys(await take_count(owner, 1)) == ["in-0"]
        wire.fail("EndTxnRequest", way)
        with pytest.raises(Lost) as lost:
            await owner.commit([out(world.stream, 0, "out-0")], {"s": b"1"})
        with pytest.raises(Lost):
            await take(owner)
    wire.mend()
    return str(lost.value)


async def test_a_commit_that_never_arrived_is_undone(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """The request to commit is lost: nothing of it is ever seen, the input is taken again."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    await _lose(world, wire, "lose request")

    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {}
        assert keys(await take_count(owner, 1)) == ["in-0"]
        await owner.commit([out(world.stream, 0, "again")], {})
    assert keys(await everything(bus, world.stream, 1)) == ["again"]


async def test_a_commit_whose_answer_was_lost_has_happened(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """The outcome is unknown to its owner: it is Lost there, and the next owner finds it whole."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    await _lose(world, wire, "lose answer")

    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {"s": b"1"}
        assert await take_nothing(owner)
    assert keys(await everything(bus, world.stream)) == ["out-0"]


async def test_a_transaction_that_takes_too_long_is_lost(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """The cluster rolls it back; to the producer that looks as if it had been fenced."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    async with asyncio.TaskGroup() as group:
        lost = group.create_task(_lose(world, wire, "hold"))
        await wire.met.wait()
        await bus.publish([out(world.stream, 0, "behind it")])
        async with aclosing(bus.follow(world.stream, None)) as follower:
            await read(follower, 1)  # seen when the transaction before it has been rolled back
        wire.mend()

    assert "Fenced" in lost.result() or "TimeoutError" in lost.result()
    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {}
        assert keys(await take_count(owner, 1)) == ["in-0"]


async def test_a_coordinator_that_has_moved_is_found_again(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """A broker that does not coordinate any more says so within a commit: it ends where it was begun."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        wire.fail("EndTxnRequest", "moved")
        committing = asyncio.create_task(owner.commit([out(world.stream, 0, "out-0")], {"s": b"1"}))
        await wire.met.wait()
        wire.mend()
        async with asyncio.timeout(SOON):
            await committing

    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {"s": b"1"}
    assert keys(await everything(bus, world.stream)) == ["out-0"]


async def test_a_coordinator_that_is_not_found_in_time_costs_the_commit(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """It is Lost like any other, and the next owner takes the input again."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    lost = await _lose(world, wire, "moved")
    wire.mend()

    assert "TimeoutError" in lost or "Fenced" in lost
    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {}
        assert keys(await take_count(owner, 1)) == ["in-0"]


async def test_a_commit_of_which_one_part_is_refused_leaves_nothing(
    world: KafkaWorld, bus: KafkaBus
) -> None:
    """A topic that takes less than declared refuses one output: state and the others go too."""
    admin = world.cluster.admin()
    await admin.start()
    small = ConfigResource(ConfigResourceType.TOPIC, world.stream, {"max.message.bytes": "500"})
    await admin.alter_configs([small])
    await admin.close()
    outs = [out(world.stream, 1, "large", b"x" * 1_000), out(world.stream, 0, "small")]
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()

        async def commit_until_refused() -> None:
            while True:  # the broker hears of the new limit after a moment
                await owner.commit(outs, {"s": b"1"})

        with pytest.raises(Lost, match="MessageSizeTooLarge"):
            await asyncio.wait_for(commit_until_refused(), SOON)

    stream = await everything(bus, world.stream)
    assert len([r for r in stream if r.key == "large"]) == len(
        [r for r in stream if r.key == "small"]
    )


@pytest.mark.parametrize("step", ["AddPartitionsToTxnRequest", "ProduceRequest", "EndTxnRequest"])
async def test_an_owner_cancelled_within_a_commit_leaves_it_whole(
    world: KafkaWorld, bus: KafkaBus, wire: Wire, step: str
) -> None:
    """A lane that is stopped in the middle of a commit lets it end, and commits no more."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        wire.fail(step, "hold")
        commit = asyncio.ensure_future(owner.commit([out(world.stream, 0, "o")], {"s": b"1"}))
        await wire.met.wait()
        commit.cancel()
        wire.mend()
        with pytest.raises(asyncio.CancelledError):
            await commit
        with pytest.raises(Lost, match="cancelled within a commit"):
            await owner.commit([], {})

    assert keys(await everything(bus, world.stream)) == ["o"]
    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {"s": b"1"}


async def test_a_living_owner_whose_next_records_expire_is_lost(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """It neither skips them in silence nor commits: the one that follows says what is missing."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        wire.fail("FetchRequest", "hold")
        async with asyncio.timeout(SOON):
            await wire.met.wait()
        await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(4)])
        await forget(world.cluster, world.inbox, 0, before=3)
        wire.mend()
        with pytest.raises(Lost, match="have expired"):
            await take(owner)
        with pytest.raises(Lost, match="have expired"):
            await owner.commit([out(world.stream, 0, "o")], {})

    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        assert keys(await take(owner)) == ["k3"]


async def test_topics_are_judged_although_a_broker_is_just_lost(bus: KafkaBus, wire: Wire) -> None:
    """Whoever starts at that moment asks again until it is answered, and does not give up."""
    wire.fail("DescribeConfigsRequest", "lose request")
    judging = asyncio.create_task(bus.check())
    async with asyncio.timeout(10):
        await wire.met.wait()
    wire.mend()

    assert await judging == []


async def test_who_follows_says_that_the_cluster_is_gone(
    world: KafkaWorld, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client waits for it as it waits for records; nobody would know, and it goes on afterwards."""
    monkeypatch.setattr(kafka_follow, "SILENT", 0.1)
    world.cluster = dataclasses.replace(world.cluster, request=0.5)
    bus = await world.open()
    async with aclosing(bus.follow(world.stream, None)) as follower, asyncio.timeout(SOON):
        next_one = asyncio.ensure_future(anext(follower))
        await follower.caught_up.wait()
        with structlog.testing.capture_logs() as said:
            wire.fail("OffsetRequest", "lose request")
            while not any(line["event"] == "bus.follow_interrupted" for line in said):
                await asyncio.sleep(0.05)
        wire.mend()
        await bus.publish([out(world.stream, 0, "back")])
        assert (await next_one).key == "back"


async def test_a_publisher_that_died_is_replaced(world: KafkaWorld, bus: KafkaBus) -> None:
    """An error that kills the client is not the end of publishing."""
    assert bus._publisher is not None
    dead = bus._publisher._sender.sender_task
    dead.cancel()
    await asyncio.wait([dead])
    await bus.publish([out(world.stream, 0, "surely")])

    assert keys(await everything(bus, world.stream)) == ["surely"]


async def test_publishing_that_is_not_acknowledged_is_told(
    world: KafkaWorld, bus: KafkaBus, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no acknowledgement comes it is Transient: the record may or may not be there."""
    monkeypatch.setattr("relayer.bus.kafka.PUBLISH", 0.5)
    wire.fail("ProduceRequest", "lose answer")
    with pytest.raises(Transient, match="not known to be published"):
        await bus.publish([out(world.stream, 0, "k")])
    wire.mend()
    await bus.publish([out(world.stream, 1, "after")])

    assert keys(await everything(bus, world.stream)).count("k") <= 1


async def test_a_rebalance_ends_a_body_before_another_begins(
    world: KafkaWorld, bus: KafkaBus
) -> None:
    """The fence would keep the books right; but two who fence each other get nothing done."""
    active: Counter[int] = Counter()
    most = 0
    moved = asyncio.Event()

    def body_of(mine: asyncio.Event | None) -> Callable[[Partition], Awaitable[None]]:
        async def body(partition: Partition) -> None:
            nonlocal most
            active[partition.number] += 1
            most = max(most, active[partition.number])
            try:
                await partition.restore()
                if mine is not None:
                    mine.set()
                await asyncio.Event().wait()
            finally:
                active[partition.number] -= 1

        return body

    begun = asyncio.Event()
    async with KafkaBus(world.cluster, topics(world)) as other:
        first = asyncio.ensure_future(bus.serve(world.inbox, world.state, body_of(begun)))
        async with asyncio.timeout(3 * SOON):
            await begun.wait()
        second = asyncio.ensure_future(other.serve(world.inbox, world.state, body_of(moved)))
        async with asyncio.timeout(3 * SOON):
            await moved.wait()
        for serving in (second, first):
            serving.cancel()
            await asyncio.wait([serving])

    assert most == 1
    assert not any(active.values())


async def test_a_membership_that_fails_is_begun_anew(
    world: KafkaWorld, bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bodies end, since nobody would tell that others have their partitions, and begin again."""
    begun, ended, poll = asyncio.Queue[int](), asyncio.Queue[int](), kafka_members._poll
    fail = asyncio.Event()

    async def failing(consumer: object) -> None:
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(poll(consumer))
            await fail.wait()
            polling.cancel()
        fail.clear()
        raise KafkaConnectionError("the group's coordinator hung up")

    async def lane(partition: Partition) -> None:
        begun.put_nowait(partition.number)
        try:
            await asyncio.sleep(SOON)
        finally:
            ended.put_nowait(partition.number)

    monkeypatch.setattr(kafka_members, "_poll", failing)
    monkeypatch.setattr(kafka_members, "AGAIN", 0.05)
    serving = asyncio.ensure_future(bus.serve(world.inbox, world.state, lane))
    try:
        async with asyncio.timeout(SOON):
            first = sorted([await begun.get() for _ in range(LANES)])
            fail.set()
            assert sorted([await ended.get() for _ in range(LANES)]) == first
            assert sorted([await begun.get() for _ in range(LANES)]) == first
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_lane_outlives_its_rebalances(world: KafkaWorld, bus: KafkaBus) -> None:
    """Members come and go while lanes commit: each input makes one output, in order."""

    async def lane(partition: Partition) -> None:
        await partition.restore()
        while True:
            for record in await partition.take(1, SOON, asyncio.Event()):
                await partition.commit(
                    [out(world.stream, 0, f"{partition.number}/{record.key}")], {}
                )

    async def serve() -> None:
        async with KafkaBus(world.cluster, topics(world)) as other:
            await other.serve(world.inbox, world.state, lane)

    first = asyncio.ensure_future(bus.serve(world.inbox, world.state, lane))
    for turn in range(3):
        second = asyncio.ensure_future(serve())
        for i in range(20):
            await bus.publish([out(world.inbox, n, f"{turn}-{i:02}") for n in range(3)])
            await asyncio.sleep(0.02)
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
    wanted = [f"{turn}-{i:02}" for turn in range(3) for i in range(20)]
    async with asyncio.timeout(3 * SOON):
        while len(seen := keys(await everything(bus, world.stream))) < 3 * len(wanted):
            await asyncio.sleep(0.1)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first

    for number in range(3):
        mine = [key.removeprefix(f"{number}/") for key in seen if key.startswith(f"{number}/")]
        assert mine == wanted
