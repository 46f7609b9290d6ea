"""Steady flows and bursts through relayers on either bus, over the same chains and one broker."""

from __future__ import annotations

import asyncio
import os
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from benchmarks.crowd import USERS, Crowd
from benchmarks.flows import FINAL_SECONDS
from benchmarks.kafka.crews import ALL, APART, Members
from benchmarks.kafka.hops import HOPS, hops, kind_of, medians, totals
from benchmarks.measures import share, until_delivered
from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.process_settings import BusSettings
from relayer.settings import Settings, load

WARM: Final = 36
"""Transfers before each flow: approvals, connections, first leases."""

EMBEDDED, ONE, FLEET = "embedded", "Kafka, one process", "Kafka, a process each"


@dataclass(slots=True)
class Flow:
    """What one steady flow showed; times in seconds, CPU in milliseconds per transfer."""

    name: str
    totals: list[float]
    hops: dict[str, float]
    cpu_ms: float
    commits: dict[str, float]
    """Commits per transfer, by kind of state."""
    records: dict[str, float]
    """Records per transfer, by topic."""
    commit_p50: float
    load: float
    """The machine's load average as the flow ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How fast so many lanes a chain were through with a burst."""

    bus: str
    lanes: int
    per_second: float
    cpu_ms: float


@dataclass(slots=True)
class _World:
    """Chains with users, and what was deposited on them so far."""

    settings: Settings
    config: Path
    crowd: Crowd
    deposited: int = 0

    async def deposit(self, transfers: int, rate: float | None = None) -> None:
        journeys = self.crowd.plan(transfers)
        if rate is None:
            await self.crowd.deposit_all(journeys)
        else:
            await self.crowd.deposit_steadily(journeys, rate)
        self.deposited += transfers

    async def flow(self, members: Members, transfers: int, rate: float) -> Flow:
        """Start, let what is there already be seen, warm up, and let deposits flow."""
        await members.start()
        try:
            await self.deposit(WARM)
            await self._arrive(members)
            cpu, began = members.cpu, time.time()
            await self.deposit(transfers, rate)
            await self._arrive(members)
            spent, ended = members.cpu - cpu, time.time()
        finally:
            await members.stop()
        return _flow(members, began, ended, transfers, 1000 * spent / transfers)

    async def burst(self, members: Members, lanes: int, transfers: int) -> Burst:
        """Deposits are final before the relayer starts, so that nothing else bounds it."""
        began = time.time()
        await self.deposit(transfers)
        await asyncio.sleep(FINAL_SECONDS)
        await members.start()
        try:
            await self._arrive(members)
            cpu = members.cpu
        finally:
            await members.stop()
        notes = members.notes()
        heard = [
            n["since"] for n in notes if str(n.get("what")).startswith("committed bridge.inbox")
        ]
        sent = [
            n["until"] for n in notes if n.get("what") == "committed bridge.transfers submitted"
        ]
        assert min(heard) > began  # noqa: S101 - nothing of it was heard before
        return Burst(
            bus=members.name,
            lanes=lanes,
            per_second=transfers / (max(sent) - min(heard)),
            cpu_ms=1000 * cpu / transfers,
        )

    async def _arrive(self, members: Members) -> None:
        await until_delivered(members.seen_by(self.settings), self.deposited, 180, members.check)


def _flow(members: Members, began: float, ended: float, transfers: int, cpu_ms: float) -> Flow:
    notes = members.notes()
    found = hops(notes, began)
    within = [n for n in notes if "commit" in n and began <= n["at"] <= ended]
    commits = Counter(kind_of(n["commit"]) for n in within)
    written = Counter(
        kind_of(n["what"].split()[1])
        for n in notes
        if "what" in n and not n["what"].startswith(("took", "followed")) and n["since"] >= began
    )
    for note in within:
        written[kind_of(note["commit"])] += note["keys"]
    took = sorted(n["took"] for n in within if kind_of(n["commit"]) == "state.relayer")
    return Flow(
        name=members.name,
        totals=totals(found),
        hops=medians(found),
        cpu_ms=cpu_ms,
        commits={kind: count / transfers for kind, count in sorted(commits.items())},
        records={kind: count / transfers for kind, count in sorted(written.items())},
        commit_p50=share(took, 0.5),
        load=os.getloadavg()[0],
    )


async def measure_steady(
    directory: Path, kafka: BusSettings, *, rounds: int, transfers: int, rate: float
) -> list[Flow]:
    """Each way in turn, so many rounds; on one world, one broker."""
    async with LocalWorld(directory, WorldOptions(users=USERS)) as world:
        settings = load(world.config_path)
        cluster = cluster_of(settings.model_copy(update={"bus": kafka}))
        catalog = Catalog(topics_of(settings))
        await create(cluster, catalog)
        here = _World(settings, world.config_path, Crowd(settings=settings))
        crews = [
            Members(EMBEDDED, world.config_path, directory / "embedded", None, ALL),
            Members(ONE, world.config_path, directory / "one", kafka, ALL),
            Members(FLEET, world.config_path, directory / "fleet", kafka, APART),
        ]
        try:
            return [
                await here.flow(members, transfers, rate)
                for _ in range(rounds)
                for members in crews
            ]
        finally:
            await here.crowd.close()
            await delete(cluster, catalog)


async def measure_lanes(
    directory: Path, kafka: BusSettings, *, lanes: Sequence[int], transfers: int
) -> list[Burst]:
    """A burst for each number of lanes on each bus; each on chains of its own."""
    found = []
    for count in lanes:
        for bus in (None, kafka):
            place = directory / f"{count}-{'kafka' if bus else 'embedded'}"
            place.mkdir()
            found.append(await _burst(place, bus, count, transfers))
    return found


async def _burst(directory: Path, bus: BusSettings | None, lanes: int, transfers: int) -> Burst:
    async with LocalWorld(directory, WorldOptions(users=USERS + lanes - 1)) as world:
        with_lanes(world.config_path, lanes)
        settings = load(world.config_path)
        crowd = Crowd(settings=settings)
        here = _World(settings, world.config_path, crowd)
        if bus is None:
            members = Members(EMBEDDED, world.config_path, directory / "members", None)
            return await _closing(crowd, here.burst(members, lanes, transfers))
        cluster = cluster_of(settings.model_copy(update={"bus": bus}))
        catalog = Catalog(topics_of(settings))
        await create(cluster, catalog)
        try:
            members = Members(ONE, world.config_path, directory / "members", bus)
            return await _closing(crowd, here.burst(members, lanes, transfers))
        finally:
            await delete(cluster, catalog)


async def _closing(crowd: Crowd, burst: Any) -> Burst:
    try:
        found: Burst = await burst
        return found
    finally:
        await crowd.close()


def with_lanes(config: Path, lanes: int) -> None:
    """Give each chain so many payers; the users beyond the crowd have coins and pay for the others."""
    text: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
    for chain in text["chains"]:
        family = "solana" if str(chain["chain"]).startswith("solana") else "evm"
        more = [f"file:keys/user-{USERS + n}-{family}" for n in range(lanes - 1)]
        chain["payers"] = [*chain["payers"], *more]
    config.write_text(tomli_w.dumps(text), encoding="utf-8")


def joined(flows: Sequence[Flow], name: str) -> Flow:
    """All rounds of one way as one: latencies together, the rest as medians of the rounds."""
    some = [flow for flow in flows if flow.name == name]
    return Flow(
        name=name,
        totals=sorted(second for flow in some for second in flow.totals),
        hops={hop: _median(flow.hops[hop] for flow in some) for hop in HOPS},
        cpu_ms=_median(flow.cpu_ms for flow in some),
        commits=_each([flow.commits for flow in some]),
        records=_each([flow.records for flow in some]),
        commit_p50=_median(flow.commit_p50 for flow in some),
        load=max(flow.load for flow in some),
    )


def _median(values: Any) -> float:
    return share(sorted(values), 0.5)


def _each(maps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for one in maps for name in one})
    return {name: _median(one.get(name, 0.0) for one in maps) for name in names}
