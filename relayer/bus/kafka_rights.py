"""What the cluster lets us do: asked beforehand, and put in words where it refuses.

A cluster tells of each topic what the one who asks may do with it; of groups and transactions it
tells only whether it shows them. Kafka's names are used: an operator finds them in `kafka-acls`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from relayer.ports.bus import Finding, Level, Rights

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from relayer.bus.catalog import Catalog
    from relayer.bus.kafka_client import Cluster

Operation = Literal["Read", "Write"]

REMEDY: Final = "give the right, as `relayer topics --acls` tells"

_BITS: Final = {
    "Read": 3,
    "Write": 4,
    "Delete": 6,
    "Alter": 7,
    "AlterConfigs": 11,
}
_GROUP, _TRANSACTION = 0, 1


def denial(cluster: Cluster, error: BaseException, topic: str, operation: Operation) -> str:
    """Return an error in words; a missing right by principal, operation and resource.

    Such a right is told to whoever counts them, too. `topic` is what we were at.
    """
    match error:
        case TopicAuthorizationFailedError():
            names = _named(error) or [topic]
            what = f"topic {', '.join(names)}"
        case GroupAuthorizationFailedError():
            operation, names, what = "Read", [topic], f"group relayer.{topic}"
        case TransactionalIdAuthorizationFailed():
            operation, names, what = "Write", [topic], f"transactional id {topic}.*"
        case ClusterAuthorizationFailedError():  # at the start of a publisher
            names, what = [topic], "any topic"
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    for name in names:
        cluster.denied(name, operation)
    return f"{_may_not(cluster, operation)} {what}; {REMEDY}"


def _may_not(cluster: Cluster, operation: str) -> str:
    return f"{cluster.access.who} may not {operation}"


def _named(error: BaseException) -> list[str]:
    """Return the topics that an error names; aiokafka puts one, several, or none into it."""
    told = error.args[0] if error.args else ()
    return [told] if isinstance(told, str) else sorted(map(str, told))


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka: no types
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("operations", Int32),
            ),
        ),
        ("cluster_operations", Int32),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]  # aiokafka: no types
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_operations", Boolean),
        ("include_topic_operations", Boolean),
    )


class Metadata(Request[_MetadataStruct]):  # type: ignore[misc]  # aiokafka: no types
    """Topics with what we may do with each; aiokafka's own is too old to ask for that.

    It makes no topic, either, on brokers that make what is asked for.
    """

    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        """Ask for these topics."""
        self._topics = list(topics)

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        """Return the request as it is sent."""
        return request_struct_class(self._topics, False, False, True)  # noqa: FBT003 - the wire's


def unseen(cluster: Cluster, topic: str, operation: str) -> Finding:
    """Tell of a topic at which we may not even look."""
    return _denied(topic, f"{_may_not(cluster, operation)} it")


def missing(cluster: Cluster, needs: Rights, allowed: Mapping[str, int]) -> Iterator[Finding]:
    """Tell what we need and may not do, by topics and the operations that a cluster told of each."""
    for operation, topics in _needed(needs).items():
        for topic in sorted(topics & set(allowed)):
            if not allowed[topic] >> _BITS[operation] & 1:
                yield _denied(topic, f"{_may_not(cluster, operation)} it")


def excess(cluster: Cluster, needs: Rights, allowed: Mapping[str, int]) -> Iterator[Finding]:
    """Warn of a user who may do more than it needs: so may whoever steals its credentials."""
    needed = _needed(needs)
    more = [
        f"{operation} {topic}"
        for operation, bit in _BITS.items()
        for topic in sorted(set(allowed) - needed.get(operation, frozenset()))
        if allowed[topic] >> bit & 1
    ]
    if more and cluster.access.known:
        yield Finding(
            level=Level.WARNING,
            subject=cluster.access.who,
            problem=f"it may do more than it needs, such as {more[0]} ({len(more)} rights in all)",
            remedy="give each service a user of its own, with what `relayer topics --acls` tells",
        )


def _needed(needs: Rights) -> dict[str, frozenset[str]]:
    return {"Read": needs.reads | needs.owns, "Write": needs.writes | needs.owns}


def _denied(subject: str, problem: str) -> Finding:
    return Finding(level=Level.ERROR, subject=subject, problem=problem, remedy=REMEDY)


async def hidden(
    cluster: Cluster, catalog: Catalog, needs: Rights, admin: AIOKafkaAdminClient
) -> AsyncIterator[Finding]:
    """Tell which groups and transactional ids are not even shown to us."""
    for state in sorted(needs.owns):
        group = f"relayer.{state}"
        if await _code(admin, group, _GROUP) == GroupAuthorizationFailedError.errno:
            yield _denied(f"group {group}", f"{_may_not(cluster, 'Read')} it")
        for number in range(catalog.topic(state).partitions):
            name = f"{state}.{number}"
            found = await _code(admin, name, _TRANSACTION)
            if found == TransactionalIdAuthorizationFailed.errno:
                problem = f"{_may_not(cluster, 'Write')} it"
                yield _denied(f"transactional id {name}", problem)


async def _code(admin: AIOKafkaAdminClient, name: str, kind: int) -> int:
    client = admin._client  # noqa: SLF001 - the admin client asks for groups only
    answer = await client.send(client.get_random_node(), FindCoordinatorRequest(name, kind))
    code: int = answer.error_code
    return code
