"""Cutting off the past of a topic that is kept for ever, once what counts of it stands at its end.

In four steps, and whoever dies after any of them has lost nothing:

1. **Fence.** The trimmer's transactional producer has one name for each topic: an older trimmer, which may
   still think of its own past, can write nothing from here on.
2. **Read** all up to the end that the topic has now.
3. **Write** again what counts of it, behind that end, in one transaction.
4. **Cut** off what was read: only what is behind it was not seen, and all of that stays.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from relayer.bus.kafka_client import TROUBLE, begin, end, end_producer, place, record_of, transact
from relayer.bus.kafka_rights import denial
from relayer.bus.kafka_topics import cut
from relayer.domain.errors import Transient
from relayer.ports.bus import RESERVED, Out

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Record

STUCK: Final = 30.0
"""Seconds without a record, or for the copies, after which trimming is given up."""


class KafkaTrim:
    """One trimming of a topic of one partition; made by `trimming`, which fences older ones."""

    def __init__(self, cluster: Cluster, topic: str, producer: AIOKafkaProducer) -> None:
        """Stand behind the fence."""
        self.end = 0
        """The offset before which all was read."""
        self._cluster, self._topic, self._producer = cluster, topic, producer

    async def past(self) -> AsyncGenerator[Record, None]:
        """Every record that stands in the topic now, oldest first, as its followers see them."""
        here, consumer = place(self._topic, 0), self._cluster.reader(at_once=True)
        try:
            await begin(consumer)
            oldest = (await consumer.beginning_offsets([here]))[here]
            self.end = (await consumer.end_offsets([here]))[here]
            consumer.assign([here])
            consumer.seek(here, oldest)
            while await consumer.position(here) < self.end:
                for record in await self._some(consumer):
                    yield record
        finally:
            await end(consumer.stop(), "trimmer")

    async def _some(self, consumer: AIOKafkaConsumer) -> Iterator[Record]:
        """The next records before the end, or none where only offsets without records have passed."""
        here = place(self._topic, 0)
        before = await consumer.position(here)
        async with asyncio.timeout(STUCK):
            while not (batches := await consumer.getmany(timeout_ms=100, max_records=1_000)):
                if await consumer.position(here) > before:
                    break
        found = (record_of(message) for message in batches.get(here, ()))
        return (r for r in found if r.offset < self.end and not r.key.startswith(RESERVED))

    async def replace(self, texts: Sequence[bytes]) -> None:
        """Write what counts of the past once more, then cut the past off."""
        copies = [Out(topic=self._topic, partition=0, key="", value=text) for text in texts]
        async with asyncio.timeout(STUCK):
            await transact(self._producer, copies)
        await cut(self._cluster, self._topic, self.end)


@asynccontextmanager
async def trimming(cluster: Cluster, topic: str) -> AsyncIterator[KafkaTrim]:
    """Fence older trimmers of a topic, and be the one.

    Raises `Transient` from any step: nothing has been lost then, and it may be done again.
    """
    producer = cluster.owner(f"{topic}.trim")
    try:
        async with asyncio.timeout(STUCK):
            await begin(producer)
        yield KafkaTrim(cluster, topic, producer)
    except TROUBLE as error:
        msg = f"{topic} was not trimmed: {denial(cluster, error, topic, 'Write')}"
        raise Transient(msg) from error
    finally:
        await end_producer(producer, "trimmer")
