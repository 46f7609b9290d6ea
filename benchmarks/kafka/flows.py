"""Steady flows and bursts through relayers on either bus, over the same chains and one broker."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.flows import FINAL_SECONDS
from benchmarks.kafka.crews import ALL, APART, Members
from benchmarks.kafka.hops import HOPS, Notes, hops, kind_of, medians, totals
from benchmarks.kafka.traffic import Traffic, traffic
from benchmarks.measures import share
from relayer.process_settings import BusSettings

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


async def _steadily(here: Traffic, members: Members, transfers: int, rate: float) -> Flow:
    """Start, let what is there already be seen, warm up, and let deposits flow."""
    await members.start()
    try:
        await here.deposit(WARM)
        await here.arrive(members)
        cpu, began = members.cpu, time.time()
        await here.deposit(transfers, rate)
        await here.arrive(members)
        spent, ended = members.cpu - cpu, time.time()
    finally:
        await members.stop()
    return _flow(members, began, ended, transfers, 1000 * spent / transfers)


async def _at_once(here: Traffic, members: Members, lanes: int, transfers: int) -> Burst:
    """Deposits are final before the relayer starts, so that nothing else bounds it."""
    began = time.time()
    await here.deposit(transfers)
    await asyncio.sleep(FINAL_SECONDS)
    await members.start()
    try:
        await here.arrive(members)
        cpu = members.cpu
    finally:
        await members.stop()
    return Burst(
        bus=members.name,
        lanes=lanes,
        per_second=transfers / took(members.notes(), began),
        cpu_ms=1000 * cpu / transfers,
    )


def took(notes: Notes, began: float) -> float:
    """Seconds from the first deposit that a listener committed since then to the last broadcast.

    Negative where a Sweep had found all of them before the listener told of the first.
    """
    since = [note for note in notes if "what" in note and note["since"] >= began]
    heard: list[float] = [
        n["since"] for n in since if n["what"].startswith("committed bridge.inbox")
    ]
    sent: list[float] = [
        n["until"] for n in since if n["what"] == "committed bridge.transfers submitted"
    ]
    return max(sent) - min(heard)


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
    async with traffic(directory, kafka) as here:
        crews = [
            Members(EMBEDDED, here.config, directory / "embedded", None, ALL),
            Members(ONE, here.config, directory / "one", kafka, ALL),
            Members(FLEET, here.config, directory / "fleet", kafka, APART),
        ]
        return [
            await _steadily(here, members, transfers, rate)
            for _ in range(rounds)
            for members in crews
        ]


async def measure_lanes(
    directory: Path, kafka: BusSettings, *, lanes: Sequence[int], transfers: int
) -> list[Burst]:
    """A burst for each number of lanes on each bus; each on chains of its own."""
    found = []
    for count in lanes:
        for name, bus in ((EMBEDDED, None), (ONE, kafka)):
            place = directory / f"{count}-{name}"
            place.mkdir()
            async with traffic(place, bus, lanes=count) as here:
                members = Members(name, here.config, place / "members", bus)
                found.append(await _at_once(here, members, count, transfers))
    return found


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
