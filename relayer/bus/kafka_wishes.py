"""What the settings of topics and brokers on Kafka must be, and what goes wrong where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relayer.ports.bus import MAX_BYTES, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from relayer.bus.kafka_client import Cluster
    from relayer.ports.bus import Topic

ROOM: Final = 1_048_588
"""The least that a topic must let one batch measure, in bytes: Kafka's default, and our largest
record with what Kafka adds to it."""

LONGEST: Final = 15_000
"""The most milliseconds that a broker should let a transaction stay open."""


def _same(value: str, wanted: str) -> bool:
    return value == wanted


def _at_least(value: str, wanted: str) -> bool:
    """Compare numbers of which -1 means no limit."""
    if wanted == "-1" or value == "-1":
        return value == "-1"
    return int(value) >= int(wanted)


def _at_most(value: str, wanted: str) -> bool:
    return int(value) <= int(wanted)


def _as_written(value: str, _: str) -> bool:
    """Whether our records, which are written plain, stay so; a broker unpacks others, or does not."""
    return value in {"uncompressed", "producer"}


def _anything(value: str, _: str) -> bool:
    return bool(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One setting: what it is to be, and what is said where it is otherwise."""

    name: str
    value: str
    harm: str
    level: Level = Level.ERROR
    granted: Callable[[str, str], bool] = field(default=_same)
    """Whether a value (the first) will do for the one that is wished (the second)."""


_COMPACTED: Final = Wish(
    name="cleanup.policy", value="compact", harm="the last value of a key must stay for ever"
)
_DELETED: Final = Wish(
    name="cleanup.policy",
    value="delete",
    harm="no record may be dropped for a later one of its key",
)
_UNBOUNDED: Final = Wish(
    name="retention.bytes",
    value="-1",
    granted=_at_least,
    harm="a flood of records would push out those not read yet",
)
_ALWAYS: Final = (
    Wish(
        name="unclean.leader.election.enable",
        value="false",
        harm="a broker that lacks records may become their leader",
    ),
    Wish(
        name="max.message.bytes",
        value=str(ROOM),
        granted=_at_least,
        harm=f"records of up to {MAX_BYTES} bytes would be refused",
    ),
    Wish(
        name="message.timestamp.type",
        value="LogAppendTime",
        level=Level.WARNING,
        harm="whoever writes chooses the time of a record, and with it when it expires",
    ),
    Wish(
        name="compression.type",
        value="uncompressed",
        granted=_as_written,
        harm="readers pass over what is compressed: it may unpack to more than all memory",
    ),
)


def wishes(cluster: Cluster, topic: Topic) -> list[Wish]:
    """Return the settings that a topic must have, in the order in which they are told."""
    kept = [_COMPACTED] if topic.compacted else [_DELETED, _retention(topic), _UNBOUNDED]
    return [*kept, _acknowledged(cluster), *_ALWAYS]


def _retention(topic: Topic) -> Wish:
    kept = "-1" if topic.retention is None else str(int(topic.retention.total_seconds() * 1000))
    return Wish(
        name="retention.ms",
        value=kept,
        granted=_at_least,
        harm="records would go before they were needed for the last time",
    )


def _acknowledged(cluster: Cluster) -> Wish:
    return Wish(
        name="min.insync.replicas",
        value=str(cluster.min_insync),
        granted=_at_least,
        harm="what one broker alone has acknowledged is lost with it",
    )


def settings_of(cluster: Cluster, topic: Topic) -> dict[str, str]:
    """Return the settings that a topic is made with, those for speed included."""
    known = {wish.name: wish.value for wish in wishes(cluster, topic)}
    if topic.compacted:
        # What is not compacted yet is read at every take-over.
        known |= {"segment.bytes": str(64 * 2**20), "min.cleanable.dirty.ratio": "0.1"}
    return known


_BROKERS: Final = (
    Wish(
        name="transaction.max.timeout.ms",
        value=str(LONGEST),
        granted=_at_most,
        level=Level.WARNING,
        harm="whoever may open a transaction on an inbox holds its lane up for so long",
    ),
    Wish(
        name="auto.create.topics.enable",
        value="false",
        level=Level.WARNING,
        harm="a topic that was deleted comes back by itself, with settings that lose records",
    ),
    Wish(
        name="unclean.leader.election.enable",
        value="false",
        level=Level.WARNING,
        harm="what the cluster keeps for itself may go back in time with a leader that lacks it",
    ),
)


def broker_wishes(cluster: Cluster) -> list[Wish]:
    """Return the settings that each broker must have."""
    return [*_BROKERS, *_copies(cluster), *_times(cluster), *_guarded(cluster)]


def _copies(cluster: Cluster) -> Iterator[Wish]:
    """Fences and memberships are in topics of the cluster's own, made when first needed."""
    for name, wanted in {
        "transaction.state.log.replication.factor": cluster.replication,
        "transaction.state.log.min.isr": cluster.min_insync,
        "offsets.topic.replication.factor": cluster.replication,
    }.items():
        yield Wish(
            name=name,
            value=str(wanted),
            granted=_at_least,
            level=Level.WARNING,
            harm="lanes stop when one broker does, and what it alone knew of commits is lost",
        )


def _times(cluster: Cluster) -> Iterator[Wish]:
    transaction, session = int(cluster.transaction * 1000), int(cluster.session * 1000)
    yield Wish(
        name="transaction.max.timeout.ms",
        value=str(transaction),
        granted=_at_least,
        harm="no lane could begin: our transactions may last longer",
    )
    for name, granted in {
        "group.min.session.timeout.ms": _at_most,
        "group.max.session.timeout.ms": _at_least,
    }.items():
        yield Wish(
            name=name,
            value=str(session),
            granted=granted,
            harm="nobody could own a lane: bus.session_seconds is refused",
        )


def _guarded(cluster: Cluster) -> Iterator[Wish]:
    if cluster.access.known:
        yield Wish(
            name="authorizer.class.name",
            value="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            granted=_anything,
            level=Level.WARNING,
            harm="everybody who is let in may do everything",
        )


def judged(
    wanted: Iterable[Wish], subject: str, kind: str, found: Mapping[str, str]
) -> Iterator[Finding]:
    """Compare settings with wishes; what is not told is not judged."""
    for wish in wanted:
        value = found.get(wish.name)
        if value is not None and not wish.granted(value, wish.value):
            yield Finding(
                level=wish.level,
                subject=subject,
                problem=f"{wish.name} is {value or 'empty'}: {wish.harm}",
                remedy=f"set {wish.name}={wish.value} on the {kind} (kafka-configs --alter)"
                if kind == "topic"
                else f"set {wish.name}={wish.value} on every broker",
            )
