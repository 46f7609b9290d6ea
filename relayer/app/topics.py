"""The topics of a deployment, as design section 3 declares them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from relayer.domain.records import (
    CONTROL,
    SIGNING_REQUESTS,
    SUPPLY,
    TRANSFERS_TOPIC,
    inbox,
    state,
)
from relayer.ports.bus import Topic
from relayer.settings import Settings

SHARED: Final = 4
"""Partitions of the topics that no lane owns."""

LISTENER: Final = "listener"
RELAYER: Final = "relayer"


def topics_of(settings: Settings) -> list[Topic]:
    """Every topic the services of these settings use."""
    kept = settings.retention
    topics = [
        _kept(SIGNING_REQUESTS, SHARED, kept.requests_seconds),
        _kept(TRANSFERS_TOPIC, SHARED, kept.transfers_seconds),
        _kept(SUPPLY, 1, kept.supply_seconds),
        Topic(name=CONTROL, partitions=1, retention=None, compacted=False, at_once=True),
    ]
    for chain in settings.chains:
        lanes = max(1, len(chain.payers))
        topics += [
            _kept(inbox(chain.id), lanes, kept.inbox_seconds),
            _compacted(state(RELAYER, chain.id), lanes),
            _compacted(state(LISTENER, chain.id), 1),
        ]
    return topics


def _kept(name: str, partitions: int, seconds: float | None) -> Topic:
    retention = None if seconds is None else timedelta(seconds=seconds)
    return Topic(name=name, partitions=partitions, retention=retention, compacted=False)


def _compacted(name: str, partitions: int) -> Topic:
    return Topic(name=name, partitions=partitions, retention=None, compacted=True)
