"""The bus on Apache Kafka, for many processes: see `relayer.ports.bus` for what it promises.

A consumer group says who owns which partition (`kafka_members`); a transactional producer per
partition makes sure of it and makes commits whole (`kafka_partition`).
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from relayer.bus.catalog import Catalog
from relayer.bus.kafka_client import REQUEST, TROUBLE, begin, end_producer, send
from relayer.bus.kafka_follow import KafkaFollower
from relayer.bus.kafka_members import Tenures
from relayer.bus.kafka_partition import KafkaPartition
from relayer.bus.kafka_refusal import refusal
from relayer.bus.kafka_rights import denial
from relayer.bus.kafka_topics import examine
from relayer.bus.ownership import keep
from relayer.domain.errors import Fatal, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from datetime import timedelta
    from typing import Self

    from aiokafka import AIOKafkaProducer

    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Finding, Out, Partition, Rights, Topic

FIRST_CONTACT: Final = 30.0
"""Seconds for which a cluster that does not answer is tried again when the bus is opened."""

START: Final = 30.0
"""Seconds that one start of a publisher may last."""

FIRST_REFUSAL: Final = 2.0
"""Seconds for which credentials that are refused are tried again: a broker that has just started may
not know its users yet."""

PUBLISH: Final = 3 * REQUEST
"""Seconds after which publishing that is not acknowledged is given up."""


class Unreachable(Transient):
    """The cluster did not answer, or did not let us in."""


class KafkaBus:
    """The bus over a Kafka cluster. Use it as an async context manager."""

    def __init__(
        self, cluster: Cluster, topics: Iterable[Topic], needs: Rights | None = None
    ) -> None:
        """Name cluster, topics, and the rights that `check` looks for; nothing is connected yet."""
        self.cluster, self.catalog, self._needs = cluster, Catalog(topics), needs
        self._publisher: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._followers: set[KafkaFollower] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        """Connect. Raises `Unreachable` (Transient) when the cluster does not answer."""
        began = asyncio.get_running_loop().time()
        while not self._open:
            try:
                self._publisher = await self._start_publisher()
                self._open = True
            except TROUBLE as error:
                refused = await refusal(self.cluster, error)
                patience = FIRST_REFUSAL if refused.final else FIRST_CONTACT
                if asyncio.get_running_loop().time() - began > patience:
                    raise Unreachable(refused.words) from error
                await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End followers, write what is waiting, disconnect."""
        self._open = False
        for follower in list(self._followers):
            await follower.aclose()
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await end_producer(publisher, "publisher")

    async def _start_publisher(self) -> AIOKafkaProducer:
        publisher = self.cluster.publisher()
        try:
            async with asyncio.timeout(START):
                await begin(publisher)
        except BaseException:
            await end_producer(publisher, "publisher")
            raise
        return publisher

    # ------------------------------------------------------------------ the port

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `Undeclared`."""
        return self.catalog.topic(topic).partitions

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        """Run `body` on the partitions that are ours, see `relayer.ports.bus.Bus.serve`."""
        count = self.catalog.served(inbox, state)

        async def tenure(number: int) -> None:
            await keep(partial(self.own, inbox, state, number), body)

        await Tenures(self.cluster, state, count, tenure).run()

    @contextlib.asynccontextmanager
    async def own(self, inbox: str | None, state: str, number: int) -> AsyncIterator[Partition]:
        """Own one partition, whoever else believes to own it: `restore` fences them."""
        partition = KafkaPartition(self.cluster, self.catalog, inbox, state, number)
        try:
            yield partition
        finally:
            await partition.close()

    def follow(self, topic: str, since: timedelta | None) -> KafkaFollower:
        """Read all partitions of the topic, see `relayer.ports.bus.Bus.follow`."""
        declared = self.catalog.topic(topic)
        follower = KafkaFollower(self.cluster, declared, since, self._followers.discard)
        self._followers.add(follower)
        return follower

    async def publish(self, outs: Sequence[Out]) -> None:
        """Append the records, see `relayer.ports.bus.Bus.publish`."""
        self.catalog.admit(outs)
        if not outs:
            return
        publisher = await self._living_publisher()
        try:
            async with asyncio.timeout(PUBLISH):
                await send(publisher, [(out, out.key.encode()) for out in outs])
        except TROUBLE as error:
            said = denial(self.cluster, error, outs[0].topic, "Write")
            msg = f"not known to be published: {said}"
            raise Transient(msg) from error

    async def _living_publisher(self) -> AIOKafkaProducer:
        """Return the publisher, a new one where the old one has died of an error."""
        async with self._renewing:
            publisher = self._publisher
            if publisher is None or not self._open:
                msg = "the bus is not open"
                raise Fatal(msg)
            if publisher._sender.sender_task.done():  # noqa: SLF001 - there is no other way to tell
                await end_producer(publisher, "publisher")
                try:
                    self._publisher = publisher = await self._start_publisher()
                except TROUBLE as error:
                    raise Unreachable((await refusal(self.cluster, error)).words) from error
            return publisher

    async def check(self) -> Sequence[Finding]:
        """Judge topics, brokers and our rights. Raises `Unreachable` when the cluster does not answer.

        A broker that was just lost is waited for, as others take over what it led.
        """
        began = asyncio.get_running_loop().time()
        while True:
            try:
                return await examine(self.cluster, self.catalog, self._needs)
            except KafkaError as error:
                waited = asyncio.get_running_loop().time() - began
                if not error.retriable or waited > FIRST_CONTACT:
                    raise Unreachable((await refusal(self.cluster, error)).words) from error
                await asyncio.sleep(0.5)
