"""Clients of a Kafka cluster: made with what every one of them needs, started, and ended in time.

Everything that raises from aiokafka passes `TROUBLE`: besides its own errors it answers misuse
that only a dead connection can cause with AssertionError and the like.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from aiokafka.producer import sender

from relayer.bus.kafka_batches import Batches
from relayer.ports.bus import Record

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from relayer.ports.bus import Out

TROUBLE: Final = (KafkaError, OSError, AssertionError, ValueError, TimeoutError)
"""What a client of Kafka may raise when something is wrong with the cluster or the way there."""

REQUEST: Final = 10.0
"""Seconds until a request that is not answered is given up."""

LAST_WORDS: Final = 2.0
"""Seconds that a client gets to end in good order."""

UNFINISHED: Final = 0.002
"""Seconds until a transaction is begun again while the cluster still finishes the last one.

It answers a commit before it has written the commit's markers, a few milliseconds earlier. The client
waits 20 ms then and has no setting for it; see `benchmarks/README.md` for what that cost.
"""

sender.BACKOFF_OVERRIDE = UNFINISHED
fetcher.MemoryRecords = Batches

_log = structlog.get_logger("relayer.bus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who we are for the cluster; all None: whoever connects is let in, over plain text."""

    tls: ssl.SSLContext | None = None
    """Encrypts; with a certificate loaded it also says who we are (mTLS)."""
    certificate: str | None = None
    """Whom that certificate names, as an operator reads it; the broker makes a user of it."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"

    @property
    def known(self) -> bool:
        """Whether we say who we are."""
        return bool(self.user or self.certificate)

    @property
    def who(self) -> str:
        """Who we are for the cluster's access control."""
        if self.user or not self.certificate:
            return f"User:{self.user or 'ANONYMOUS'}"
        return f"the user of certificate {self.certificate}"

    def arguments(self) -> dict[str, Any]:
        """Return what every client of aiokafka takes."""
        protocol = "SASL_" if self.user else ""
        known: dict[str, Any] = {
            "security_protocol": f"{protocol}{'SSL' if self.tls else 'PLAINTEXT'}",
            "ssl_context": self.tls,
        }
        if self.user:
            known |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Kafka cluster and how it is to keep our topics. Times are in seconds."""

    servers: tuple[str, ...]
    """host:port of some brokers; the others are learned from them."""
    access: Access = field(default_factory=Access)
    replication: int = 3
    min_insync: int = 2
    session: float = 6.0
    """After so long without a heartbeat a process has lost its partitions; a broker's least is 6."""
    transaction: float = 10.0
    """A commit that takes longer is rolled back by the cluster."""
    request: float = REQUEST
    """A request that is not answered is given up after so long."""
    denied: Callable[[str, str], None] = lambda _topic, _operation: None
    """Told of each right that the cluster refuses us: its topic, and Read or Write."""

    def _known(self, least: float = 0.0) -> dict[str, Any]:
        return {
            "bootstrap_servers": list(self.servers),
            "request_timeout_ms": int(max(self.request, least) * 1000),
            "retry_backoff_ms": 50,
            **self.access.arguments(),
        }

    def publisher(self) -> AIOKafkaProducer:
        """Return a producer whose retries make no second record."""
        return AIOKafkaProducer(**self._known(), enable_idempotence=True)

    def owner(self, name: str) -> AIOKafkaProducer:
        """Return the transactional producer of this name; starting it fences all older ones."""
        settings = self._known() | {"retry_backoff_ms": 5}
        timeout = int(self.transaction * 1000)
        return AIOKafkaProducer(
            **settings, transactional_id=name, transaction_timeout_ms=timeout, acks="all"
        )

    def reader(self, *, at_once: bool = False) -> AIOKafkaConsumer:
        """Return a consumer outside of any group, which sees whole transactions, or all at once."""
        return AIOKafkaConsumer(
            **self._known(),
            isolation_level="read_uncommitted" if at_once else "read_committed",
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=500,
        )

    def member(self, group: str) -> AIOKafkaConsumer:
        """Return a consumer that takes part in a group, to learn what it owns; it reads nothing."""
        return AIOKafkaConsumer(
            **self._known(least=2 * self.session),
            group_id=group,
            session_timeout_ms=int(self.session * 1000),
            heartbeat_interval_ms=500,
            auto_offset_reset="latest",
            enable_auto_commit=False,
        )

    def admin(self) -> AIOKafkaAdminClient:
        """Return a client that creates and describes topics."""
        return AIOKafkaAdminClient(**self._known())


@contextlib.asynccontextmanager
async def reading(cluster: Cluster) -> AsyncIterator[AIOKafkaConsumer]:
    """Run a reader; it is ended in any case."""
    consumer = cluster.reader()
    try:
        await begin(consumer)
        yield consumer
    finally:
        await end(consumer.stop(), "reader")


async def begin(client: Any) -> None:
    """Start a client; cancelled meanwhile, it still gets to its end, or it would leave sockets."""
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=LAST_WORDS)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, *TROUBLE):
            await starting
        raise


async def end(stopping: Any, what: str) -> None:
    """Await the end of a client, not for ever; trouble on the way out is no trouble.

    In a task of its own: aiokafka takes a cancellation that meets it here for one of its own, and
    whoever was cancelled would live on.
    """
    ending = asyncio.ensure_future(stopping)
    try:
        await asyncio.wait([ending], timeout=LAST_WORDS)
    except asyncio.CancelledError:
        await asyncio.wait([ending], timeout=LAST_WORDS)
        raise
    finally:
        if not ending.done():
            ending.cancel()
            await asyncio.wait([ending], timeout=LAST_WORDS)
        _ended(ending, what)


def _ended(ending: asyncio.Future[Any], what: str) -> None:
    """Say how a client has ended, and raise what is not trouble of the cluster."""
    if not ending.done() or ending.cancelled():
        _log.info("bus.ended_badly", client=what, error="it takes too long")
    elif (error := ending.exception()) is not None:
        if not isinstance(error, TROUBLE):
            raise error
        _log.info("bus.ended_badly", client=what, error=str(error) or type(error).__name__)


async def end_producer(producer: AIOKafkaProducer, what: str) -> None:
    """End a producer, also one that still tries to write what nobody waits for any more."""
    await end(producer.stop(), what)
    sender = producer._sender.sender_task  # noqa: SLF001 - stop() gives up without ending it
    if sender is not None and not sender.done():
        sender.cancel()
        await end(asyncio.wait([sender]), what)
    await end(producer.client.close(), what)
    _hush(producer)


def _hush(producer: AIOKafkaProducer) -> None:
    """Take note of the errors that a dead producer leaves in places where nobody waits for them.

    Each would be logged as an error of ours when it is collected, at every fencing.
    """
    manager = producer._txn_manager  # noqa: SLF001 - aiokafka shows them nowhere
    left = [manager._transaction_waiter] if manager else []  # noqa: SLF001
    for batches in producer._message_accumulator._batches.values():  # noqa: SLF001
        left += [batch._drain_waiter for batch in batches]  # noqa: SLF001
    for future in left:
        if future is not None and future.done():
            _heard(future)


async def send(producer: AIOKafkaProducer, outs: list[tuple[Out, bytes]]) -> None:
    """Write records (with their keys in bytes) and wait until all are acknowledged.

    Raises one of `TROUBLE` when one is not: then some may be there.
    """
    sent = []
    for out, key in outs:
        future = await producer.send(out.topic, out.value, key=key, partition=out.partition)
        future.add_done_callback(_heard)
        sent.append(future)
    if sent:
        await asyncio.wait(sent)
    for future in sent:
        future.result()


async def transact(producer: AIOKafkaProducer, outs: list[Out]) -> None:
    """Write all in one transaction; raises when it is not known to have been committed."""
    await producer.begin_transaction()
    # All must be acknowledged before the commit: aiokafka would commit what is left of a
    # transaction of which one part was refused.
    await send(producer, [(out, out.key.encode()) for out in outs])
    await producer.commit_transaction()


def _heard(future: asyncio.Future[Any]) -> None:
    """Take note of an error, so that one that nobody asks for is not called forgotten."""
    if not future.cancelled():
        future.exception()


def record_of(message: Any) -> Record:
    """Return a message as the port shows records.

    Anybody may write any bytes as a key; what is no text is shown escaped.
    """
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=(message.key or b"").decode(errors="backslashreplace"),
        value=message.value,
        time=message.timestamp / 1000,
    )


def place(topic: str, number: int) -> TopicPartition:
    """Return a partition as aiokafka names it."""
    return TopicPartition(topic, number)
