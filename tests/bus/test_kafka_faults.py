"""Whatever goes wrong within a commit on Kafka takes the one path: Lost, fence, restore, go on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from relayer.bus import kafka_partition
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import place
from relayer.domain.errors import Transient
from relayer.ports.bus import Lost, Partition
from tests.bus.harness import (
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
from tests.bus.kafka_wire import Way, Wire, stranger
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


async def test_an_owner_cancelled_within_a_commit_leaves_it_whole(
    world: KafkaWorld, bus: KafkaBus, wire: Wire
) -> None:
    """A lane that is stopped in the middle of a commit lets it end, and commits no more."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        wire.fail("EndTxnRequest", "hold")
        commit = asyncio.ensure_future(owner.commit([out(world.stream, 0, "o")], {"s": b"1"}))
        await wire.met.wait()
        commit.cancel()
        wire.mend()
        with pytest.raises(asyncio.CancelledError):
            await commit
        with pytest.raises(Lost):
            await owner.commit([], {})

    assert keys(await everything(bus, world.stream)) == ["o"]
    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore() == {"s": b"1"}


async def test_state_behind_an_open_transaction_is_waited_for(
    world: KafkaWorld, bus: KafkaBus
) -> None:
    """A stranger's open transaction hides what was committed after it: no old state is restored."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        async with stranger(
            world.cluster, transactional_id=f"{world.name}-stranger", transaction_timeout_ms=9_000
        ) as other:
            await other.begin_transaction()
            await other.send_and_wait(world.state, b"forged", key=b"x", partition=0)
            await owner.commit([], {"s": b"new"})
            async with world.own(world.inbox, world.state, 0) as newer:
                restoring = asyncio.ensure_future(newer.restore())
                done, _ = await asyncio.wait([restoring], timeout=0.5)
                assert not done
                await other.abort_transaction()
                async with asyncio.timeout(SOON):
                    assert await restoring == {"s": b"new"}


async def test_state_that_stays_hidden_is_lost_not_guessed(
    world: KafkaWorld, bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the transaction does not end, restoring gives up and says why."""
    monkeypatch.setattr(kafka_partition, "RESTORE", 0.6)
    async with stranger(
        world.cluster, transactional_id=f"{world.name}-stranger", transaction_timeout_ms=9_000
    ) as other:
        await other.begin_transaction()
        await other.send_and_wait(world.state, b"forged", key=b"x", partition=0)
        async with world.own(world.inbox, world.state, 0) as owner:
            with pytest.raises(Lost, match="holds a transaction open"):
                await owner.restore()
        await other.abort_transaction()


async def test_what_an_open_transaction_holds_up_shows(world: KafkaWorld, bus: KafkaBus) -> None:
    """A lane that others keep waiting is behind, although it is told that its inbox ends there."""
    async with (
        world.own(world.inbox, world.state, 0) as owner,
        stranger(
            world.cluster, transactional_id=f"{world.name}-stranger", transaction_timeout_ms=9_000
        ) as other,
        asyncio.timeout(SOON),
    ):
        await owner.restore()
        await other.begin_transaction()
        await other.send_and_wait(world.inbox, b"theirs", key=b"theirs", partition=0)
        await bus.publish([out(world.inbox, 0, "ours")])
        while await owner.behind() < 2:
            assert await owner.take(1, 0.1, asyncio.Event()) == []
        await other.abort_transaction()
        assert keys(await take(owner)) == ["ours"]
        await owner.commit([], {})
        while await owner.behind() > 1:  # the end of the transaction is a place in the log, too
            await asyncio.sleep(0.05)


async def test_what_is_followed_at_once_cannot_be_hidden(world: KafkaWorld, bus: KafkaBus) -> None:
    """Behind an open transaction others see nothing and believe that nothing is there."""
    (stream,) = [topic for topic in topics(world) if topic.name == world.stream]
    hasty = dataclasses.replace(stream, at_once=True)
    async with (
        KafkaBus(world.cluster, [hasty]) as at_once,
        stranger(
            world.cluster, transactional_id=f"{world.name}-stranger", transaction_timeout_ms=9_000
        ) as other,
    ):
        await other.begin_transaction()
        await other.send_and_wait(world.stream, b"theirs", key=b"theirs", partition=0)
        await bus.publish([out(world.stream, 0, "halt")])

        assert await everything(bus, world.stream) == []
        assert keys(await everything(at_once, world.stream)) == ["theirs", "halt"]
        await other.abort_transaction()
        assert keys(await everything(bus, world.stream)) == ["halt"]
        assert keys(await everything(at_once, world.stream)) == ["theirs", "halt"]


async def test_an_owner_whose_records_are_gone_goes_on_with_the_oldest_kept(
    world: KafkaWorld, bus: KafkaBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not stop and does not stay silent; a living one is Lost first, then does the same."""
    await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(4)])
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        await owner.take(1, SOON, asyncio.Event())
        await owner.commit([], {})
    admin = world.cluster.admin()
    await admin.start()
    here = place(world.inbox, 0)
    await admin.delete_records({here: RecordsToDelete(before_offset=3)})
    await admin.close()

    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        assert keys(await take(owner)) == ["k3"]
    assert "bus.records_expired_unread" in capsys.readouterr().out


@pytest.mark.parametrize(
    "forged",
    [b"", b"\xff", b"[]", b"7", b'{"inbox": 1}', b'{"next": 5}', b"9" * 5000, b"[" * 100_000, None],
)
async def test_a_forged_position_stops_nobody(
    forged: bytes | None, world: KafkaWorld, bus: KafkaBus
) -> None:
    """Whatever stands under the position's key, taking begins at the oldest record kept."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    async with stranger(world.cluster) as other:
        await other.send_and_wait(world.state, forged, key=b"#", partition=0)

    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        assert keys(await take(owner)) == ["in-0"]


@pytest.mark.parametrize("told", ["99999999999999999999999", "-5", "1.5", "true", '"1"', "null"])
async def test_a_position_that_cannot_be_is_not_believed(
    told: str, world: KafkaWorld, bus: KafkaBus
) -> None:
    """Far ahead, before the beginning, or no number: taking begins at the oldest record kept."""
    await bus.publish([out(world.inbox, 0, "in-0")])
    position = f'{{"inbox": "{world.inbox}", "next": {told}}}'.encode()
    async with stranger(world.cluster) as other:
        await other.send_and_wait(world.state, position, key=b"#", partition=0)

    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        assert keys(await take(owner)) == ["in-0"]


async def test_records_of_any_shape_are_read(world: KafkaWorld, bus: KafkaBus) -> None:
    """No key, a key that is no text, no value, headers, compressed: nothing stops a reader."""
    async with stranger(world.cluster, compression_type="gzip") as other:
        for topic in (world.inbox, world.state, world.stream):
            if topic != world.state:  # a compacted topic takes no record without a key
                await other.send_and_wait(topic, b"v", partition=0)
            await other.send_and_wait(topic, b"v", key=b"\xff\xfe", partition=0)
            await other.send_and_wait(topic, None, key=b"gone", partition=0)
            await other.send_and_wait(topic, b"v", key=b"h", headers=[("h", b"\x00")], partition=0)

    seen = ["", "\\xff\\xfe", "gone", "h"]
    async with world.own(world.inbox, world.state, 0) as owner:
        assert sorted(await owner.restore()) == ["\\xff\\xfe", "h"]
        assert keys(await take_count(owner, 4)) == seen
    assert keys(await everything(bus, world.stream)) == seen


async def test_topics_are_judged_although_a_broker_is_just_lost(bus: KafkaBus, wire: Wire) -> None:
    """Whoever starts at that moment asks again until it is answered, and does not give up."""
    wire.fail("DescribeConfigsRequest", "lose request")
    judging = asyncio.create_task(bus.check())
    async with asyncio.timeout(10):
        await wire.met.wait()
    wire.mend()

    assert await judging == []


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
