"""The topics on Kafka: made as they must be, and judged as they are.

A topic that would lose records is an error with the setting to change, so that nobody finds out
on the day it matters.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)

from relayer.bus.kafka_brokers import judge_brokers
from relayer.bus.kafka_client import REQUEST, TROUBLE, end, place
from relayer.bus.kafka_refusal import refusal
from relayer.bus.kafka_rights import Metadata, excess, hidden, missing, unseen
from relayer.bus.kafka_wishes import judged, settings_of, wishes
from relayer.domain.errors import Transient
from relayer.ports.bus import Finding, Level

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from relayer.bus.catalog import Catalog
    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Rights, Topic

EXISTS: Final = 36
"""Kafka's code for a topic that is there already."""


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
            names = _made(cluster, (await admin.create_topics(made)).topic_errors)
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


async def cut(cluster: Cluster, topic: str, before: int) -> None:
    """Delete the records of a topic's only partition before an offset. Raises `Transient`."""
    try:
        async with _admin(cluster) as admin:
            await admin.delete_records({place(topic, 0): RecordsToDelete(before)})
    except TopicAuthorizationFailedError as error:
        msg = f"{cluster.access.who} may not Delete records of {topic}: an administrator does it"
        raise Transient(msg) from error
    except TROUBLE as error:
        msg = f"the records of {topic} were not deleted: {type(error).__name__}: {error}"
        raise Transient(msg) from error


def _made(cluster: Cluster, answers: list[tuple[str, int, str | None]]) -> list[str]:
    """Return which topics are new; raise for one that was refused."""
    for name, code, detail in answers:
        if code == TopicAuthorizationFailedError.errno:
            msg = f"{cluster.access.who} may not Create topic {name}: an administrator makes it"
            raise Transient(msg)
        if code not in {0, EXISTS}:
            msg = f"topic {name} was not made: {detail or for_code(code).__name__}"
            if code == InvalidReplicationFactorError.errno:
                msg += " Set bus.replication and bus.min_insync to what it has, or add brokers."
            raise Transient(msg)
    return [name for name, code, _ in answers if code == 0]


async def _usable(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    """Say whether the brokers have heard of the topics and every partition has a leader."""
    return all(
        not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"])
        for topic in (await admin.describe_topics(names) if names else ())
    )


async def examine(cluster: Cluster, catalog: Catalog, needs: Rights | None = None) -> list[Finding]:
    """Return what is wrong with topics and brokers as they are, and with our rights to `needs`.

    Raises what aiokafka raises.
    """
    names = [topic.name for topic in catalog]
    async with _admin(cluster) as admin:
        answer = await admin._send_request(Metadata(names))  # noqa: SLF001 - it asks for less
        found = {one["topic"]: one for one in answer.to_object()["topics"]}
        findings = await _judge_topics(cluster, catalog, admin, found)
        findings += await judge_brokers(cluster, admin, [broker[0] for broker in answer.brokers])
        if needs is not None:
            allowed = {n: t["operations"] for n, t in found.items() if not t["error_code"]}
            findings += [*missing(cluster, needs, allowed), *excess(cluster, needs, allowed)]
            findings += [finding async for finding in hidden(cluster, catalog, needs, admin)]
    return findings


async def _judge_topics(
    cluster: Cluster,
    catalog: Catalog,
    admin: AIOKafkaAdminClient,
    found: Mapping[str, Mapping[str, Any]],
) -> list[Finding]:
    present = [name for name, topic in found.items() if not topic["error_code"]]
    settings = await _settings(admin, present) if present else {}
    findings: list[Finding] = []
    for topic in catalog:
        findings += _shape(cluster, topic, found[topic.name])
        if topic.name in present:
            told = settings[topic.name]
            if told is None:
                findings.append(unseen(cluster, topic.name, "DescribeConfigs"))
            else:
                findings += judged(wishes(cluster, topic), topic.name, "topic", told)
    return findings


@contextlib.asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = cluster.admin()
    try:
        try:
            await admin.start()
        except TROUBLE as error:
            raise Transient((await refusal(cluster, error)).words) from error
        yield admin
    finally:
        await end(admin.close(), "admin")


async def _settings(
    admin: AIOKafkaAdminClient, names: list[str]
) -> dict[str, dict[str, str] | None]:
    """Return the settings of each topic; None where we may not look at them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings: dict[str, dict[str, str] | None] = {}
    for answer in await admin.describe_configs(asked):
        for resource in answer.to_object()["resources"]:
            name, code = resource["resource_name"], resource["error_code"]
            if code not in {0, TopicAuthorizationFailedError.errno}:
                raise for_code(code)(name)
            settings[name] = None if code else _told(resource)
    return settings


def _told(resource: Mapping[str, Any]) -> dict[str, str]:
    return {entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]}


def _shape(cluster: Cluster, topic: Topic, found: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge whether the topic is there, its partitions, and its replicas."""
    if found["error_code"] == TopicAuthorizationFailedError.errno:
        yield unseen(cluster, topic.name, "Describe")
        return
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


def _error(topic: Topic, problem: str, remedy: str) -> Finding:
    return Finding(level=Level.ERROR, subject=topic.name, problem=problem, remedy=remedy)
