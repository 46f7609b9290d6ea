"""The least rights of each service on Kafka, as commands for `kafka-acls`.

One principal per service: a stolen credential of one cannot do what another does. What each could
do at worst is said in docs/kafka.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from relayer.app.run import Service
from relayer.app.topics import LISTENER, RELAYER, topics_of
from relayer.domain.records import CONTROL, SIGNING_REQUESTS, SUPPLY, TRANSFERS_TOPIC, inbox, state
from relayer.settings import Settings

_GATE: Final = (CONTROL, SUPPLY)
"""What the gate of a process follows, whichever services it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one service does on the bus."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    owns: tuple[str, ...] = field(default=())
    """Its state topics: read and written, with a group and transactions of their own."""


def rights_of(settings: Settings, service: Service) -> Rights:
    """Return what a service needs, and no more.

    Every process takes halts and signed commands over HTTP and passes them on, so every one
    writes to control and to the inboxes; both are judged by their signatures where they are read.
    """
    inboxes = tuple(inbox(chain.id) for chain in settings.chains)
    passed_on = (CONTROL, *inboxes)
    match service:
        case Service.LISTENER:
            owns = tuple(state(LISTENER, chain.id) for chain in settings.chains)
            return Rights(reads=_GATE, writes=passed_on, owns=owns)
        case Service.RELAYER:
            owns = tuple(state(RELAYER, chain.id) for chain in settings.chains)
            writes = (*passed_on, SIGNING_REQUESTS, TRANSFERS_TOPIC)
            return Rights(reads=(*_GATE, *inboxes), writes=writes, owns=owns)
        case Service.ATTESTER:
            return Rights(reads=(*_GATE, SIGNING_REQUESTS), writes=passed_on)
        case Service.MONITOR:
            return Rights(reads=_GATE, writes=(*passed_on, SUPPLY))
        case Service.TRACKER:
            return Rights(reads=(*_GATE, TRANSFERS_TOPIC), writes=passed_on)


def commands(settings: Settings) -> list[str]:
    """Return one command per right; principals are named after the services."""
    lines = []
    for service in Service:
        lines += [f"# {service}", *_commands(settings, service)]
    return lines


def _commands(settings: Settings, service: Service) -> Iterator[str]:
    rights = rights_of(settings, service)
    server = settings.bus.servers[0] if settings.bus.servers else "HOST:PORT"
    add = f"kafka-acls --bootstrap-server {server} --add --allow-principal User:{service}"
    for topic in topics_of(settings):
        yield f"{add} --operation Describe --operation DescribeConfigs --topic {topic.name}"
    for name in sorted({*rights.reads, *rights.owns}):
        yield f"{add} --operation Read --topic {name}"
    for name in sorted({*rights.writes, *rights.owns}):
        yield f"{add} --operation Write --topic {name}"
    for name in rights.owns:
        yield f"{add} --operation Read --group relayer.{name}"
        yield (
            f"{add} --operation Write --operation Describe --transactional-id {name}. "
            "--resource-pattern-type prefixed"
        )
