"""What strangers write to the topics of an owner, and what they leave open there, on Kafka."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import NewTopic

from relayer.bus import kafka_partition
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_partition import OWNER
from relayer.bus.kafka_wishes import settings_of
from relayer.ports.bus import Lost
from tests.bus.harness import (
    SOON,
    everything,
    keys,
    out,
    take,
    take_count,
    topics,
)
from tests.bus.kafka_bytes import GZIP, ZSTD, append, batch, in_zstd, record
from tests.bus.kafka_wire import forget, stranger
from tests.bus.worlds import KafkaWorld


@pytest.fixture
async def world(kafka: str) -> AsyncIterator[KafkaWorld]:
    """Topics of its own."""
    world = KafkaWorld(kafka)
    yield world
    await world.clear()


@pytest.fixture
async def bus(world: KafkaWorld) -> KafkaBus:
    """The bus, open."""
    return await world.open()


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


async def test_no_forged_mark_hides_the_owners_own(world: KafkaWorld, bus: KafkaBus) -> None:
    """A stranger writes marks of owners without a pause: the state is restored all the same."""

    async def flood() -> None:
        async with stranger(world.cluster, linger_ms=0) as other:
            while True:
                await other.send_and_wait(world.state, b"mine", key=OWNER.encode(), partition=0)

    flooding = asyncio.create_task(flood())
    try:
        for number in range(3):
            async with world.own(world.inbox, world.state, 0) as owner, asyncio.timeout(SOON):
                await owner.restore()
                await owner.commit([], {f"s{number}": b"v"})
    finally:
        flooding.cancel()
        await asyncio.wait([flooding])


async def test_a_forged_value_leaves_the_genuine_one_before_it(
    world: KafkaWorld, bus: KafkaBus
) -> None:
    """As long as the log has both, what the owner wrote stands."""
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        await owner.commit([], {"s": b"genuine"})
    await bus.publish([out(world.state, 0, "s", b"forged")])
    async with world.own(world.inbox, world.state, 0) as owner:
        assert await owner.restore(lambda _, value: value == b"genuine") == {"s": b"genuine"}


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
    """It does not stop and does not stay silent."""
    await bus.publish([out(world.inbox, 0, f"k{i}") for i in range(4)])
    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        await owner.take(1, SOON, asyncio.Event())
        await owner.commit([], {})
    await forget(world.cluster, world.inbox, 0, before=3)

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


@pytest.mark.parametrize(
    "told",
    [
        batch(record(b"v", headers=[(b"\xff\xfe", b"")])),
        batch(record(b"v", attributes=0xFF)),
        batch(gzip.compress(record(bytes(2**20))), codec=GZIP),
        batch(in_zstd(record(b"v")), codec=ZSTD),
    ],
    ids=["a header that is no text", "a place that is not its own", "a bomb", "another codec"],
)
async def test_a_batch_that_nobody_can_read_stops_no_reader(told: bytes, world: KafkaWorld) -> None:
    """It stands as a record that is no record of ours, in its place, and what is behind it is read.

    It held a topic up for ever, or moved its owner past records not taken, or filled the memory.
    """
    await _make_as_written(world)
    bus = await world.open()
    async with stranger(world.cluster) as other:
        for name in (world.inbox, world.state, world.stream):
            assert await append(other, name, told) == 0
    await bus.publish([out(world.inbox, 0, "in-0"), out(world.stream, 0, "fact")])

    async with world.own(world.inbox, world.state, 0) as owner:
        await owner.restore()
        taken = await take_count(owner, 2)
        await owner.commit([], {"s": b"kept"})
    assert [record.offset for record in taken] == [0, 1]
    assert keys(taken) == ["", "in-0"]
    assert keys(await everything(bus, world.stream)) == ["", "fact"]
    async with world.own(world.inbox, world.state, 0) as owner:
        assert (await owner.restore())["s"] == b"kept"


async def _make_as_written(world: KafkaWorld) -> None:
    """Topics of a cluster whose brokers keep batches as they are written, which is Kafka's default."""
    plain = {"compression.type": "producer"}
    admin = world.cluster.admin()
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(t.name, t.partitions, 1, topic_configs=settings_of(world.cluster, t) | plain)
            for t in topics(world)
        ]
    )
    await admin.close()


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
