"""What each service does on the bus, and therefore needs to be allowed there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayer.app.services import Service
from relayer.app.topics import LISTENER, RELAYER
from relayer.domain.records import CONTROL, SIGNING_REQUESTS, SUPPLY, TRANSFERS_TOPIC, inbox, state
from relayer.ports.bus import Rights
from relayer.settings import Settings

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
