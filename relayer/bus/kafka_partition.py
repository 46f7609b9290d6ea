"""One owned partition on Kafka: fence, restore, take, commit; and no other way back than `Lost`.

The fence is a transactional producer with the partition's own name: Kafka refuses whoever started
under that name earlier. The position in the inbox is a record of the state partition, written in
the same transaction as state and outputs; the offsets of a consumer group are not used, because
they can be overwritten by a member that has left the group.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.errors import OffsetOutOfRangeError

from relayer.bus.kafka_client import (
    TROUBLE,
    begin,
    end,
    end_producer,
    place,
    reading,
    record_of,
    transact,
)
from relayer.bus.kafka_rights import denial
from relayer.domain.errors import Transient
from relayer.ports.bus import RESERVED, Lost, Out, unasked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    from relayer.bus.catalog import Catalog
    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Genuine, Record

POSITION: Final = RESERVED
"""Key of the position, in the state partition: where in which inbox taking goes on."""

OWNER: Final = f"{RESERVED}owner"
"""Key of the mark that an owner writes when it takes over, and then looks for."""

GRACE: Final = 2.0
"""Seconds that a commit may last beyond the time after which the cluster rolls it back."""

RESTORE: Final = 30.0
"""Seconds without progress after which restoring is given up."""

PRIME: Final = 2.0
"""The most seconds that restoring waits for the first records of the inbox."""

CHUNK: Final = 1_000
"""Records of state read at a time."""

_log = structlog.get_logger("relayer.bus")


class KafkaPartition:
    """One owned partition, see `relayer.ports.bus.Partition`. Close it when done."""

    def __init__(
        self, cluster: Cluster, catalog: Catalog, inbox: str | None, state: str, number: int
    ) -> None:
        """Stand for a partition that is not restored yet."""
        self._cluster, self._catalog = cluster, catalog
        self._inbox, self._state, self._number = inbox, state, number
        self._producer: AIOKafkaProducer | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._lost: str | None = f"{state}/{number} was not restored by this owner"
        self._position = self._committed = 0
        self._read: deque[Record] = deque()
        self._fetch: asyncio.Task[Any] | None = None
        self._commit: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """The partition's number."""
        return self._number

    # ------------------------------------------------------------------ restoring

    async def restore(self, genuine: Genuine = unasked) -> Mapping[str, bytes]:
        """Fence older owners, then read the state, then find the place in the inbox."""
        kept = _Kept(genuine)
        try:
            await self._load(kept, await self._fence())
            await self._resume(kept.position)
        except TROUBLE as error:
            raise Lost(f"{self._name} cannot be restored: {self._words(error)}") from error
        self._committed, self._lost = self._position, None
        return kept.values

    @property
    def _name(self) -> str:
        return f"{self._state}/{self._number}"

    async def _fence(self) -> bytes:
        """Become the only one whose commits count, and leave a mark behind all older records."""
        self._producer = self._cluster.owner(f"{self._state}.{self._number}")
        async with asyncio.timeout(RESTORE):
            await begin(self._producer)
        mark = secrets.token_bytes(16)
        out = Out(topic=self._state, partition=self._number, key=OWNER, value=mark)
        async with asyncio.timeout(RESTORE):
            await transact(self._producer, [out])
        return mark

    async def _load(self, kept: _Kept, mark: bytes) -> None:
        """Read the state up to our own mark: then all that was committed before it has been seen.

        Reading to the end instead would not do: committed records hide behind a transaction that
        somebody else has left open, and the end that a reader is told lies before them.
        """
        here = place(self._state, self._number)
        async with reading(self._cluster) as consumer:
            consumer.assign([here])
            await consumer.seek_to_beginning(here)
            met = False
            while not met:
                for message in await _some(consumer):
                    key = (message.key or b"").decode(errors="backslashreplace")
                    kept.fold(key, message.value)
                    # Others may write under this key too, and right behind us.
                    met = met or (key == OWNER and message.value == mark)

    async def _resume(self, stored: bytes | None) -> None:
        """Find where taking goes on: at the stored position, or at the oldest record kept."""
        if self._inbox is None:
            return
        # Not the reader of the state: its last wait for more would hold up whatever is asked next.
        self._consumer = consumer = self._cluster.reader()
        await begin(consumer)
        here = place(self._inbox, self._number)
        oldest = (await consumer.beginning_offsets([here]))[here]
        newest = (await consumer.end_offsets([here]))[here]
        self._position = self._within(_decode_position(stored, self._inbox), oldest, newest)
        consumer.assign([here])
        consumer.seek(here, self._position)
        await self._prime(here, newest)

    def _within(self, position: int | None, oldest: int, newest: int) -> int:
        """Return the position if the log has it, else the oldest one: what is missing, is told."""
        if position is not None and oldest <= position <= newest:
            return position
        if position is not None:
            _log.warning(
                "bus.records_expired_unread",
                topic=self._inbox,
                partition=self._number,
                position=position,
                oldest=oldest,
            )
        return oldest

    async def _prime(self, here: TopicPartition, newest: int) -> None:
        """Read what is there already, so that the first take returns at once.

        Not for ever: records of somebody's open transaction may lie between.
        """
        assert self._consumer is not None  # noqa: S101
        until = asyncio.get_running_loop().time() + PRIME
        while not self._read and await self._consumer.position(here) < newest:
            batches = await self._consumer.getmany(timeout_ms=20, max_records=CHUNK)
            self._read.extend(record_of(m) for messages in batches.values() for m in messages)
            if asyncio.get_running_loop().time() > until:
                return

    # ------------------------------------------------------------------ taking

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - a wait for records, not a bound on the call
        """Return the next records, or none after `timeout` seconds or when woken."""
        self._held()
        if self._inbox is None:
            await _first_of(None, wake, timeout)
            return []
        if not self._read:
            self._fetch = self._fetch or asyncio.create_task(self._get())
            await _first_of(self._fetch, wake, timeout)
            if self._fetch.done():
                fetch, self._fetch = self._fetch, None
                self._read.extend(self._fetched(fetch))
        taken = [self._read.popleft() for _ in range(min(limit, len(self._read)))]
        if taken:
            self._position = taken[-1].offset + 1
        return taken

    async def _get(self) -> list[Record]:
        assert self._consumer is not None  # noqa: S101
        while True:
            batches = await self._consumer.getmany(timeout_ms=60_000, max_records=CHUNK)
            if batches:
                return [record_of(m) for messages in batches.values() for m in messages]

    def _fetched(self, fetch: asyncio.Task[list[Record]]) -> list[Record]:
        try:
            return fetch.result()
        except OffsetOutOfRangeError as error:
            raise self._lose(f"the next records of {self._inbox} have expired") from error
        except TROUBLE as error:
            said = denial(self._cluster, error, self._inbox or self._state, "Read")
            raise self._lose(f"{self._inbox} cannot be read: {said}") from error

    # ------------------------------------------------------------------ committing

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        """Write outputs, state and position in one transaction. Raises `Lost` when in doubt."""
        self._held()
        everything = [*outs, *self._catalog.state_outs(self._state, self._number, state)]
        self._catalog.admit(everything)
        if self._inbox is not None:
            position = _encode_position(self._inbox, self._position)
            everything.append(
                Out(topic=self._state, partition=self._number, key=POSITION, value=position)
            )
        taken = self._position
        self._commit = asyncio.create_task(self._write(everything))
        try:
            # Cancelled (on the way out), the commit still gets its end, which close() awaits.
            await asyncio.shield(self._commit)
        except asyncio.CancelledError:
            self._lose("the owner was cancelled within a commit")
            raise
        except TROUBLE as error:
            raise self._lose(f"{self._name} was not committed: {self._words(error)}") from error
        self._committed = taken

    async def behind(self) -> int:
        """Ask the cluster for the end: an owner that hangs has not read it."""
        self._held()
        if self._inbox is None or self._consumer is None:
            return 0
        here = place(self._inbox, self._number)
        try:
            end_of_inbox = (await self._consumer.end_offsets([here]))[here]
        except TROUBLE as error:
            msg = f"the end of {self._inbox} is not known: {type(error).__name__}"
            raise Transient(msg) from error
        # The end that we are told lies before a transaction that somebody has left open. What is
        # behind it is late all the same; whoever takes has heard of it.
        behind: int = max(end_of_inbox, self._consumer.highwater(here) or 0) - self._committed
        return max(0, behind)

    async def _write(self, everything: list[Out]) -> None:
        assert self._producer is not None  # noqa: S101
        async with asyncio.timeout(self._cluster.transaction + GRACE):
            await transact(self._producer, everything)

    def _words(self, error: BaseException) -> str:
        return denial(self._cluster, error, self._state, "Write")

    def _held(self) -> None:
        if self._lost is not None:
            raise Lost(self._lost)

    def _lose(self, why: str) -> Lost:
        self._lost = why
        return Lost(why)

    async def close(self) -> None:
        """Let go: an unfinished commit gets a moment to end, then all connections go."""
        self._lose(f"{self._name} was given back")
        if self._commit is not None and not self._commit.done():
            await end(asyncio.wait([self._commit]), "commit")
        for task in (self._fetch, self._commit):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._consumer is not None:
            await end(self._consumer.stop(), "reader")
        if self._producer is not None:
            await end_producer(self._producer, "owner")


class _Kept:
    """The state as it is read: the last genuine value of each key."""

    def __init__(self, genuine: Genuine) -> None:
        self._genuine = genuine
        self.values: dict[str, bytes] = {}
        self.position: bytes | None = None

    def fold(self, key: str, value: bytes | None) -> None:
        """Take one record; the bus's own ones are none of the owner's."""
        if key == POSITION:
            self.position = value
        elif key.startswith(RESERVED):
            return
        elif value is None:
            self.values.pop(key, None)
        elif self._genuine(key, value):
            self.values[key] = value


async def _some(consumer: AIOKafkaConsumer) -> list[Any]:
    """Return the next records of the state. Raises TimeoutError when none come."""
    until = asyncio.get_running_loop().time() + RESTORE
    while not (batches := await consumer.getmany(timeout_ms=250, max_records=CHUNK)):
        if asyncio.get_running_loop().time() > until:
            msg = "another producer holds a transaction open on the state"
            raise TimeoutError(msg)
    return [message for messages in batches.values() for message in messages]


async def _first_of(task: asyncio.Task[Any] | None, wake: asyncio.Event, seconds: float) -> None:
    """Wait until the task is done, the event is set, or so many seconds have passed."""
    woken = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait(
            [woken, *([task] if task else [])],
            timeout=None if math.isinf(seconds) else max(0, seconds),
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        woken.cancel()


def _encode_position(inbox: str, position: int) -> bytes:
    return json.dumps({"inbox": inbox, "next": position}).encode()


def _decode_position(stored: bytes | None, inbox: str) -> int | None:
    """Return the position in this inbox; None if there is none that can be used."""
    try:
        told = json.loads(stored or b"{}")
        position = told["next"] if told.get("inbox") == inbox else None
    except (ValueError, AttributeError, KeyError, RecursionError):
        _log.warning("bus.position_unreadable", topic=inbox)
        return None
    return position if type(position) is int else None
