"""Faults on the way to a real Kafka, and what somebody with a client of their own may write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Literal

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, NotCoordinatorError
from aiokafka.protocol.transaction import EndTxnResponse_v0

from relayer.bus.kafka_client import Cluster, place

Way = Literal["lose request", "lose answer", "hold", "moved"]


class Wire:
    """Every connection of this process to Kafka: requests of one kind can be cut or held up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._send = AIOKafkaConnection.send
        self.met = asyncio.Event()
        """Set when the first request has met the fault."""
        self._kind = ""
        self._way: Way | Literal["through"] = "through"
        self._open = asyncio.Event()
        self._unheard: list[Awaitable[Any]] = []

        def sent(connection: Any, request: Any, **kwargs: Any) -> Awaitable[Any]:
            return self._through(connection, request, **kwargs)

        monkeypatch.setattr(AIOKafkaConnection, "send", sent)

    def fail(self, kind: str, way: Way) -> None:
        """Begin a fault of one kind of request.

        The request gets lost, or its answer does, or it waits until the wire is mended; or the broker says
        that another one coordinates the transaction now.
        """
        self._kind, self._way = kind, way
        self.met.clear()
        self._open.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self._way = "through"
        self._open.set()

    def _through(self, connection: Any, request: Any, **kwargs: Any) -> Awaitable[Any]:
        if type(request).__name__ != self._kind or self._way == "through":
            answer: Awaitable[Any] = self._send(connection, request, **kwargs)
            return answer
        self.met.set()
        if self._way == "hold":
            return self._later(connection, request, **kwargs)
        if self._way == "moved":
            return _moved()
        if self._way == "lose answer":
            self._unheard.append(asyncio.ensure_future(self._send(connection, request, **kwargs)))
        raise KafkaConnectionError(f"{self._kind}: {self._way}")

    async def _later(self, connection: Any, request: Any, **kwargs: Any) -> Any:
        await self._open.wait()
        return await self._send(connection, request, **kwargs)


async def _moved() -> EndTxnResponse_v0:
    return EndTxnResponse_v0(0, NotCoordinatorError.errno)


@contextlib.asynccontextmanager
async def stranger(cluster: Cluster, **settings: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Run a producer of somebody who may write to every topic."""
    producer = AIOKafkaProducer(bootstrap_servers=list(cluster.servers), **settings)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def forget(cluster: Cluster, topic: str, number: int, *, before: int) -> None:
    """Let records expire, as the retention of a topic does."""
    admin = cluster.admin()
    await admin.start()
    try:
        await admin.delete_records({place(topic, number): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()
