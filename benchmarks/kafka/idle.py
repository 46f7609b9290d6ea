"""What a process of each service costs to start, and to run without traffic."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.kafka.crews import ALL, Members, with_relayers
from benchmarks.kafka.flows import WARM
from benchmarks.kafka.traffic import Traffic, traffic
from benchmarks.measures import resident_mib, share
from relayer.process_settings import BusSettings

RELAYERS: Final = 4
"""One more than there are lanes in all, so that at least one only waits."""

SETTLED: Final = 12.0
"""Seconds until groups are joined and each process has looked at the lanes that it owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """One process, or several alike; times are medians."""

    what: str
    ready: float
    """Seconds from its start until `/readyz`."""
    ready_cpu: float
    """CPU seconds until then."""
    per_second: float
    """CPU milliseconds a second without traffic."""
    mib: float
    load: float


@dataclass(frozen=True, slots=True)
class _Start:
    ready: float
    cpu: float


async def measure_idle(
    directory: Path, kafka: BusSettings, *, starts: int, seconds: float
) -> list[Idle]:
    """Each service in a process of its own on Kafka, and all in one on the embedded bus."""
    async with traffic(directory, kafka) as here:
        one = Members("embedded", here.config, directory / "embedded", None, ALL, traced=False)
        found = await _measured(here, one, starts, seconds)
        crew = with_relayers(RELAYERS)
        apart = Members("apart", here.config, directory / "apart", kafka, crew, traced=False)
        return found + await _measured(here, apart, starts, seconds)


async def _measured(here: Traffic, members: Members, starts: int, seconds: float) -> list[Idle]:
    """Start each alone so often, then all together, with a past of some transfers."""
    begun: dict[tuple[str, ...], list[_Start]] = {}
    for name, child in members.children.items():
        if child.services not in begun:
            begun[child.services] = [await _start(members, name) for _ in range(starts)]
    await members.start()
    try:
        await here.deposit(WARM)
        await here.arrive(members)
        await asyncio.sleep(SETTLED)
        before = {name: members.cpu_of(name) for name in members.children}
        await asyncio.sleep(seconds)
        spent = {name: (members.cpu_of(name) - cpu) / seconds for name, cpu in before.items()}
        return [
            Idle(
                what=what,
                ready=_median([one.ready for one in begun[members.children[names[0]].services]]),
                ready_cpu=_median([one.cpu for one in begun[members.children[names[0]].services]]),
                per_second=1000 * _median([spent[name] for name in names]),
                mib=_median([resident_mib(members.children[name].pid or 0) for name in names]),
                load=os.getloadavg()[0],
            )
            for what, names in _alike(members).items()
        ]
    finally:
        await members.stop()


async def _start(members: Members, name: str) -> _Start:
    before, began = members.cpu_of(name), time.monotonic()
    await members.start(name)
    try:
        await members.ready(name)
        return _Start(time.monotonic() - began, members.cpu_of(name) - before)
    finally:
        await members.end(name)


def _alike(members: Members) -> dict[str, list[str]]:
    """The processes by what they run, relayers by how many lanes they own."""
    found: dict[str, list[str]] = {}
    for name, child in members.children.items():
        what = ", ".join(child.services) or "all services, embedded bus"
        if child.services == ("relayer",):
            what = f"relayer that owns {members.lanes_of(name)} of 3 lanes"
        found.setdefault(what, []).append(name)
    return dict(sorted(found.items()))


def _median(values: Sequence[float]) -> float:
    return share(sorted(values), 0.5)
