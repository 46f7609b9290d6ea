"""The part of a lane that follows submissions, over a real writer: keeps first, then sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from relayer.domain.draft import Landing, LandingKind, Submission
from relayer.domain.facts import Fact, Stuck
from relayer.domain.submission import Patience, Race
from relayer.ports.chain import ChainWriter
from relayer.services.relayer.following import Dearer, Following, FollowResult, RaceOutcome
from tests.chains.harness import PATIENCE
from tests.services.fakes import RealClock

QUICK = Patience(resend=0.3, outbid=0.8)


@dataclass(slots=True)
class Follower:
    """Follows submissions of one writer until their ends; ``kept`` is what a crash would leave."""

    writer: ChainWriter
    patience: Patience = QUICK
    wanted: Callable[[Race], bool] = lambda _: True
    kept: dict[str, Submission] = field(default_factory=dict)
    ends: dict[str, Landing] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    following: Following = field(init=False)
    _fresh: list[Submission] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is followed yet."""
        self.following = Following(
            writer=self.writer, clock=RealClock(), patience=self.patience, every=0.05
        )

    async def send(self, *submissions: Submission, lost: bool = False) -> None:
        """Keep submissions and send them; ``lost``: die before they are sent, and start again."""
        for submission in submissions:
            self.kept[submission.tx] = submission
        if lost:
            self.following.resume(self.kept.values())
            return
        for submission in submissions:
            self._tell(await self.following.send(submission))

    async def tick(self) -> None:
        """One question for all, and what follows from it."""
        await self.following.tick(self.wanted, self._tell)
        fresh, self._fresh = self._fresh, []
        await self.send(*fresh)

    async def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Tick until something holds; AssertionError if it does not in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"only {self.ends} and {self.facts}"
            await self.tick()
            await asyncio.sleep(0.05)

    async def finished(self, seconds: float = PATIENCE) -> None:
        """Tick until nothing is unfinished."""
        await self.until(lambda: not self.kept, seconds)

    def landed(self) -> list[str]:
        """The names of what landed."""
        return [tx for tx, one in self.ends.items() if one.kind is LandingKind.LANDED]

    def stuck(self) -> list[Stuck]:
        """What was said of submissions that do not get in."""
        return [fact for fact in self.facts if isinstance(fact, Stuck)]

    def _tell(self, result: FollowResult) -> None:
        match result:
            case Dearer(submission=submission):
                self._fresh.append(submission)
            case RaceOutcome(landings=landings, facts=facts):
                for submission, landing in landings:
                    self.kept.pop(submission.tx)
                    self.ends[submission.tx] = landing
                self.facts += facts
            case facts:
                self.facts += facts


def prices(submissions: Iterable[Submission]) -> list[int]:
    """What submissions offer, in order."""
    return [one.price for one in submissions]
