"""A demo over Kafka: a broker of its own or a given one, and the topics of the demo alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete, present
from relayer.cli.demo.fleet import Fleet
from relayer.domain.errors import Fatal
from relayer.process_settings import BusSettings
from relayer.settings import Settings


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[str]:
    """Yield the address that was given, or that of a broker that lives as long as this does.

    Raises `KafkaMissing` in one line when there is none and none can be started.
    """
    if address is not None:
        yield address
        return
    from relayer.devnet.kafka.broker import LocalKafka

    with LocalKafka() as kafka:
        yield kafka.servers


@contextlib.asynccontextmanager
async def fleet(settings: Settings, servers: str) -> AsyncIterator[Fleet]:
    """Make the topics, yield processes that are not started yet, and delete the topics again.

    Raises `Fatal` where such topics are already: those of a bridge that somebody runs.
    """
    bus = BusSettings(kind="kafka", servers=tuple(servers.split(",")), replication=1, min_insync=1)
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
