"""The least rights of each service on Kafka, as commands for `kafka-acls`.

One principal per service: a stolen credential of one cannot do what another does. What each could
do at worst is said in docs/kafka.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from relayer.app.run import Service
from relayer.app.topics import LISTENER, RELAYER, topics_of
from relayer.domain.records import CONTROL, SIGNING_REQUESTS, SUPPLY, TRANSFERS_TOPIC, inbox, state
from relayer.ports.bus import Rights
from relayer.settings import Settings

ADMINISTRATOR: Final = "administrator.properties"
"""Where the commands look for the credentials of whoever may give rights."""

_GATE: Final = (CONTROL, SUPPLY)
"""What the gate of a process follows, whichever services it runs."""


def rights_of(settings: Settings, services: Iterable[Service]) -> Rights:
    """Return what a process with these services needs on the bus, and no more."""
    each = [_rights_of(settings, service) for service in services]
    return Rights(
        reads=frozenset().union(*(rights.reads for rights in each)),
        writes=frozenset().union(*(rights.writes for rights in each)),
        owns=frozenset().union(*(rights.owns for rights in each)),
    )


def _rights_of(settings: Settings, service: Service) -> Rights:
    """Return what one service needs.

    Every process takes halts and signed commands over HTTP and passes them on, so every one
    writes to control and to the inboxes; both are judged by their signatures where they are read.
    """
    inboxes = tuple(inbox(chain.id) for chain in settings.chains)
    passed_on = (CONTROL, *inboxes)
    match service:
        case Service.LISTENER:
            return _rights(_GATE, passed_on, (state(LISTENER, c.id) for c in settings.chains))
        case Service.RELAYER:
            writes = (*passed_on, SIGNING_REQUESTS, TRANSFERS_TOPIC)
            owns = (state(RELAYER, chain.id) for chain in settings.chains)
            return _rights((*_GATE, *inboxes), writes, owns)
        case Service.ATTESTER:
            return _rights((*_GATE, SIGNING_REQUESTS), passed_on)
        case Service.MONITOR:
            return _rights(_GATE, (*passed_on, SUPPLY))
        case Service.TRACKER:
            return _rights((*_GATE, TRANSFERS_TOPIC), passed_on)


def _rights(reads: Iterable[str], writes: Iterable[str], owns: Iterable[str] = ()) -> Rights:
    return Rights(reads=frozenset(reads), writes=frozenset(writes), owns=frozenset(owns))


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
