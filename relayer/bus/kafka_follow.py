"""Reading a topic of Kafka without owning it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka.errors import OffsetOutOfRangeError

from relayer.bus.kafka_client import TROUBLE, begin, end, place, record_of
from relayer.bus.kafka_rights import denial
from relayer.ports.bus import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Self

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Record, Topic

CHUNK: Final = 500
"""The most records held in memory that the reader has not asked for yet."""

AGAIN: Final = 1.0
"""Seconds after which reading is tried again when the cluster could not be read."""

SILENT: Final = 10.0
"""Seconds without a record after which the cluster is asked whether it is there. aiokafka waits for one
that is gone as it waits for records, and tells nobody."""

_log = structlog.get_logger("relayer.bus")


class KafkaFollower:
    """See `relayer.ports.bus.Follower`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: Topic,
        since: timedelta | None,
        forget: Callable[[KafkaFollower], None],
    ) -> None:
        """Begin at the first `__anext__`; `forget` is told when this is closed."""
        self.caught_up = asyncio.Event()
        self._cluster, self._topic, self._since = cluster, topic.name, since
        self._at_once = topic.at_once
        self._places = [place(topic.name, number) for number in range(topic.partitions)]
        self._forget = forget
        self._consumer: AIOKafkaConsumer | None = None
        self._read: deque[Record] = deque()
        self._next: dict[TopicPartition, int] = {}
        self._behind: dict[TopicPartition, int] | None = None
        self._heard = 0.0
        """When the cluster was last known to answer, by the loop's clock."""
        self._step: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Record:
        """Wait for the next record."""
        while not self._read and not self._closed.is_set():
            self._step = self._step or asyncio.create_task(self._fill())
            closed = asyncio.ensure_future(self._closed.wait())
            try:
                await asyncio.wait([self._step, closed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                closed.cancel()
            self._collect()
        if self._closed.is_set():
            raise StopAsyncIteration
        return self._read.popleft()

    def _collect(self) -> None:
        step = self._step
        if step is not None and step.done():  # None: closed meanwhile
            self._step = None
            if not step.cancelled():
                step.result()

    async def aclose(self) -> None:
        """Stop; whoever waits in `__anext__` gets the end."""
        self._closed.set()
        step, self._step = self._step, None
        if step is not None:
            step.cancel()
            await asyncio.wait([step])
        await self._leave()
        self._forget(self)

    async def _fill(self) -> None:
        """Read once; trouble with the cluster is waited out, it never ends the following."""
        try:
            consumer = self._consumer or await self._begin()
            if self._behind is None:
                self._behind = await consumer.end_offsets(self._places)
            await self._mark_progress(consumer)
            # The end of a transaction is an offset too, but no record that would wake us.
            patience = 1_000 if self.caught_up.is_set() else 10
            batches = await consumer.getmany(timeout_ms=patience, max_records=CHUNK)
            await self._be_sure(consumer, heard=bool(batches))
        except OffsetOutOfRangeError as error:
            await self._skip_what_expired(error)
        except TROUBLE as error:
            said = denial(self._cluster, error, self._topic, "Read")
            _log.warning("bus.follow_interrupted", topic=self._topic, error=said)
            await self._leave()
            await asyncio.sleep(AGAIN)
        else:
            for messages in batches.values():
                self._read.extend(
                    record
                    for record in map(record_of, messages)
                    if not record.key.startswith(RESERVED)
                )

    async def _be_sure(self, consumer: AIOKafkaConsumer, *, heard: bool) -> None:
        """After a silence let the cluster answer something; one of `TROUBLE` where it does not."""
        now = asyncio.get_running_loop().time()
        if not heard and now - self._heard <= SILENT:
            return
        if not heard:
            await consumer.end_offsets(self._places)
        self._heard = now

    async def _begin(self) -> AIOKafkaConsumer:
        """Start a reader: at the beginning, or where an interrupted one has stopped."""
        self._consumer = consumer = self._cluster.reader(at_once=self._at_once)
        await begin(consumer)
        consumer.assign(self._places)
        starts = self._next or await self._starts(consumer)
        for where in self._places:
            consumer.seek(where, starts[where])
        self._next = starts
        return consumer

    async def _starts(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        oldest: dict[TopicPartition, int] = await consumer.beginning_offsets(self._places)
        if self._since is None:
            return oldest
        moment = int((time.time() - self._since.total_seconds()) * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(self._places, moment))
        ends = await consumer.end_offsets(self._places)
        return {
            where: found[where].offset if found.get(where) else ends[where]
            for where in self._places
        }

    async def _mark_progress(self, consumer: AIOKafkaConsumer) -> None:
        """Note how far the reader has come; it is back for more, so all before is handled."""
        for where in self._places:
            self._next[where] = await consumer.position(where)
        if not self.caught_up.is_set() and self._behind is not None:
            for where, last in list(self._behind.items()):
                if self._next[where] >= last:
                    del self._behind[where]
            if not self._behind:
                self.caught_up.set()

    async def _skip_what_expired(self, error: OffsetOutOfRangeError) -> None:
        """Go on with the oldest record kept where the next one has gone.

        What stands in for the records that went may come behind what was the end when we began
        (`relayer.bus.kafka_trim`): there is more to catch up with.
        """
        assert self._consumer is not None  # noqa: S101
        lost = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        for where, position in lost.items():
            _log.warning(
                "bus.records_expired_unread",
                topic=self._topic,
                partition=where.partition,
                position=position,
            )
        self._behind = None
        with contextlib.suppress(*TROUBLE):
            await self._consumer.seek_to_beginning(*(lost or self._places))

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await end(consumer.stop(), "follower")
