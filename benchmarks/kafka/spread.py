"""How fast bursts are through when lanes are spread over several relayer processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.flows import FINAL_SECONDS
from benchmarks.kafka.crews import Members, with_relayers
from benchmarks.kafka.flows import WARM, took
from benchmarks.kafka.hops import Notes, kind_of
from benchmarks.kafka.traffic import Traffic, traffic
from relayer.process_settings import BusSettings

NO_SWEEP: Final = {"pace": {"sweep_seconds": 3_600}}
"""Else lanes find the deposits of the burst by themselves before the listener tells of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A burst over so many lanes of each chain in so many relayer processes."""

    lanes: int
    processes: int
    per_second: float
    relayers_ms: float
    """CPU of the relayers per transfer, in milliseconds."""
    others_ms: float
    """CPU of listener (its start included), attesters, monitor and tracker per transfer."""
    owned: tuple[int, ...]
    """How many lanes of all chains each process had work for, most first."""
    load: float


async def measure_spread(
    directory: Path, kafka: BusSettings, *, counts: Sequence[int], transfers: int
) -> list[Spread]:
    """Every number of lanes with every number of processes; the same lanes on the same chains."""
    found = []
    for lanes in counts:
        place = directory / f"{lanes}-lanes"
        place.mkdir()
        async with traffic(place, kafka, lanes=lanes) as here:
            for count in counts:
                crew = place / f"{count}-relayers"
                members = Members(
                    "spread", here.config, crew, kafka, with_relayers(count), told=NO_SWEEP
                )
                found.append(await _burst(here, members, lanes, count, transfers))
    return found


async def _burst(here: Traffic, members: Members, lanes: int, count: int, transfers: int) -> Spread:
    """All are warm, and the deposits final, before the listener that tells of them starts."""
    await members.start()
    try:
        await here.deposit(WARM)
        await here.arrive(members)
        await members.end("listener")
        await here.deposit(transfers)
        await asyncio.sleep(FINAL_SECONDS)
        before = {name: members.cpu_of(name) for name in members.children}
        began = time.time()
        await members.start("listener")
        await here.arrive(members)
        spent = {name: members.cpu_of(name) - cpu for name, cpu in before.items()}
    finally:
        await members.stop()
    notes = members.notes()
    seconds = took(notes, began)
    assert seconds > 0  # noqa: S101 - nothing was delivered before it was told
    relayers = sum(cpu for name, cpu in spent.items() if name.startswith("relayer"))
    return Spread(
        lanes=lanes,
        processes=count,
        per_second=transfers / seconds,
        relayers_ms=1000 * relayers / transfers,
        others_ms=1000 * (sum(spent.values()) - relayers) / transfers,
        owned=_owned(notes, began, count),
        load=os.getloadavg()[0],
    )


def _owned(notes: Notes, began: float, count: int) -> tuple[int, ...]:
    """Lanes in which each of so many processes committed, by their topic and partition."""
    lanes: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for note in notes:
        if kind_of(note.get("commit", "")) == "state.relayer" and note["at"] >= began:
            lanes[note["who"]].add((note["commit"], note["partition"]))
    sizes = Counter({who: len(some) for who, some in lanes.items()})
    owned = [size for _, size in sizes.most_common()]
    return tuple(owned + [0] * (count - len(owned)))
