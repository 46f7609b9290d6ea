"""What to do about a submission that has not landed: wait, send it again, or outbid it.

A Race is all submissions on one nonce: at most one of them lands, and whichever does ends it. On
chains without nonces each submission is a race of its own. Everything here is pure; the lane keeps
what it decides before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relayer.domain.backoff import wait_before
from relayer.domain.draft import Landing, LandingKind, Landings, Submission
from relayer.domain.facts import Fact, Landed, Unlanded
from relayer.domain.reasons import Reason
from relayer.domain.refusals import reason_of
from relayer.domain.transfer import TransferId

LEAST_RISE: Final = 110
"""Percent of the former price below which nodes call a replacement underpriced."""
CLOCK_SLACK: Final = 2.0
"""Seconds by which chain time may trail the wall clock when the end of a deadline is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    """How prices rise: ``step`` percent of the former one, ``offer`` percent of what is asked.

    Never above ``cap`` (smallest coin per unit of gas). Acts are not paid above ``most`` percent of
    what is asked either, so that a node that is merely slow does not make the lane pay the cap.
    """

    offer: int
    step: int
    most: int
    cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: until the same bytes are sent again, and until a dearer submission is made.

    The same bytes come first: they heal what a node has lost, and cost nothing.
    """

    resend: float = 4.0
    outbid: float = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The submissions on one nonce, oldest first, and what was done for them so far.

    ``sent_at`` and ``tried_at`` (seconds) are the last broadcast and the last try to outbid.
    ``refused`` says that a node called the newest one's bytes impossible; ``said`` is why it was
    last told not to get in.
    """

    submissions: tuple[Submission, ...]
    sent_at: float = 0.0
    tried_at: float = 0.0
    refused: bool = False
    said: Reason | None = None

    @property
    def newest(self) -> Submission:
        """The one that offers most, and the only one worth sending."""
        return self.submissions[-1]

    @property
    def carrier(self) -> Submission:
        """The newest one that carries acts: its Transfers are submitted under its name."""
        return next((one for one in reversed(self.submissions) if one.ids), self.newest)

    @property
    def key(self) -> str:
        """What tells races apart: the nonce where there is one, else the only submission."""
        return key_of(self.newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the chain is with the payer's nonces.

    ``next_nonce`` is the one it waits for (None: unknown, or it has none), ``since`` (seconds) the
    time from which on it has been the same, ``floor`` what the race on it offers (0: no race is).
    """

    next_nonce: int | None = None
    since: float = 0.0
    floor: int = 0


class Move(StrEnum):
    """What to do about a race now."""

    WAIT = "wait"
    SEND = "send"
    OUTBID = "outbid"
    EMPTY = "empty"


def key_of(submission: Submission) -> str:
    """Equal for submissions of which at most one can land."""
    return submission.tx if submission.nonce is None else f"nonce {submission.nonce}"


def next_move(
    race: Race, standing: Standing, *, wanted: bool, now: float, patience: Patience
) -> Move:
    """What to do about a race that is not over, at ``now`` (seconds).

    Only the race that the chain waits for holds up the others, so only it and those cheaper than
    it are outbid, and only while the chain does not go on by itself. Races that nobody ``wanted``
    any more, past their deadline, or refused by a node are emptied: no nonce may block. Without
    nonces nothing blocks: what is not wanted is left to die.
    """
    newest, next_nonce = race.newest, standing.next_nonce
    if newest.nonce is None and not wanted:
        return Move.WAIT
    if newest.nonce is None or next_nonce is None:
        return _send_or_wait(race, now, patience)
    if newest.nonce < next_nonce:
        return Move.WAIT
    if now - race.tried_at < patience.outbid:
        return _send_or_wait(race, now, patience)
    if newest.ids and (race.refused or not wanted or _is_late(newest, now)):
        return Move.EMPTY
    holds_up = newest.nonce == next_nonce or newest.price < standing.floor
    if holds_up and now - max(newest.made_at, standing.since) >= patience.outbid:
        return Move.OUTBID if newest.ids else Move.EMPTY
    return _send_or_wait(race, now, patience)


def gap(races: Iterable[Race], standing: Standing, *, now: float, patience: Patience) -> int | None:
    """The nonce below all races that the chain has waited for too long; None without such a gap.

    Its transaction was somebody else's, or one that is forgotten here, and has left the pool.
    """
    first = min(races, key=lambda race: race.newest.nonce or 0, default=None)
    if first is None or first.newest.nonce is None or standing.next_nonce is None:
        return None
    waited = now - max(standing.since, first.submissions[0].made_at)
    missing = standing.next_nonce < first.newest.nonce
    return standing.next_nonce if missing and waited >= patience.outbid else None


def dearer(former: int | None, asked: int, bids: Bids, *, empty: bool = False) -> int | None:
    """A price that a node takes in place of the former one (None: there is none); None: capped.

    ``asked`` is what a unit of gas costs now; ``empty`` says that no acts are paid for.
    """
    offer, most = max(asked * bids.offer // 100, 1), max(asked * bids.most // 100, 1)
    ceiling = bids.cap if empty else min(bids.cap, most)
    if former is None:
        return min(offer, ceiling) if asked <= bids.cap else None
    least = -(-former * LEAST_RISE // 100) + 1
    if least > ceiling:
        return None
    return min(max(offer, -(-former * bids.step // 100), least), ceiling)


def concluded(race: Race, landings: Landings, now: float) -> tuple[Fact, ...] | None:
    """What a race's end means for its Transfers; None while it is not over.

    One that landed or failed ends it, whatever is said of its rivals; without one, all must be
    dead.
    """
    told = [(one, landings.of[one.tx]) for one in race.submissions if one.tx in landings.of]
    winner = next((pair for pair in told if pair[1].kind in _ENDED), None)
    if winner is not None:
        return _facts(race, winner[0], winner[1], now)
    if len(told) < len(race.submissions) or any(one.kind is LandingKind.PENDING for _, one in told):
        return None
    return _facts(race, race.carrier, landings.of[race.carrier.tx], now)


def races_of(submissions: Iterable[Submission]) -> list[Race]:
    """Submissions by race, oldest first in each."""
    groups: dict[str, list[Submission]] = {}
    for one in sorted(submissions, key=lambda one: (one.nonce or 0, one.price, one.made_at)):
        groups.setdefault(key_of(one), []).append(one)
    return [Race(submissions=tuple(group)) for group in groups.values()]


_ENDED: Final = frozenset({LandingKind.LANDED, LandingKind.FAILED})


def _send_or_wait(race: Race, now: float, patience: Patience) -> Move:
    return Move.SEND if now - race.sent_at >= patience.resend else Move.WAIT


def _is_late(submission: Submission, now: float) -> bool:
    return 0 < submission.useful_until < now - CLOCK_SLACK


def _facts(race: Race, winner: Submission, landing: Landing, now: float) -> tuple[Fact, ...]:
    tx = race.carrier.tx
    return tuple(_fact(i, tx, winner, landing, now) for i in race.carrier.ids)


def _fact(transfer: TransferId, tx: str, winner: Submission, landing: Landing, now: float) -> Fact:
    skipped = landing.skipped.get(transfer)
    if landing.kind is LandingKind.LANDED and transfer in winner.ids and skipped is None:
        return Landed(id=transfer, tx=tx, at=now)
    gone = landing.kind is LandingKind.DEAD or transfer not in winner.ids
    return Unlanded(
        id=transfer,
        tx=tx,
        reason=Reason.SUBMISSION_EXPIRED if gone else reason_of(skipped or ""),
        until=now if gone else now + wait_before(1),
        at=now,
        detail=skipped or landing.detail or ("its nonce was used up empty" if gone else ""),
    )


def rivals(submission: Submission, others: Iterable[Submission]) -> Sequence[Submission]:
    """The others that can not land if this one does."""
    key = key_of(submission)
    return [one for one in others if one.tx != submission.tx and key_of(one) == key]
