"""Follows every unfinished submission of a lane to its end, with one question per tick for all.

It sends only what the lane has committed. A dearer submission for a nonce is made here and handed
to the lane, which persists it and gives it back to be sent; so a crash at any point leaves either
the old bytes or both, and at most one of them lands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from relayer.domain.draft import Landing, LandingKind, Landings, Submission
from relayer.domain.errors import FeeCapped, PayerEmpty, Rejected, RelayerError, Transient
from relayer.domain.facts import Fact, Stuck
from relayer.domain.reasons import Reason
from relayer.domain.submission import (
    Move,
    Patience,
    Race,
    Standing,
    concluded,
    gap,
    key_of,
    next_move,
    races_of,
)
from relayer.domain.transfer import TransferId
from relayer.ports.chain import ChainWriter
from relayer.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Dearer:
    """A submission that outbids others on its nonce; to be persisted, then sent."""

    submission: Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceOutcome:
    """The final word on all submissions of a race, with what it means for their Transfers."""

    landings: tuple[tuple[Submission, Landing], ...]
    facts: tuple[Fact, ...]


FollowResult = Dearer | RaceOutcome | Sequence[Fact]
Tell = Callable[[FollowResult], None]
Wanted = Callable[[Race], bool]
"""Whether a Transfer still depends on a race."""


class Following:
    """The unfinished submissions of one lane."""

    def __init__(
        self, *, writer: ChainWriter, clock: Clock, patience: Patience, every: float
    ) -> None:
        """Ask ``writer`` every so many seconds while anything is unfinished."""
        self._writer = writer
        self._clock = clock
        self._patience = patience
        self._every = every
        self._races: dict[str, Race] = {}
        self._standing = Standing()
        self._told = Landings(of={})
        self._filled_at = 0.0

    def resume(self, submissions: Iterable[Submission]) -> None:
        """Take up what a former owner of the lane had committed; it is sent at the next tick."""
        self._races |= {race.key: race for race in races_of(submissions)}

    async def send(self, submission: Submission) -> Sequence[Fact]:
        """Take up a submission that is committed, and send it now."""
        known = self._races.get(key_of(submission))
        older = known.submissions if known else ()
        self._races[key_of(submission)] = Race(submissions=(*older, submission))
        return await self._send(key_of(submission))

    def stands(self, tx: str, transfer: TransferId) -> bool:
        """Whether a block that may not be final yet was seen to carry an act out, not skip it.

        A submission whose nonce is used up is decided too: what became of it is soon final.
        """
        landing, next_nonce = self._told.of.get(tx), self._standing.next_nonce
        if landing is not None and landing.height is not None:
            return transfer not in landing.skipped
        nonce = next((r.newest.nonce for r in self._races.values() if _has(r, tx)), None)
        return nonce is not None and next_nonce is not None and nonce < next_nonce

    async def run(self, wanted: Wanted, tell: Tell) -> None:
        """Ask and act for ever."""
        while True:
            if self._races:
                await self.tick(wanted, tell)
            await self._clock.sleep(self._every)

    async def tick(self, wanted: Wanted, tell: Tell) -> None:
        """Ask once what became of all submissions, and do for each race what it needs."""
        races = list(self._races.values())
        try:
            told = await self._writer.landings([one for race in races for one in race.submissions])
            self._told = told
        except Transient:
            told = Landings(of={})
        unfinished = [race for race in races if not self._ended(race, told, tell)]
        standing = self._stands(unfinished, told.next_nonce)
        async with asyncio.TaskGroup() as group:
            for race in unfinished:
                move = self._move(race, standing, told, wanted)
                if move is not Move.WAIT:
                    group.create_task(self._do(move, race.key, tell))
            if (missing := self._gap(unfinished, standing)) is not None:
                group.create_task(self._fill(missing, tell))

    def _stands(self, races: Sequence[Race], next_nonce: int | None) -> Standing:
        if next_nonce is not None and next_nonce != self._standing.next_nonce:
            self._standing = Standing(next_nonce=next_nonce, since=self._clock.now())
        floor = (one.newest.price for one in races if one.newest.nonce == next_nonce)
        return Standing(next_nonce=next_nonce, since=self._standing.since, floor=next(floor, 0))

    def _move(self, race: Race, standing: Standing, told: Landings, wanted: Wanted) -> Move:
        if _is_seen(race, told):
            return Move.WAIT
        now, patience = self._clock.now(), self._patience
        return next_move(race, standing, wanted=wanted(race), now=now, patience=patience)

    def _gap(self, races: Sequence[Race], standing: Standing) -> int | None:
        now, patience = self._clock.now(), self._patience
        missing = gap(races, standing, now=now, patience=patience)
        if missing is None or now - self._filled_at < patience.outbid:
            return None
        self._filled_at = now
        return missing

    def _ended(self, race: Race, told: Landings, tell: Tell) -> bool:
        current = self._races[race.key]  # another one may have joined while the chain was asked
        facts = concluded(current, told, self._clock.now())
        if facts is None:
            return False
        del self._races[race.key]
        tell(RaceOutcome(landings=_finals(current, told), facts=facts))
        return True

    async def _do(self, move: Move, key: str, tell: Tell) -> None:
        if move is Move.SEND:
            if facts := await self._send(key):
                tell(facts)
            return
        race = self._races[key] = replace(self._races[key], tried_at=self._clock.now())
        nonce, empty = race.newest.nonce or 0, move is Move.EMPTY
        try:
            dearer = await self._writer.outbid(nonce, race.submissions, empty=empty)
            tell(Dearer(submission=dearer))
        except (Transient, Rejected) as error:
            if facts := self._stuck(key, error):
                tell(facts)

    async def _send(self, key: str) -> Sequence[Fact]:
        """Send the newest bytes of a race; what became of them is told by the landing alone."""
        race = self._races[key] = replace(self._races[key], sent_at=self._clock.now())
        try:
            await self._writer.broadcast(race.newest)
        except Rejected:
            if key in self._races:
                self._races[key] = replace(self._races[key], refused=True)
        except Transient as error:
            return self._stuck(key, error)
        return ()

    async def _fill(self, nonce: int, tell: Tell) -> None:
        try:
            tell(Dearer(submission=await self._writer.outbid(nonce, (), empty=True)))
        except (Transient, Rejected):
            return

    def _stuck(self, key: str, error: RelayerError) -> Sequence[Fact]:
        """Say it once where it lasts and somebody can do something about it."""
        race, reason = self._races.get(key), _reason(error)
        if race is None or reason is None or race.said is reason:
            return ()
        self._races[key] = replace(race, said=reason)
        now, tx = self._clock.now(), race.carrier.tx
        return [
            Stuck(id=TransferId(i), tx=tx, reason=reason, at=now, detail=str(error))
            for i in race.carrier.ids
        ]


def _reason(error: RelayerError) -> Reason | None:
    match error:
        case PayerEmpty():
            return Reason.PAYER_EMPTY
        case FeeCapped():
            return Reason.FEE_CAPPED
        case _:
            return None


def _finals(race: Race, told: Landings) -> tuple[tuple[Submission, Landing], ...]:
    """What became of each submission of a race that is over: whatever did not land is dead."""
    lost = Landing(kind=LandingKind.DEAD, skipped={}, detail="another transaction has its nonce")
    found = [(one, told.of.get(one.tx, lost)) for one in race.submissions]
    return tuple((one, lost if it.kind is LandingKind.PENDING else it) for one, it in found)


def _is_seen(race: Race, told: Landings) -> bool:
    """Whether one of its submissions stands in a block that is not final yet."""
    return any(told.of[one.tx].height is not None for one in race.submissions if one.tx in told.of)


def _has(race: Race, tx: str) -> bool:
    return any(one.tx == tx for one in race.submissions)
