"""Taking over a lane with a hundred thousand open transfers, and one that far behind its inbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.kafka.crews import Members
from benchmarks.measures import resident_mib
from benchmarks.past import Moved, Past
from relayer.app.bus import cluster_of
from relayer.app.policies import state_key
from relayer.app.run import lanes_of
from relayer.app.topics import RELAYER, topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster, place, reading
from relayer.bus.kafka_partition import POSITION
from relayer.bus.kafka_topics import create, delete
from relayer.bus.sqlite import SqliteBus
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.address import ChainId
from relayer.domain.facts import DepositSeen, DepositVerified, Held
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.domain.records import INBOX, inbox, lane_place, state
from relayer.ports.bus import Bus, Out, Partition
from relayer.process_settings import BusSettings
from relayer.services.relayer.book import Book
from relayer.services.relayer.outbox import Spread
from relayer.settings import Settings, load

AT_ONCE: Final = 1_000
WAIT: Final = 3_600.0
"""Seconds for which the open transfers wait, so that none is looked at meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A start on a full lane; seconds since the process was started, memory in MiB."""

    bus: str
    transfers: int
    ready: float
    restored: float
    idle_mib: float
    """The memory of the same process with nothing to restore."""
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """A lane that was far behind."""

    records: int
    seconds: float
    mib: float
    """The most memory the process had."""


def _waiting(settings: Settings, chain: ChainId, count: int) -> Iterator[dict[str, bytes]]:
    """The state of so many transfers that wait, in parts, as the lane's own book keeps them."""
    lanes = lanes_of(settings)
    spread = Spread(requests=1, transfers=1, lanes=lanes)
    book = Book(Keeper(state_key(settings, RELAYER)), spread)
    book.restore({}, lane_place(chain, 0, lanes[chain]))
    for number, moved in enumerate(_towards(settings, chain, count), 1):
        until = time.time() + WAIT
        name = moved.deposit.id
        book.fold(
            [
                DepositSeen(deposit=moved.deposit, at=moved.at),
                DepositVerified(deposit=moved.deposit, receipt=None, at=moved.at),
                Held(
                    id=name, reason=Reason.OVER_CAP, until=until, at=moved.at, detail="a benchmark"
                ),
            ]
        )
        if number % AT_ONCE == 0 or number == count:
            yield {key: value for key, value in book.changes().state.items() if value is not None}


def _towards(settings: Settings, chain: ChainId, count: int) -> Iterator[Moved]:
    found = (one for one in Past(settings, 3 * count).moved() if one.deposit.destination == chain)
    for _ in range(count):
        yield next(found)


async def _fill(lane: Partition, parts: Iterator[dict[str, bytes]]) -> None:
    await lane.restore()
    for part in parts:
        await lane.commit([], part)


async def measure_restore(
    directory: Path, kafka: BusSettings, count: int
) -> tuple[list[Restored], CaughtUp]:
    """Both buses in turn, then the lag on Kafka."""
    async with LocalWorld(directory, WorldOptions(users=1)) as world:
        plain = load(world.config_path)
        settings = plain.model_copy(update={"bus": kafka})
        cluster, catalog = cluster_of(settings), Catalog(topics_of(settings))
        await create(cluster, catalog)
        try:
            here = _Here(world.config_path, directory, settings, count)
            restored = [await here.on_sqlite(), await here.on_kafka(cluster)]
            return restored, await here.lag(cluster)
        finally:
            await delete(cluster, catalog)


@dataclass(slots=True)
class _Here:
    config: Path
    directory: Path
    settings: Settings
    count: int

    @property
    def chain(self) -> ChainId:
        """The chain whose lane is filled."""
        return next(c.id for c in self.settings.chains if c.id.startswith("eip155:"))

    def members(self, name: str, bus: BusSettings | None) -> Members:
        """One process that runs lanes alone, untraced."""
        place, only = self.directory / name, (("relayer", ("relayer",)),)
        return Members(name, self.config, place, bus, only, traced=False)

    async def on_sqlite(self) -> Restored:
        """The embedded bus."""
        members = self.members("embedded", None)
        bus = SqliteBus(
            self.directory / "embedded" / "relayer" / "bus.db", topics_of(self.settings)
        )
        return await self._restored("embedded", members, bus)

    async def on_kafka(self, cluster: Cluster) -> Restored:
        """Kafka."""
        members = self.members("kafka", self.settings.bus)
        return await self._restored("kafka", members, KafkaBus(cluster, topics_of(self.settings)))

    async def _restored(
        self, name: str, members: Members, bus: AbstractAsyncContextManager[Bus]
    ) -> Restored:
        _, _, idle = await self._started(members, 0)
        async with bus as opened:
            where = (inbox(self.chain), state(RELAYER, self.chain), 0)
            async with opened.own(*where) as lane:  # type: ignore[attr-defined]  # both have it
                await _fill(lane, _waiting(self.settings, self.chain, self.count))
        ready, restored, mib = await self._started(members, self.count)
        return Restored(
            bus=name,
            transfers=self.count,
            ready=ready,
            restored=restored,
            idle_mib=idle,
            mib=mib,
        )

    async def _started(self, members: Members, count: int) -> tuple[float, float, float]:
        """Seconds until ready, until so many are restored, and memory a moment later."""
        began = time.monotonic()
        await members.start()
        try:
            ready = await _seconds(members, began, lambda: members.is_ready("relayer"))
            restored = await _seconds(members, began, lambda: self._has_restored(members, count))
            await asyncio.sleep(2)
            return ready, restored, resident_mib(members.children["relayer"].pid or 0)
        finally:
            await members.stop()

    def _has_restored(self, members: Members, count: int) -> bool:
        text = (members.directory / "relayer" / "log").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines() if '"lane.restored"' in line]
        return any(line["transfers"] == count and line["chain"] == self.chain for line in lines)

    async def lag(self, cluster: Cluster) -> CaughtUp:
        """As many deliveries that concern no open transfer as came while nobody was there."""
        members = self.members("lag", self.settings.bus)
        moved = _towards(self.settings, self.chain, self.count)
        async with KafkaBus(cluster, topics_of(self.settings)) as bus:
            for _ in range(self.count // AT_ONCE):
                outs = [
                    Out(
                        topic=inbox(self.chain),
                        partition=0,
                        key=one.delivery.id.hex(),
                        value=INBOX.encode(one.delivery),
                    )
                    for one in (next(moved) for _ in range(AT_ONCE))
                ]
                await bus.publish(outs)
        await members.start()
        try:
            seconds = await self._until_read(cluster)
            members.children["relayer"].measure()
        finally:
            await members.stop()
        return CaughtUp(
            records=self.count, seconds=seconds, mib=members.children["relayer"].peak_bytes / 2**20
        )

    async def _until_read(self, cluster: Cluster) -> float:
        """Seconds from the lane's first commit to the one whose position is the end."""
        here, began = place(state(RELAYER, self.chain), 0), 0
        async with reading(cluster) as consumer, asyncio.timeout(300):
            consumer.assign([here])
            await consumer.seek_to_end(here)
            while True:
                for messages in (await consumer.getmany(timeout_ms=500)).values():
                    for message in messages:
                        began = began or message.timestamp
                        if message.key == POSITION.encode() and self._at_end(message.value):
                            return float(message.timestamp - began) / 1000

    def _at_end(self, value: bytes) -> bool:
        return int(json.loads(value)["next"]) >= self.count


async def _seconds(members: Members, began: float, holds: Callable[[], bool]) -> float:
    async with asyncio.timeout(180):
        while not await asyncio.to_thread(holds):
            members.check()
            await asyncio.sleep(0.05)
    return time.monotonic() - began
