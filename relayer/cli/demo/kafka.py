"""A demo over Kafka: a broker of its own or a given one, and the topics of the demo alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete, present
from relayer.cli.demo.fleet import Fleet, Member
from relayer.cli.demo.users import USERS, administered, give_rights
from relayer.domain.errors import Fatal
from relayer.process_settings import BusSettings
from relayer.settings import Settings

if TYPE_CHECKING:
    from relayer.devnet.kafka.broker import LocalKafka
    from relayer.devnet.kafka.secured import Guard

OWN_SESSION: Final = 2.0
"""Seconds of a session on a broker of our own, which allows less than others do."""


BROKERS: Final = 3
"""Brokers of the cluster under chaos: one may be lost, two acknowledge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """A bus, and the brokers under it where they are ours to kill."""

    bus: BusSettings
    brokers: LocalKafka | None = None
    guard: Guard | None = None
    """Who may do what there, where it asks."""


def bus_on(servers: str, session: float, brokers: int = 1) -> BusSettings:
    """Return the settings of a bus on a Kafka of so many brokers, or more."""
    return BusSettings(
        kind="kafka",
        servers=tuple(servers.split(",")),
        replication=min(3, brokers),
        min_insync=min(2, brokers),
        session_seconds=session,
    )


@contextlib.contextmanager
def broker(address: str | None, *, chaos: bool = False, secured: bool = False) -> Iterator[Kafka]:
    """Yield the bus at the address given, or on brokers that live as long as this does.

    For chaos those are three, with the session that a cluster allows; secured, they have users with
    passwords and rights. Raises `KafkaMissing` in one line when there is none and none can be
    started.
    """
    usual = BusSettings().session_seconds
    if address is not None:
        yield Kafka(bus=bus_on(address, usual))
        return
    from relayer.devnet.kafka.broker import LocalKafka

    count, session = (BROKERS, usual) if chaos else (1, OWN_SESSION)
    with LocalKafka(brokers=count, users=USERS if secured else ()) as brokers:
        bus = bus_on(brokers.servers, session, count)
        yield Kafka(bus=bus, brokers=brokers, guard=brokers.guard if secured else None)


@contextlib.asynccontextmanager
async def fleet(
    settings: Settings,
    bus: BusSettings,
    crew: Sequence[Member] = (),
    guard: Guard | None = None,
) -> AsyncIterator[Fleet]:
    """Make the topics, yield processes that are not started yet, and delete the topics again.

    The processes are those of ``crew``, by default all of `crew_of`. With a guard each is the user
    of its service, which is given its rights; topics are the administrator's.
    Raises `Fatal` where such topics are already: those of a bridge that somebody runs.
    """
    ours = administered(bus, guard, settings.base) if guard else bus
    cluster = cluster_of(settings.model_copy(update={"bus": ours}))
    catalog = Catalog(topics_of(settings))
    if there := await present(cluster, catalog):
        msg = f"this Kafka has topics of a bridge already, such as {there[0]}: the demo leaves it"
        raise Fatal(msg)
    await create(cluster, catalog)
    try:
        if guard is not None:
            await give_rights(settings, ours)
        yield Fleet(settings, ours, crew, secured=guard is not None)
    finally:
        await delete(cluster, catalog)
