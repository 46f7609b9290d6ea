"""The buses under test."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_topics import create, delete
from relayer.bus.passing import PassingBus, PassingPartition
from relayer.bus.sqlite import SqliteBus, SqlitePartition
from relayer.ports.bus import Bus, Partition
from tests.bus.harness import topics
from tests.real_kafka import cluster


class SqliteWorld:
    """The embedded bus on a file of its own, behind what passes everything on, as in a process."""

    inbox, state, stream, cursors = "in", "state", "stream", "cursors"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bus: SqliteBus | None = None
        self._left = contextlib.AsyncExitStack()

    async def open(self) -> Bus:
        self._bus = SqliteBus(self.path, topics(self))
        await self._bus.__aenter__()
        return PassingBus(self._bus)

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.__aexit__()
        self._bus = None

    async def kill(self) -> None:
        """Go on with a copy of what is on the disk now, which is what a killed process leaves."""
        assert self._bus is not None
        twin = self.path.with_name(f"{self.path.stem}x{self.path.suffix}")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.path}{suffix}", f"{twin}{suffix}")
        self._left.push_async_exit(self._bus)
        self._bus, self.path = None, twin

    async def clear(self) -> None:
        """Close what is open, the killed ones too."""
        await self.close()
        await self._left.aclose()

    @contextlib.asynccontextmanager
    async def own(self, inbox: str | None, state: str, number: int) -> AsyncIterator[Partition]:
        assert self._bus is not None
        yield PassingPartition(SqlitePartition(self._bus, inbox, state, number))

    def child(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.bus.crasher", "sqlite", str(self.path)]


class KafkaWorld:
    """Kafka, with topics of its own."""

    def __init__(self, servers: str, name: str | None = None) -> None:
        self.servers, self.name = servers, name or f"t{secrets.token_hex(6)}"
        self.inbox, self.state = f"{self.name}.in", f"{self.name}.state"
        self.stream, self.cursors = f"{self.name}.stream", f"{self.name}.cursors"
        self.cluster = cluster(servers)
        self._bus: KafkaBus | None = None
        self._left = contextlib.AsyncExitStack()

    async def open(self) -> KafkaBus:
        await create(self.cluster, Catalog(topics(self)))
        self._bus = KafkaBus(self.cluster, topics(self))
        await self._bus.__aenter__()
        return self._bus

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.__aexit__()
        self._bus = None

    async def kill(self) -> None:
        """Let the old one hang where it is, connected and silent, as a stopped process would."""
        assert self._bus is not None
        self._left.push_async_exit(self._bus)
        self._bus = None

    async def clear(self) -> None:
        """Close what is open, the killed ones too, and delete the topics."""
        await self.close()
        await self._left.aclose()
        await delete(self.cluster, Catalog(topics(self)))

    @contextlib.asynccontextmanager
    async def own(self, inbox: str | None, state: str, number: int) -> AsyncIterator[Partition]:
        assert self._bus is not None
        async with self._bus.own(inbox, state, number) as partition:
            yield partition

    def child(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.bus.crasher", "kafka", self.servers, self.name]
