"""The least rights of each service on Kafka, as commands for `kafka-acls`.

One principal per service: a stolen credential of one cannot do what another does. What each could
do at worst is said in docs/security.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from relayer.app.rights import rights_of
from relayer.app.services import Service
from relayer.app.topics import topics_of
from relayer.ports.bus import Rights
from relayer.settings import Settings

ADMINISTRATOR: Final = "administrator.properties"
"""Where the commands look for the credentials of whoever may give rights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """Operations that are allowed on some resources of one kind."""

    operations: tuple[str, ...]
    kind: str
    names: Iterable[str]
    prefixed: bool = False

    def words(self) -> str:
        """Return it as arguments of `kafka-acls`."""
        words = [f"--operation {operation}" for operation in self.operations]
        words += [f"--{self.kind} {name}" for name in sorted(self.names)]
        return " ".join([*words, *(["--resource-pattern-type prefixed"] if self.prefixed else [])])


def commands(settings: Settings) -> list[str]:
    """Return what gives each service its rights; principals are named after the services."""
    server = settings.bus.servers[0] if settings.bus.servers else "HOST:PORT"
    begin = f"kafka-acls --bootstrap-server {server} --command-config {ADMINISTRATOR} --add"
    everything = [topic.name for topic in topics_of(settings)]
    lines = []
    for service in Service:
        to = f"{begin} --allow-principal User:{service}"
        grants = _grants(rights_of(settings, [service]), everything)
        lines += [f"# {service}", *(f"{to} {grant.words()}" for grant in grants)]
    return lines


def _grants(rights: Rights, everything: Iterable[str]) -> Iterator[_Grant]:
    """Tell what a service is granted: to look at all topics, and to use those it needs."""
    yield _Grant(operations=("Describe", "DescribeConfigs"), kind="topic", names=everything)
    yield _Grant(operations=("Read",), kind="topic", names=rights.reads | rights.owns)
    yield _Grant(operations=("Write",), kind="topic", names=rights.writes | rights.owns)
    if rights.owns:
        groups = [f"relayer.{name}" for name in rights.owns]
        yield _Grant(operations=("Read",), kind="group", names=groups)
        fences = [f"{name}." for name in rights.owns]
        yield _Grant(operations=("Write",), kind="transactional-id", names=fences, prefixed=True)
