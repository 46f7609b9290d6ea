"""What deposits wait for when relayer processes come and go under a steady flow."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.kafka.crews import Members, with_relayers
from benchmarks.kafka.flows import WARM
from benchmarks.kafka.hops import Notes
from benchmarks.kafka.traffic import Traffic, traffic
from benchmarks.measures import share, stories
from relayer.domain.stage import Stage
from relayer.process_settings import BusSettings

SESSION: Final = 6.0
"""Seconds until the death of a process is noticed: what clusters allow at least."""

BEFORE: Final = 1.0
"""Seconds before an event that belong to it: deposits which it met on their way."""

RELAYERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What deposits met that were final around an event; seconds."""

    event: str
    transfers: int
    silent: float
    """The longest time without a broadcast towards any chain."""
    p50: float
    """From a deposit's word by the listener to the broadcast of its delivery."""
    p99: float
    worst: float
    """From that word to the listener's word that the delivery is final, of any transfer."""
    load: float


@dataclass(frozen=True, slots=True)
class _Window:
    event: str
    begin: float
    end: float
    load: float


@dataclass(slots=True)
class _Flowing:
    """Two relayers and one of each other service, while deposits flow."""

    here: Traffic
    members: Members
    rate: float
    windows: list[_Window] = field(default_factory=list)
    _relayers: list[str] = field(
        default_factory=lambda: [f"relayer-{n + 1}" for n in range(RELAYERS)]
    )
    _made: int = RELAYERS

    async def join(self) -> None:
        """One relayer more."""
        self._made += 1
        name = f"relayer-{self._made}"
        self.members.add(name, ("relayer",))
        self._relayers.append(name)
        await self.members.start(name)
        await self.members.ready(name)

    async def leave(self) -> None:
        """The eldest drains."""
        await self.members.end(self._relayers.pop(0))

    async def die(self) -> None:
        """The one with most lanes is killed."""
        victim = max(self._relayers, key=self.members.lanes_of)
        self._relayers.remove(victim)
        await self.members.end(victim, signal.SIGKILL)

    async def roll(self) -> None:
        """A new one for each of the old, as a rolling update that first adds."""
        for _ in range(len(self._relayers)):
            await self.join()
            await asyncio.sleep(2)
            await self.leave()

    async def nothing(self) -> None:
        """What the chains alone bring."""

    async def during(self, event: str, happen: Callable[[], Awaitable[None]], after: float) -> None:
        """Let it happen, and deposits flow for so many seconds after it."""
        begin = time.time() - BEFORE
        await happen()
        await asyncio.sleep(after)
        self.windows.append(_Window(event, begin, time.time(), os.getloadavg()[0]))
        await asyncio.sleep(3)

    def passages(self) -> list[Passage]:
        """Every event, by the notes of the listener and the facts of the tracker."""
        heard, ended = _words(self.members.notes())
        told = stories(self.members.seen_by(self.here.settings), self.here.deposited)
        sent: dict[str, float] = {}
        towards: dict[str, list[float]] = defaultdict(list)
        for story in told:
            moments = [fact.at for fact in story.facts if fact.stage is Stage.SUBMITTED]
            name = story.track.told.id.hex()
            if moments and name in heard:
                sent[name] = moments[0]
                towards[heard[name][1]].append(moments[0])
        return [_passage(window, heard, ended, sent, towards) for window in self.windows]


Words = dict[str, tuple[float, str]]
"""When the listener told of a transfer, and to the lanes of which chain."""


def _words(notes: Notes) -> tuple[Words, Words]:
    """Its first word of each transfer, the deposit, and its second, the delivery."""
    words: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for note in notes:
        what = str(note.get("what"))
        if note["who"] == "listener" and what.startswith("committed bridge.inbox"):
            words[note["key"][:64]].append((note["until"], what.split()[1]))
    first = {name: min(some) for name, some in words.items()}
    last = {name: max(some) for name, some in words.items() if len(some) > 1}
    return first, last


def _passage(
    window: _Window,
    heard: Words,
    ended: Words,
    sent: dict[str, float],
    towards: dict[str, list[float]],
) -> Passage:
    within = [name for name, (at, _) in heard.items() if window.begin <= at <= window.end]
    waits = sorted(sent[name] - heard[name][0] for name in within)
    silences = [
        later - before
        for moments in towards.values()
        for before, later in pairwise(sorted(moments))
        if later >= window.begin and before <= window.end
    ]
    return Passage(
        event=window.event,
        transfers=len(within),
        silent=max(silences),
        p50=share(waits, 0.5),
        p99=share(waits, 0.99),
        worst=max(ended[name][0] - heard[name][0] for name in within),
        load=window.load,
    )


async def measure_relayers(directory: Path, kafka: BusSettings, rate: float) -> list[Passage]:
    """All events, one after the other, on chains with two lanes each."""
    bus = kafka.model_copy(update={"session_seconds": SESSION})
    async with traffic(directory, bus, lanes=2) as here:
        members = Members("flow", here.config, directory / "crew", bus, with_relayers(RELAYERS))
        flowing = _Flowing(here, members, rate)
        await members.start()
        try:
            await here.deposit(WARM)
            await here.arrive(members)
            await _events(flowing)
            await here.arrive(members)
        finally:
            await members.stop()
        return flowing.passages()


async def _events(flowing: _Flowing) -> None:
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(flowing.here.flow(flowing.rate, stopped))
        await asyncio.sleep(3)
        await flowing.during("none", flowing.nothing, 15)
        await flowing.during("a third relayer joins", flowing.join, 8)
        await flowing.during("one of three leaves (SIGTERM)", flowing.leave, 8)
        await flowing.join()
        await asyncio.sleep(8)  # until it says which lanes are its own
        await flowing.during("one of three is killed (SIGKILL)", flowing.die, SESSION + 8)
        await flowing.during("both are replaced, one after the other", flowing.roll, 8)
        stopped.set()
