"""Chaos: at a steady beat a process dies, a replica comes or leaves, a broker is lost and returns.

What happens when is drawn from a seed before the first blow falls, so that a run which found
something can be run again.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relayer.cli.demo.fleet import Fleet, replica

if TYPE_CHECKING:
    from relayer.devnet.kafka.broker import LocalKafka

LEAST: Final = 4
"""Blows of the shortest chaos: a kill, a replica that comes, one that leaves, a broker lost."""

AWAY: Final = 0.6
"""Part of a beat for which a broker is away."""

_KEPT: Final = 18
"""One deposit of each asset on each route: delivered after the last blow, they show that no lane is
stuck and nothing halted."""

_JOINS: Final = "relayer-three"


class Kind(StrEnum):
    """What a blow does, in words."""

    KILLED = "killed (SIGKILL), started again"
    JOINED = "joined as one more replica"
    LEFT = "left for good (SIGTERM)"
    LOST = "killed (SIGKILL)"
    BACK = "started again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """What happens to whom, so many seconds after the beginning; for a broker, its number."""

    at: float
    kind: Kind
    name: str

    @property
    def words(self) -> str:
        """Who and what."""
        return f"{'broker ' if self.name.isdigit() else ''}{self.name} {self.kind}"


def kept_back(transfers: int) -> int:
    """Return how many of the deposits are not made before chaos is over."""
    return min(_KEPT, transfers // 2)


def blows(
    *, seconds: float, every: float, seed: int, names: Sequence[str], brokers: int
) -> list[Blow]:
    """Draw one blow per beat; most are kills, and each of the others comes once.

    A quarter on a relayer joins, half way a broker is lost (if there are three to lose one of), three
    quarters on one of the two older relayers leaves.
    """
    dice = random.Random(seed)  # noqa: S311 - blows that can be drawn again, not secrets
    beats, living, drawn = int(seconds / every), list(names), []
    for beat in range(1, beats + 1):
        at = beat * every
        if beat == max(1, beats // 4):
            living.append(_JOINS)
            drawn.append(Blow(at=at, kind=Kind.JOINED, name=_JOINS))
        elif beat == beats // 2 and brokers > 2:
            number = str(dice.randint(1, brokers))
            drawn.append(Blow(at=at, kind=Kind.LOST, name=number))
            drawn.append(Blow(at=at + AWAY * every, kind=Kind.BACK, name=number))
        elif beat == beats * 3 // 4:
            older = ["relayer-one", "relayer-two"]
            # Who was just killed may still be starting: that is no clean leave.
            leaver = dice.choice([name for name in older if name != drawn[-1].name])
            living.remove(leaver)
            drawn.append(Blow(at=at, kind=Kind.LEFT, name=leaver))
        else:
            drawn.append(Blow(at=at, kind=Kind.KILLED, name=dice.choice(living)))
    return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A blow that fell: ``at`` seconds after the beginning, ``time`` in seconds since the epoch."""

    at: float
    time: float
    blow: Blow


@dataclass(slots=True)
class Chaos:
    """Blows for the processes of a fleet and the brokers under them (None: not ours to kill)."""

    every: float
    seed: int
    brokers: LocalKafka | None = None
    struck: list[Struck] = field(default_factory=list, init=False)
    unclean: list[str] = field(default_factory=list, init=False)
    """Replicas that did not leave with exit code 0."""

    async def run(self, fleet: Fleet, seconds: float, say: Callable[[str], None]) -> None:
        """Strike for so many seconds; every process and broker is back when this returns."""
        began = time.time()
        brokers = self.brokers.count if self.brokers else 0
        for blow in blows(
            seconds=seconds, every=self.every, seed=self.seed, names=fleet.names, brokers=brokers
        ):
            await asyncio.sleep(began + blow.at - time.time())
            now = time.time()
            self.struck.append(Struck(at=now - began, time=now, blow=blow))
            say(f"  second {now - began:.0f}: {blow.words}")
            await self._strike(fleet, blow)

    async def _strike(self, fleet: Fleet, blow: Blow) -> None:
        match blow.kind:
            case Kind.KILLED:
                fleet.check()
                await fleet[blow.name].kill()
                await fleet[blow.name].start()
            case Kind.JOINED:
                await fleet.add(replica(blow.name)).start()
            case Kind.LEFT:
                code = await fleet.retire(blow.name)
                self.unclean += [f"{blow.name} left with exit code {code}"] if _bad(code) else []
            case Kind.LOST | Kind.BACK:
                await self._broker(int(blow.name), blow.kind)

    async def _broker(self, number: int, kind: Kind) -> None:
        """In a thread: starting one waits, and the thread must outlive the broker."""
        assert self.brokers is not None  # noqa: S101 - none is drawn where there is none
        act = self.brokers.kill if kind is Kind.LOST else self.brokers.start
        await asyncio.to_thread(act, number)


def _bad(code: int | None) -> bool:
    """Whether a process did not leave as told; who was only starting had nothing to hand over."""
    return code not in {0, -signal.SIGTERM}


def gaps(struck: Sequence[Struck], acted: Sequence[Sequence[float]]) -> list[float]:
    """Return, per blow, the seconds until every chain was acted on again.

    ``acted`` holds the times of broadcasts per chain. A chain on which nothing followed counts nothing.
    """
    firsts = [
        [min((t for t in times if t > s.time), default=s.time) for times in acted] for s in struck
    ]
    return [max(first) - s.time for first, s in zip(firsts, struck, strict=True)]
