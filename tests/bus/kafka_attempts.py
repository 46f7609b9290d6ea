"""What somebody with a client of their own may try on a cluster, one request each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol import admin, fetch, group, produce, transaction
from aiokafka.protocol.api import Request
from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Array, Schema

from relayer.bus.kafka_client import Cluster

DENIED = frozenset({29, 30, 31, 53})
"""Kafka's codes for a topic, a group, the cluster or a transactional id that is not ours."""

TOPIC, BROKER = 2, 4


class Intruder:
    """A connected client; every attempt tells whether the cluster let it through."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def _let(self, request: Request[Any]) -> bool:
        answer = await self._client.send(self._client.get_random_node(), request)
        return not DENIED & set(_codes(answer.SCHEMA, answer))

    async def read(self, topic: str) -> bool:
        return await self._let(fetch.FetchRequest(0, 0, 1_000, 0, [(topic, [(0, 0, 1_000)])]))

    async def write(self, topic: str) -> bool:
        batch = BatchBuilder(1_000, 0, is_transactional=False)
        batch.append(timestamp=None, key=b"k", value=b"v")
        told = [(topic, [(0, bytes(batch._build()))])]
        return await self._let(produce.ProduceRequest(None, -1, 5_000, told))

    async def delete(self, topic: str) -> bool:
        return await self._let(admin.DeleteTopicsRequest([topic], 5_000))

    async def empty(self, topic: str) -> bool:
        return await self._let(admin.DeleteRecordsRequest([(topic, [(0, -1)])], 5_000))

    async def alter(self, topic: str) -> bool:
        change = [(TOPIC, topic, [("retention.ms", "1")])]
        return await self._let(admin.AlterConfigsRequest(change))

    async def widen(self, topic: str) -> bool:
        return await self._let(
            admin.CreatePartitionsRequest([(topic, (99, None))], 5_000, validate_only=False)
        )

    async def create(self, topic: str) -> bool:
        made: list[Any] = [(f"{topic}.twin", 1, 1, [], [])]
        return await self._let(admin.CreateTopicsRequest(made, 5_000, validate_only=False))

    async def fence(self, name: str) -> bool:
        """Begin under a transactional id, which ends whoever used it before."""
        return await self._let(transaction.InitProducerIdRequest(name, 1_000))

    async def join(self, name: str) -> bool:
        """Act as a member of a group (by leaving it, which needs the same right)."""
        return await self._let(group.LeaveGroupRequest(name, "nobody"))

    async def alter_broker(self) -> bool:
        change = [(BROKER, "", [("log.cleaner.threads", "2")])]
        return await self._let(admin.AlterConfigsRequest(change))

    async def give_rights(self, user: str) -> bool:
        return await self._let(admin.CreateAclsRequest(TOPIC, "*", 3, f"User:{user}", "*", 2, 3))


def _codes(schema: Schema, told: Any) -> Iterator[int]:
    """Every error code in an answer, however deep."""
    for place, (name, kind) in enumerate(zip(schema.names, schema.fields, strict=True)):
        value = told.get_item(name) if isinstance(told, Struct) else told[place]
        if name == "error_code":
            yield value
        elif isinstance(kind, Array) and isinstance(kind.array_of, Schema):
            for one in value or ():
                yield from _codes(kind.array_of, one)


@asynccontextmanager
async def intruder(cluster: Cluster) -> AsyncIterator[Intruder]:
    """Connect with these credentials."""
    client = AIOKafkaClient(bootstrap_servers=list(cluster.servers), **cluster.access.arguments())
    await client.bootstrap()
    try:
        yield Intruder(client)
    finally:
        await client.close()
