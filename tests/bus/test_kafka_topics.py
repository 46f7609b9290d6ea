"""Topics on Kafka are made as they must be, and one that would lose records is refused."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from click.testing import CliRunner

from relayer.app.bus import cluster_of, judge
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.bus.kafka_wishes import settings_of
from relayer.cli.main import root
from relayer.domain.errors import Fatal, Transient
from relayer.domain.records import CONTROL
from relayer.ports.bus import Finding, Level
from relayer.settings import load
from tests.bus.harness import topics
from tests.bus.secured import config_on
from tests.bus.worlds import KafkaWorld


@pytest.fixture
async def world(kafka: str) -> AsyncIterator[KafkaWorld]:
    """Topics of its own, not made yet."""
    world = KafkaWorld(kafka)
    yield world
    await world.clear()


async def _check(world: KafkaWorld, cluster: Cluster | None = None) -> list[Finding]:
    """Return what is said of the topics; a given cluster's brokers are as they are."""
    names = {topic.name for topic in topics(world)}
    async with KafkaBus(cluster or world.cluster, topics(world)) as bus:
        return [finding for finding in await bus.check() if finding.subject in names]


async def test_topics_are_made_once_and_as_they_must_be(world: KafkaWorld) -> None:
    """The first call makes them all, the second none, and nothing is to be said about them."""
    catalog = Catalog(topics(world))

    assert await create(world.cluster, catalog) == [topic.name for topic in catalog]
    assert await create(world.cluster, catalog) == []
    assert await _check(world) == []


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("retention.ms", "3600000", Level.ERROR),
        ("retention.bytes", "1000000", Level.ERROR),
        ("cleanup.policy", "compact", Level.ERROR),
        ("cleanup.policy", "compact,delete", Level.ERROR),
        ("unclean.leader.election.enable", "true", Level.ERROR),
        ("max.message.bytes", "1000", Level.ERROR),
        ("message.timestamp.type", "CreateTime", Level.WARNING),
        ("compression.type", "gzip", Level.ERROR),
    ],
)
async def test_a_topic_that_would_lose_records_is_found_with_the_setting_to_change(
    name: str, value: str, level: Level, world: KafkaWorld
) -> None:
    """One finding, which names the topic, what it is, and what to set instead."""
    catalog = Catalog(topics(world))
    await _make(
        world, world.inbox, settings_of(world.cluster, catalog.topic(world.inbox)) | {name: value}
    )
    await create(world.cluster, catalog)

    (finding,) = await _check(world)
    assert (finding.level, finding.subject) == (level, world.inbox)
    assert finding.problem.startswith(f"{name} is {value}: ")
    wanted = settings_of(world.cluster, catalog.topic(world.inbox))[name]
    assert f"set {name}={wanted}" in finding.remedy


def test_halts_are_followed_at_once_and_nothing_else_is(tmp_path: Path) -> None:
    """What counts from anybody must not wait for anybody's commit; all else must."""
    settings = load(config_on(tmp_path, {"servers": ["broker:9092"]}))

    assert [topic.name for topic in topics_of(settings) if topic.at_once] == [CONTROL]


async def _make(world: KafkaWorld, topic: str, configs: dict[str, str]) -> None:
    admin = world.cluster.admin()
    await admin.start()
    await admin.create_topics([NewTopic(topic, 3, 1, topic_configs=configs)])
    await admin.close()


async def test_records_kept_longer_than_asked_are_fine(world: KafkaWorld) -> None:
    """More retention, and larger records, lose nothing."""
    more = {"retention.ms": "-1", "max.message.bytes": "2000000"}
    await _make(world, world.inbox, settings_of(world.cluster, topics(world)[0]) | more)
    await create(world.cluster, Catalog(topics(world)))

    assert await _check(world) == []


async def test_state_that_would_expire_is_found(world: KafkaWorld) -> None:
    """A state topic that deletes by age loses open transfers."""
    catalog = Catalog(topics(world))
    state = catalog.topic(world.state)
    policy = {"cleanup.policy": "compact,delete"}
    await _make(world, state.name, settings_of(world.cluster, state) | policy)
    await create(world.cluster, catalog)

    found = {finding.problem.partition(":")[0] for finding in await _check(world)}
    assert "cleanup.policy is compact,delete" in found


async def test_missing_topics_and_wrong_shapes_are_found(world: KafkaWorld) -> None:
    """No topic, another number of lanes, fewer replicas, one acknowledging alone: all are told."""
    assert {f.subject for f in await _check(world)} == {topic.name for topic in topics(world)}
    await create(world.cluster, Catalog(topics(world)))
    safer = dataclasses.replace(world.cluster, replication=3, min_insync=2)
    problems = [finding.problem for finding in await _check(world, safer)]
    wider = [dataclasses.replace(topic, partitions=5) for topic in topics(world)]
    async with KafkaBus(world.cluster, wider) as bus:
        lanes = [finding.problem for finding in await bus.check()]

    assert sum("has 1 replicas, not 3" in problem for problem in problems) == 4
    assert sum("min.insync.replicas is 1" in problem for problem in problems) == 4
    assert lanes.count("it has 3 partitions, 5 are configured") == 2


async def test_more_replicas_than_brokers_are_refused_in_words(world: KafkaWorld) -> None:
    """What the cluster cannot make is told, not half made."""
    many = dataclasses.replace(world.cluster, replication=9)

    with pytest.raises(Transient, match=r"was not made: .*9.*bus\.replication"):
        await create(many, Catalog(topics(world)))


def test_a_process_does_not_start_on_a_bus_that_loses_records() -> None:
    """All errors are told at once, each with its remedy; warnings alone let it start."""
    warning = Finding(level=Level.WARNING, subject="w", problem="odd", remedy="set w")
    errors = [Finding(level=Level.ERROR, subject=s, problem="bad", remedy=f"set {s}") for s in "ab"]
    judge([warning])

    with pytest.raises(Fatal) as refused:
        judge([warning, *errors])
    assert "a: bad; set a" in str(refused.value)
    assert "b: bad; set b" in str(refused.value)


def test_the_command_makes_and_checks_the_topics_of_the_settings(
    kafka: str, tmp_path: Path
) -> None:
    """Without topics it fails and says how to make them; --create makes them; then all is well."""
    chains = [f"eip155:{secrets.randbelow(10**9)}" for _ in range(2)]
    config = config_on(tmp_path, {"servers": kafka.split(",")}, chains)
    run = CliRunner()
    try:
        missing = run.invoke(root, ["topics", "--config", str(config)])
        made = run.invoke(root, ["topics", "--create", "--config", str(config)])
        checked = run.invoke(root, ["topics", "--config", str(config)])
    finally:
        _delete(config)

    assert missing.exit_code == 1
    assert "relayer topics --create" in missing.output
    assert made.exit_code == checked.exit_code == 0
    assert f"made bridge.inbox.{chains[0].replace(':', '-')}" in made.output
    assert "10 topics are as they must be" in checked.output


def _delete(config: Path) -> None:
    settings = load(config)
    asyncio.run(delete(cluster_of(settings), Catalog(topics_of(settings))))
