"""A thief who may write to every topic of a real Kafka."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from relayer.bus.kafka_trim import trimming
from relayer.domain.distrust import Distrust
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.records import CONTROL, INBOX, inbox, state
from relayer.domain.standing import Standing
from tests.attacks.gates import a_halt, a_resume, resume
from tests.attacks.robbery import Robberies
from tests.attacks.siege import PATIENCE, Siege, on_kafka
from tests.attacks.suite import Attacks
from tests.attacks.table import REFUSED
from tests.bus.kafka_bytes import append, batch, record
from tests.bus.kafka_wire import stranger
from tests.domain.samples import SOLANA
from tests.services.bridge import topics, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siege(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> AsyncIterator[Siege]:
    """One running bridge for all attacks."""
    async with on_kafka(tmp_path_factory.mktemp("siege"), kafka) as (siege, raw), siege.running():
        siege.raw = raw
        await siege.serves()
        yield siege


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def resting(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> AsyncIterator[Siege]:
    """A bridge that a test starts and stops."""
    async with on_kafka(tmp_path_factory.mktemp("siege"), kafka) as (siege, _):
        yield siege


class TestAttacks(Attacks):
    """On Kafka."""


class TestRobberies(Robberies):
    """On Kafka."""


async def test_records_of_any_shape_change_nothing(siege: Siege) -> None:
    """No key, one that is no text or the bus's own, headers, a time far ahead, compressed."""
    assert siege.raw is not None
    claim = INBOX.encode(siege.new(height=1))
    far = int(time.time() * 1000) + 10**11
    strange = [(b"k", 1), (b"", None), (b"#", None), (b"#owner", None), (b"\xff\xfe", None)]
    for key, timestamp in strange:
        when = {"timestamp_ms": far} if timestamp else {}
        for value in (claim, None, b""):
            await siege.raw.send(inbox(SOLANA), value, key=key, headers=[("h", b"\x00")], **when)
    await siege.raw.send(inbox(SOLANA), claim, key=None)

    await siege.serves()


async def test_a_batch_that_no_client_reads_stops_nobody(siege: Siege) -> None:
    """One header whose name is no text, on every topic: it is counted, and nothing waits for it."""
    assert siege.raw is not None
    before = siege.counted(REFUSED, topic=inbox(SOLANA), reason=Distrust.UNREADABLE)
    for topic in topics():
        told = batch(record(b"v", headers=[(b"\xff", b"")]))
        assert await append(siege.raw.producer, siege.raw.prefix + topic.name, told) == 0

    await siege.serves()
    assert siege.counted(REFUSED, topic=inbox(SOLANA), reason=Distrust.UNREADABLE) > before


async def test_an_open_transaction_delays_and_a_rolled_back_one_was_never_there(
    siege: Siege,
) -> None:
    """Whoever may open one hides what comes behind it, until the cluster rolls it back."""
    assert siege.raw is not None
    before = siege.counted(REFUSED, topic=inbox(SOLANA), reason=Distrust.NOT_ON_CHAIN)
    async with stranger(
        siege.raw.cluster, transactional_id=secrets.token_hex(8), transaction_timeout_ms=10_000
    ) as thief:
        await thief.begin_transaction()
        claim = INBOX.encode(siege.new(height=1))
        await thief.send_and_wait(siege.raw.prefix + inbox(SOLANA), claim, partition=0)
        made = siege.make()
        await asyncio.sleep(0.5)
        assert not siege.is_delivered(made)()
        await thief.abort_transaction()
    await until(siege.is_delivered(made), PATIENCE)

    assert siege.counted(REFUSED, topic=inbox(SOLANA), reason=Distrust.NOT_ON_CHAIN) == before


async def test_a_halt_stands_and_is_lifted_beside_a_trimming(siege: Siege) -> None:
    """With all services running, after all that was written to control so far: one record is left."""
    assert siege.raw is not None
    topic, standing = siege.raw.prefix + CONTROL, Standing(siege.bridge.policy, forget_strange=True)
    halt = CONTROL_RECORDS.encode(a_halt(reason="before a trimming"))
    await siege.write(CONTROL, halt)
    await until(lambda: len(siege.listed()) == 1)
    async with trimming(siege.raw.cluster, topic) as trim:
        async with aclosing(trim.past()) as past:
            async for record in past:
                standing.fold(record.value or b"", record.time, record.offset)
        assert standing.objections() == []
        await trim.replace(standing.texts)
        async with aclosing(trim.past()) as past:
            assert [record.value async for record in past] == [halt]
    made = siege.make()
    await asyncio.sleep(0.3)
    assert not siege.is_delivered(made)()

    await resume(siege, a_resume(*siege.listed()))
    await until(siege.is_delivered(made), PATIENCE)


async def test_whoever_fences_a_lane_delays_it_only(siege: Siege) -> None:
    """A thief of the relayer's rights takes its transactional name: the lane takes it back."""
    assert siege.raw is not None
    before = siege.counted("relayer_lane_restores_total", chain=SOLANA)
    name = f"{siege.raw.prefix}{state('relayer', SOLANA)}.0"
    for _ in range(2):
        held = {"transactional_id": name, "transaction_timeout_ms": 10_000}
        async with stranger(siege.raw.cluster, **held):
            await siege.serves()

    assert siege.counted("relayer_lane_restores_total", chain=SOLANA) > before


async def test_whoever_joins_a_lanes_group_delays_it_only(siege: Siege) -> None:
    """A member that takes partitions and does nothing: when it is gone, the lane goes on."""
    assert siege.raw is not None
    topic = siege.raw.prefix + state("relayer", SOLANA)
    idle = AIOKafkaConsumer(
        topic, bootstrap_servers=list(siege.raw.cluster.servers), group_id=f"relayer.{topic}"
    )
    await idle.start()
    await idle.stop()

    await siege.serves()
