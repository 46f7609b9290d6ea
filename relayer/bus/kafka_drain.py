"""What stands in the topics of lanes, seen by whoever is about to make them anew."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import GroupCoordinatorNotAvailableError

from relayer.bus.catalog import Catalog
from relayer.bus.kafka_client import REQUEST, TROUBLE, begin, end
from relayer.bus.kafka_partition import KafkaPartition
from relayer.domain.errors import Transient
from relayer.ports.bus import Record, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka.admin import AIOKafkaAdminClient

    from relayer.bus.kafka_client import Cluster

LAST: Final = 1.0
"""Seconds without a record after which an inbox is taken to be at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane as it stands: its number of how many, its state, what it has not taken."""

    number: int
    lanes: int
    kept: Mapping[str, bytes]
    waiting: Sequence[bytes]


@asynccontextmanager
async def _admin(cluster: Cluster, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = cluster.admin()
    try:
        await begin(admin)
        yield admin
    except TROUBLE as error:
        raise Transient(f"{what}: {type(error).__name__}: {error}") from error
    finally:
        await end(admin.close(), "admin")


async def owners(cluster: Cluster, states: Sequence[str]) -> dict[str, int]:
    """How many processes take part in owning each of these states, if any do. Raises `Transient`.

    Each is asked for alone: aiokafka cannot read an answer about two (0.14 takes the third version
    of it for the second).
    """
    async with _admin(cluster, "the members of groups cannot be seen") as admin:
        counts = {state: await _members(admin, f"relayer.{state}") for state in states}
    return {state: count for state, count in counts.items() if count}


async def _members(admin: AIOKafkaAdminClient, group: str) -> int:
    async with asyncio.timeout(REQUEST):
        while True:
            try:
                answers = await admin.describe_consumer_groups([group])
            except GroupCoordinatorNotAvailableError:
                # A cluster that has seen no group yet makes its topic for them when it is asked.
                await asyncio.sleep(0.1)
            else:
                members: Sequence[Any] = answers[0].groups[0][5]
                return len(members)


async def lanes_of(cluster: Cluster, inbox: str, state: str) -> list[Lane]:
    """Every lane of these topics as they are now. Owners there may still be are fenced by it.

    Raises `Transient` when it cannot be read.
    """
    counts = await _partitions(cluster, [inbox, state])
    lanes = counts.get(state, 0)
    from_inbox = inbox if counts.get(inbox) == lanes else None
    catalog = Catalog(
        [
            Topic(name=inbox, partitions=max(lanes, 1), retention=None, compacted=False),
            Topic(name=state, partitions=max(lanes, 1), retention=None, compacted=True),
        ]
    )
    partitions = [
        KafkaPartition(cluster, catalog, from_inbox, state, number) for number in range(lanes)
    ]
    async with asyncio.TaskGroup() as group:
        read = [group.create_task(_lane(partition, lanes)) for partition in partitions]
    return [task.result() for task in read]


async def _partitions(cluster: Cluster, names: list[str]) -> dict[str, int]:
    async with _admin(cluster, "the topics cannot be seen") as admin:
        found = await admin.describe_topics(names)
    return {one["topic"]: len(one["partitions"]) for one in found if not one["error_code"]}


async def _lane(partition: KafkaPartition, lanes: int) -> Lane:
    try:
        kept = await partition.restore()
        waiting: list[Record] = []
        while records := await partition.take(1_000, LAST, asyncio.Event()):
            waiting += records
    finally:
        await partition.close()
    return Lane(
        number=partition.number,
        lanes=lanes,
        kept=kept,
        waiting=[record.value or b"" for record in waiting],
    )
