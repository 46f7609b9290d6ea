"""The topics on Kafka: made as they must be, and judged as they are.

A topic that would lose records is an error with the setting to change, so that nobody finds out
on the day it matters.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from relayer.bus.kafka_client import REQUEST, TROUBLE, end
from relayer.domain.errors import Transient
from relayer.ports.bus import MAX_BYTES, Finding, Level

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from relayer.bus.catalog import Catalog
    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Topic

ROOM: Final = 1_048_588
"""The least that a topic must let one batch measure, in bytes: Kafka's default, and our largest
record with what Kafka adds to it."""

EXISTS: Final = 36
"""Kafka's code for a topic that is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One setting of a topic: what it is made with, and what is said where it is otherwise."""

    name: str
    value: str
    level: Level
    harm: str

    def granted(self, value: str) -> bool:
        """Say whether a value will do as well."""
        if self.name in {"retention.ms", "max.message.bytes", "min.insync.replicas"}:
            return _at_least(value, self.value)
        return value == self.value


def _at_least(value: str, wanted: str) -> bool:
    """Compare numbers of which -1 means no limit."""
    if wanted == "-1" or value == "-1":
        return value == "-1"
    return int(value) >= int(wanted)


def wishes(cluster: Cluster, topic: Topic) -> list[Wish]:
    """Return the settings that a topic must have, in the order in which they are told."""
    kept = "-1" if topic.retention is None else str(int(topic.retention.total_seconds() * 1000))
    error, warning = Level.ERROR, Level.WARNING
    lists = [
        Wish(
            name="cleanup.policy",
            value="compact" if topic.compacted else "delete",
            level=error,
            harm="the last value of a key must stay for ever"
            if topic.compacted
            else "no record may be dropped for a later one of its key",
        ),
        Wish(
            name="min.insync.replicas",
            value=str(cluster.min_insync),
            level=error,
            harm="what one broker alone has acknowledged is lost with it",
        ),
        Wish(
            name="unclean.leader.election.enable",
            value="false",
            level=error,
            harm="a broker that lacks records may become their leader",
        ),
        Wish(
            name="max.message.bytes",
            value=str(ROOM),
            level=error,
            harm=f"records of up to {MAX_BYTES} bytes would be refused",
        ),
        Wish(
            name="message.timestamp.type",
            value="LogAppendTime",
            level=warning,
            harm="whoever writes chooses the time of a record, and with it when it expires",
        ),
        Wish(
            name="compression.type",
            value="uncompressed",
            level=warning,
            harm="a batch compressed in a way that readers do not know stops them",
        ),
    ]
    if not topic.compacted:
        lists[1:1] = [
            Wish(
                name="retention.ms",
                value=kept,
                level=error,
                harm="records would go before they were needed for the last time",
            ),
            Wish(
                name="retention.bytes",
                value="-1",
                level=error,
                harm="a flood of records would push out those not read yet",
            ),
        ]
    return lists


def settings_of(cluster: Cluster, topic: Topic) -> dict[str, str]:
    """Return the settings that a topic is made with, those for speed included."""
    known = {wish.name: wish.value for wish in wishes(cluster, topic)}
    if topic.compacted:
        # What is not compacted yet is read at every take-over.
        known |= {"segment.bytes": str(64 * 2**20), "min.cleanable.dirty.ratio": "0.1"}
    return known


async def create(cluster: Cluster, catalog: Catalog) -> list[str]:
    """Make the topics that are missing and return their names, once all can be used.

    Raises `Transient`.
    """
    made = [
        NewTopic(
            name=topic.name,
            num_partitions=topic.partitions,
            replication_factor=cluster.replication,
            topic_configs=settings_of(cluster, topic),
        )
        for topic in catalog
    ]
    try:
        async with _admin(cluster) as admin:
            names = _made((await admin.create_topics(made)).topic_errors)
            async with asyncio.timeout(REQUEST):
                while not await _usable(admin, names):
                    await asyncio.sleep(0.02)
    except TROUBLE as error:
        msg = f"the topics were not made: {type(error).__name__}: {error}"
        raise Transient(msg) from error
    return names


async def present(cluster: Cluster, catalog: Catalog) -> list[str]:
    """Return which of the topics are there already. Raises `Transient`."""
    try:
        async with _admin(cluster) as admin:
            found = await admin.describe_topics([topic.name for topic in catalog])
    except TROUBLE as error:
        msg = f"the topics cannot be seen: {type(error).__name__}: {error}"
        raise Transient(msg) from error
    return [topic["topic"] for topic in found if not topic["error_code"]]


async def delete(cluster: Cluster, catalog: Catalog) -> None:
    """Delete the topics with all that is in them, and wait until they are gone.

    Raises `Transient`.
    """
    names = [topic.name for topic in catalog]
    try:
        async with _admin(cluster) as admin, asyncio.timeout(REQUEST):
            await admin.delete_topics(names)
            while any(not topic["error_code"] for topic in await admin.describe_topics(names)):
                await asyncio.sleep(0.02)
    except TROUBLE as error:
        msg = f"the topics were not deleted: {type(error).__name__}: {error}"
        raise Transient(msg) from error


def _made(answers: list[tuple[str, int, str | None]]) -> list[str]:
    """Return which topics are new; raise for one that was refused."""
    for name, code, detail in answers:
        if code not in {0, EXISTS}:
            msg = f"topic {name} was not made: {detail or for_code(code).__name__}"
            raise Transient(msg)
    return [name for name, code, _ in answers if code == 0]


async def _usable(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    """Say whether the brokers have heard of the topics and every partition has a leader."""
    return all(
        not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"])
        for topic in (await admin.describe_topics(names) if names else ())
    )


async def examine(cluster: Cluster, catalog: Catalog) -> list[Finding]:
    """Return what is wrong with the topics as they are. Raises what aiokafka raises."""
    names = [topic.name for topic in catalog]
    async with _admin(cluster) as admin:
        found = {one["topic"]: one for one in await admin.describe_topics(names)}
        present = [name for name in names if not found[name]["error_code"]]
        settings = await _settings(admin, present) if present else {}
    findings: list[Finding] = []
    for topic in catalog:
        findings += _shape(cluster, topic, found[topic.name])
        if topic.name in settings:
            findings += _values(cluster, topic, settings[topic.name])
    return findings


@contextlib.asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = cluster.admin()
    try:
        await admin.start()
        yield admin
    finally:
        await end(admin.close(), "admin")


async def _settings(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings = {}
    for answer in await admin.describe_configs(asked):
        for resource in answer.to_object()["resources"]:
            if resource["error_code"]:
                raise for_code(resource["error_code"])(resource["resource_name"])
            settings[resource["resource_name"]] = {
                entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]
            }
    return settings


def _shape(cluster: Cluster, topic: Topic, found: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge whether the topic is there, its partitions, and its replicas."""
    if found["error_code"]:
        problem = KafkaError if found["error_code"] == -1 else for_code(found["error_code"])
        yield _error(
            topic, f"it cannot be used: {problem.__name__}", "make it: relayer topics --create"
        )
        return
    count = len(found["partitions"])
    if count != topic.partitions:
        yield _error(
            topic,
            f"it has {count} partitions, {topic.partitions} are configured",
            "to change the number of lanes: relayer topics --remake CHAIN (docs/kafka.md, How many)",
        )
    least = min(len(partition["replicas"]) for partition in found["partitions"])
    if least < cluster.replication:
        yield _error(
            topic,
            f"a partition has {least} replicas, not {cluster.replication}: it is lost with them",
            f"raise its replication factor to {cluster.replication} (kafka-reassign-partitions)",
        )


def _values(cluster: Cluster, topic: Topic, found: Mapping[str, str]) -> Iterator[Finding]:
    for wish in wishes(cluster, topic):
        value = found.get(wish.name)
        if value is not None and not wish.granted(value):
            yield Finding(
                level=wish.level,
                subject=topic.name,
                problem=f"{wish.name} is {value}: {wish.harm}",
                remedy=f"set {wish.name}={wish.value} on the topic (kafka-configs --alter)",
            )


def _error(topic: Topic, problem: str, remedy: str) -> Finding:
    return Finding(level=Level.ERROR, subject=topic.name, problem=problem, remedy=remedy)
