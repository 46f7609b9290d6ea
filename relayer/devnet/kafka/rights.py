"""Gives rights on a cluster as `kafka-acls` does, from the same command lines, in one moment.

The tool itself starts a Java for each line, a second and a half every time.
"""

from __future__ import annotations

import asyncio
import shlex
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from relayer.bus.kafka_client import Cluster

_KINDS: Final = {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
_PATTERNS: Final = {"literal": 3, "prefixed": 4}
_OPERATIONS: Final = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
}
_ANY, _ALLOW = 1, 3

Right = tuple[int, str, int, str, str, int, int]
"""Kind and name of a resource, how the name is meant, who, from where, operation, permission."""


class NotGranted(RuntimeError):
    """The cluster did not take a right; the message holds its words."""


class _Creation(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # aiokafka: no types
    """All rights in one request; aiokafka's own takes one, and a cluster 30 ms for each."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, rights: Iterable[Right]) -> None:
        self._rights = list(rights)

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rights)


async def grant(cluster: Cluster, commands: Iterable[str]) -> None:
    """Give every right that the commands name, and wait until every broker knows of them.

    Raises `NotGranted`, or what aiokafka raises.
    """
    wanted = set(rights(commands))
    client = AIOKafkaClient(bootstrap_servers=list(cluster.servers), **cluster.access.arguments())
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), _Creation(wanted))
        for code, words in answer.creation_responses:
            if code:
                raise NotGranted(words or for_code(code).__name__)
        for broker in client.cluster.brokers():
            while not wanted <= await _known(client, broker.nodeId):
                await asyncio.sleep(0.01)
    finally:
        await client.close()


async def _known(client: AIOKafkaClient, broker: int) -> set[Right]:
    """Return every right that a broker knows of: it hears of them after they are given."""
    everything = DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY)
    answer = await client.send(broker, everything)
    return {
        (kind, name, pattern, *acl)
        for kind, name, pattern, acls in answer.resources
        for acl in acls
    }


def rights(commands: Iterable[str]) -> Iterator[Right]:
    """Read the command lines, strictly; comments are passed over. Raises SystemExit on others."""
    for line in commands:
        words = shlex.split(line, comments=True)
        if words:
            yield from _rights(_parser().parse_args(words[1:]))


def _rights(told: Namespace) -> Iterator[Right]:
    pattern, who = _PATTERNS[told.resource_pattern_type], told.allow_principal
    for kind, number in _KINDS.items():
        for name in getattr(told, kind):
            for operation in told.operation:
                yield (number, name, pattern, who, "*", _OPERATIONS[operation], _ALLOW)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="kafka-acls", allow_abbrev=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--command-config")
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True, choices=_OPERATIONS)
    parser.add_argument("--resource-pattern-type", default="literal", choices=_PATTERNS)
    parser.add_argument("--cluster", action="store_const", const=["kafka-cluster"], default=[])
    for kind in ("topic", "group", "transactional-id"):
        parser.add_argument(f"--{kind}", action="append", default=[])
    return parser
