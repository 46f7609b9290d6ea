"""A demo over Kafka: a broker of its own or a given one, and the topics of the demo alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete, present
from relayer.cli.demo.fleet import Fleet
from relayer.domain.errors import Fatal
from relayer.process_settings import BusSettings
from relayer.settings import Settings

OWN_SESSION: Final = 2.0
"""Seconds of a session on a broker of our own, which allows less than others do."""


def bus_on(servers: str, session: float) -> BusSettings:
    """Return the settings of a bus on a Kafka that need not have more than one broker."""
    return BusSettings(
        kind="kafka",
        servers=tuple(servers.split(",")),
        replication=1,
        min_insync=1,
        session_seconds=session,
    )


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[BusSettings]:
    """Yield the bus at the address given, or on a broker that lives as long as this does.

    Raises `KafkaMissing` in one line when there is none and none can be started.
    """
    if address is not None:
        yield bus_on(address, BusSettings().session_seconds)
        return
    from relayer.devnet.kafka.broker import LocalKafka

    with LocalKafka() as kafka:
        yield bus_on(kafka.servers, OWN_SESSION)


@contextlib.asynccontextmanager
async def fleet(settings: Settings, bus: BusSettings) -> AsyncIterator[Fleet]:
    """Make the topics, yield processes that are not started yet, and delete the topics again.

    Raises `Fatal` where such topics are already: those of a bridge that somebody runs.
    """
    cluster = cluster_of(settings.model_copy(update={"bus": bus}))
    catalog = Catalog(topics_of(settings))
    if there := await present(cluster, catalog):
        msg = f"this Kafka has topics of a bridge already, such as {there[0]}: the demo leaves it"
        raise Fatal(msg)
    await create(cluster, catalog)
    try:
        yield Fleet(settings.base / "config.toml", bus)
    finally:
        await delete(cluster, catalog)
