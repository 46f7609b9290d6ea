"""Trimming ``control`` on a real Kafka: stopped anywhere, overtaken, or read through meanwhile."""

from __future__ import annotations

import asyncio
import secrets
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner, Result

from relayer.app.bus import cluster_of
from relayer.app.policies import gate_policy_of
from relayer.app.topics import topics_of
from relayer.bus import kafka_trim
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_topics import create, delete
from relayer.bus.kafka_trim import KafkaTrim, trimming
from relayer.cli.main import root
from relayer.domain.authority import Role
from relayer.domain.errors import Fatal, Transient
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Gate, Resume
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.records import CONTROL
from relayer.ports.bus import Follower, Out, Record, Topic
from relayer.settings import load
from tests.bus.harness import everything
from tests.bus.secured import config_on
from tests.domain.gates import OPERATOR, signed
from tests.real_kafka import cluster

LARGE = 400_000
"""Bytes of a record of which a reader gets only some at once."""


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[str]:
    """A topic that is kept for ever, as control is."""
    name = f"t{secrets.token_hex(6)}.control"
    await create(cluster(kafka), Catalog(_declared(name)))
    yield name
    await delete(cluster(kafka), Catalog(_declared(name)))


@pytest.fixture
async def bus(kafka: str, topic: str) -> AsyncIterator[KafkaBus]:
    """A bus with that topic."""
    async with KafkaBus(cluster(kafka), _declared(topic)) as bus:
        yield bus


def _declared(name: str) -> list[Topic]:
    return [Topic(name=name, partitions=1, retention=None, compacted=False, at_once=True)]


async def _say(bus: KafkaBus, topic: str, *values: bytes) -> None:
    await bus.publish([Out(topic=topic, partition=0, key="", value=value) for value in values])


async def _values(bus: KafkaBus, topic: str) -> list[bytes | None]:
    return [record.value for record in await everything(bus, topic)]


async def _past(trim: KafkaTrim) -> list[bytes | None]:
    async with aclosing(trim.past()) as past:
        return [record.value async for record in past]


async def _nothing() -> None:
    """No time passes between the steps."""


async def _trim(
    kafka: str, topic: str, *kept: bytes, meanwhile: Callable[[], Awaitable[None]] = _nothing
) -> list[bytes | None]:
    """Trim to these; what was read."""
    async with trimming(cluster(kafka), topic) as trim:
        read = await _past(trim)
        await meanwhile()
        await trim.replace(kept)
    return read


async def test_what_counts_stands_at_the_end_and_all_before_is_gone(
    kafka: str, topic: str, bus: KafkaBus
) -> None:
    """And what came while it was read stays, as it is."""
    await _say(bus, topic, b"1", b"2", b"3")

    async def meanwhile() -> None:
        await _say(bus, topic, b"meanwhile")

    assert await _trim(kafka, topic, b"2", meanwhile=meanwhile) == [b"1", b"2", b"3"]
    assert await _values(bus, topic) == [b"meanwhile", b"2"]


async def test_whoever_dies_before_the_cut_has_changed_nothing_that_counts(
    kafka: str, topic: str, bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After reading all is as it was; after the copies they stand twice; the next one does it all."""
    await _say(bus, topic, b"1", b"2")
    async with trimming(cluster(kafka), topic) as trim:
        await _past(trim)
    assert await _values(bus, topic) == [b"1", b"2"]

    async def dies(*_: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as broken:
        broken.setattr(kafka_trim, "cut", dies)
        with pytest.raises(Transient, match="was not trimmed"):
            await _trim(kafka, topic, b"2")
    assert await _values(bus, topic) == [b"1", b"2", b"2"]

    assert await _trim(kafka, topic, b"2") == [b"1", b"2", b"2"]
    assert await _values(bus, topic) == [b"2"]


async def test_of_two_at_once_the_older_one_can_write_nothing_more(
    kafka: str, topic: str, bus: KafkaBus
) -> None:
    """What it read is not what counts any more: a halt that was lifted meanwhile would come back."""
    await _say(bus, topic, b"halt")

    async def overtaken() -> None:
        await _say(bus, topic, b"resume")
        assert await _trim(kafka, topic) == [b"halt", b"resume"]
        await _say(bus, topic, b"later")

    with pytest.raises(Transient, match="was not trimmed"):
        await _trim(kafka, topic, b"halt", meanwhile=overtaken)

    assert await _values(bus, topic) == [b"later"]


async def _read_until_caught_up(follower: Follower, then: asyncio.Event) -> list[Record]:
    """What was handed over before the follower said that it had caught up; ``then`` after the first."""
    read: list[Record] = []
    while not follower.caught_up.is_set():
        getting = asyncio.ensure_future(anext(follower))
        caught_up = asyncio.ensure_future(follower.caught_up.wait())
        await asyncio.wait([getting, caught_up], return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            read.append(getting.result())
            then.set()
            await asyncio.sleep(0.2 if len(read) == 1 else 0)
        getting.cancel()
        caught_up.cancel()
        await asyncio.wait([getting, caught_up])
    return read


async def test_whoever_is_reading_meanwhile_is_not_done_before_he_has_read_what_stands(
    kafka: str, topic: str, bus: KafkaBus
) -> None:
    """The records that he came for are gone: their copies lie behind the end that he was told."""
    halt = b"halt" * (LARGE // 4)
    await _say(bus, topic, *[b"x" * LARGE] * 12, halt, *[b"y" * LARGE] * 3)
    begun = asyncio.Event()
    async with (
        aclosing(bus.follow(topic, None)) as follower,
        trimming(cluster(kafka), topic) as trim,
    ):
        await _past(trim)
        reading = asyncio.create_task(_read_until_caught_up(follower, begun))
        await begun.wait()
        await trim.replace([halt])
        async with asyncio.timeout(20):
            read = await reading

    assert len(read) < 16, "everything was read before the trimming: nothing is shown"
    assert read[-1].value == halt


# -- the command


@pytest.fixture
def config(kafka: str, tmp_path: Path) -> Iterator[Path]:
    """Settings with an operator whose key is known here, and their topics."""
    chains = [f"eip155:{secrets.randbelow(10**9)}" for _ in range(2)]
    made = config_on(tmp_path, {"servers": kafka.split(","), "session_seconds": 2.0}, chains)
    told = tomllib.loads(made.read_text(encoding="utf-8"))
    told["operator"]["keys"] = [OPERATOR.public.hex()]
    made.write_text(tomli_w.dumps(told), encoding="utf-8")
    assert _run(made, "--create").exit_code == 0
    yield made
    settings = load(made)
    asyncio.run(delete(cluster_of(settings), Catalog(topics_of(settings))))


def _run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["topics", "--config", str(config), *words])


def _halt(reason: str, asset: str) -> Halt:
    scope = Scope(kind=ScopeKind.ASSET, name=asset)
    return Halt(scope=scope, reason=reason, evidence="", raised_at=1, raised_by="thief")


async def _resume(halts: Sequence[bytes]) -> bytes:
    now = int(time.time())
    resume = Resume(
        command=b"\1" * 32, halts=tuple(halts), reason="", issued_at=now, expires_at=now + 60
    )
    body = RESUME.encode(resume).decode()
    return CONTROL_RECORDS.encode(await signed(body, OPERATOR, Role.OPERATOR))


async def _on(config: Path, *values: bytes) -> tuple[Gate, int]:
    """Publish these; the gate of whoever starts then, and how many records it has read."""
    settings = load(config)
    async with KafkaBus(cluster_of(settings), topics_of(settings)) as bus:
        await _say(bus, CONTROL, *values)
        gate, records = Gate(policy=gate_policy_of(settings)), await everything(bus, CONTROL)
    for record in records:
        gate.fold_control(record.value or b"", record.time, record.offset)
    return gate, len(records)


def test_after_a_flood_that_was_lifted_a_start_reads_what_stands_alone(config: Path) -> None:
    """While the flood stands it is not trimmed; then one honest halt is left, under its name."""
    asset = load(config).assets[0].symbol
    flood = [CONTROL_RECORDS.encode(_halt(f"flood {n}", asset)) for n in range(2_000)]
    gate, before = asyncio.run(_on(config, *flood))
    refused = _run(config, "--trim")
    gate, still = asyncio.run(_on(config, asyncio.run(_resume(list(gate.halts)))))
    honest = _halt("\x1b[2Jhonest", asset)
    asyncio.run(_on(config, CONTROL_RECORDS.encode(honest)))
    done = _run(config, "--trim")
    after, left = asyncio.run(_on(config))

    assert isinstance(refused.exception, Fatal)
    assert f"65 halts of asset {asset} stand" in str(refused.exception)
    assert (before, still, left) == (2_000, 2_001, 1)
    assert list(after.halts) == [honest.digest]
    assert f"stands: {honest.digest.hex()}  asset {asset}" in done.output
    assert "\x1b" not in done.output
    assert _run(config).exit_code == 0, "the topic is as it must be"


def test_a_flood_of_made_up_assets_is_left_out_where_that_is_said(config: Path) -> None:
    """Some settings might serve one of them: that is for a person to know."""
    flood = [CONTROL_RECORDS.encode(_halt("flood", f"EVIL{n}")) for n in range(100)]
    settings = load(config)

    async def publish() -> None:
        async with KafkaBus(cluster_of(settings), topics_of(settings)) as bus:
            await _say(bus, CONTROL, *flood)

    asyncio.run(publish())
    refused, done = _run(config, "--trim"), _run(config, "--trim", "--forget-strange")

    assert "36 of them would be lost" in str(refused.exception)
    assert "0 halt(s) stand" in done.output
    assert asyncio.run(_on(config))[1] == 0
