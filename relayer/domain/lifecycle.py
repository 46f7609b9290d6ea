"""The life of a Transfer: ``transition(transfer, fact) -> (transfer, told, effects)``.

Total and pure: every stage answers every fact, and a fact that means nothing to a stage changes
nothing. Facts are past tense and may come twice or out of order (the bus is at least once and is
not trusted), so no fact is ever an error. Only facts read from a chain end a Transfer.

    SEEN ──verified──► WAITING ──accepted──► DRAFTING ──drafted──► SIGNING ──quorum──► READY
                         ▲ ▲ held: waits under a Reason               │ no quorum in time │ sealed
                         │ └──────────────────────────────────────────┘                   ▼
                         └──────────── failed, skipped or dead ─────────────────── SUBMITTED
    any ──final delivery──► DELIVERED    any ──final void──► VOIDED ──final refund──► REFUNDED
    any ──refused for good──► PARKED (an operator retries, or refunds)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from relayer.domain.draft import Attestation, Draft
from relayer.domain.facts import (
    Accepted,
    Attested,
    Delivered,
    DepositDenied,
    DepositSeen,
    DepositVerified,
    Drafted,
    Due,
    Fact,
    Held,
    Landed,
    Parked,
    Refunded,
    Retried,
    Sealed,
    Unlanded,
    Voided,
)
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Deposit, ReceiptKind

RECHECK_SECONDS: Final = 30.0
"""How long a landed delivery may stay unseen by the listener before its receipt is asked for."""


class Stage(StrEnum):
    """Where a Transfer stands. Persisted: never rename or remove one."""

    SEEN = "seen"
    WAITING = "waiting"
    DRAFTING = "drafting"
    SIGNING = "signing"
    READY = "ready"
    SUBMITTED = "submitted"
    PARKED = "parked"
    DELIVERED = "delivered"
    VOIDED = "voided"
    REFUNDED = "refunded"


CLOSED: Final = frozenset({Stage.DELIVERED, Stage.REFUNDED})
"""Stages after which a lane forgets a Transfer; the chain remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One user's movement of an asset, as its lane knows it.

    ``due_at`` (seconds since the epoch) is when it wants attention by itself; ``verified`` says
    that this lane has read the deposit on the source chain.
    """

    deposit: Deposit
    stage: Stage
    since: float
    seen_at: float
    verified: bool = False
    reason: Reason | None = None
    detail: str = ""
    due_at: float | None = None
    attempts: int = 0
    draft: Draft | None = None
    attestations: tuple[Attestation, ...] = ()
    submission: str | None = None


class Effect(StrEnum):
    """What the lane must do for a Transfer after the commit that persisted it."""

    VERIFY = "verify"
    DRAFT = "draft"
    REQUEST_SIGNATURES = "request_signatures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The new Transfer (None: forget it), what to tell the world, and what to do.

    ``told`` names the stage to announce in ``transfers``; None when nothing worth telling changed.
    """

    transfer: Transfer | None
    told: Stage | None = None
    effects: tuple[Effect, ...] = ()


def transition(  # noqa: C901, PLR0911, PLR0912 - one arm per fact is what makes it total
    transfer: Transfer | None, fact: Fact
) -> Transition:
    """What a fact makes of a Transfer; total over every stage and every fact."""
    if transfer is None:
        return _begin(fact)
    if transfer.stage in CLOSED:
        return Transition(transfer=transfer)
    match fact:
        case DepositSeen() | Accepted() | Drafted() | Sealed() | Landed():
            return _advance(transfer, fact)
        case DepositVerified():
            return _verified(transfer, fact)
        case DepositDenied():
            return _denied(transfer)
        case Held():
            return _held(transfer, fact)
        case Parked():
            return _parked(transfer, fact)
        case Attested():
            return _attested(transfer, fact)
        case Unlanded():
            return _unlanded(transfer, fact)
        case Delivered() | Refunded():
            return _closed(transfer, fact)
        case Voided():
            return _voided(transfer, fact.at)
        case Due():
            return _due(transfer, fact)
        case Retried():
            return _retried(transfer, fact)
        case _:
            assert_never(fact)


def _begin(fact: Fact) -> Transition:
    if not isinstance(fact, DepositSeen):
        return Transition(transfer=None)
    begun = Transfer(deposit=fact.deposit, stage=Stage.SEEN, since=fact.at, seen_at=fact.at)
    return Transition(transfer=begun, told=Stage.SEEN, effects=(Effect.VERIFY,))


def _advance(
    transfer: Transfer, fact: DepositSeen | Accepted | Drafted | Sealed | Landed
) -> Transition:
    match fact, transfer.stage:
        case Accepted(at=at), Stage.WAITING:
            drafting = _enter(transfer, Stage.DRAFTING, at)
            return Transition(transfer=drafting, effects=(Effect.DRAFT,))
        case Drafted(draft=draft, until=until, at=at), Stage.DRAFTING:
            signing = _enter(transfer, Stage.SIGNING, at)
            signing = replace(signing, draft=draft, attestations=(), due_at=until)
            return Transition(
                transfer=signing,
                told=Stage.SIGNING,
                effects=(Effect.REQUEST_SIGNATURES,),
            )
        case Sealed(tx=tx, at=at), Stage.READY:
            submitted = replace(_enter(transfer, Stage.SUBMITTED, at), submission=tx)
            return Transition(transfer=submitted, told=Stage.SUBMITTED)
        case Landed(tx=tx, at=at), Stage.SUBMITTED if tx == transfer.submission:
            return Transition(transfer=replace(transfer, due_at=at + RECHECK_SECONDS))
        case _:
            return Transition(transfer=transfer)


def _verified(transfer: Transfer, fact: DepositVerified) -> Transition:
    known = replace(transfer, deposit=fact.deposit, verified=True)
    if fact.receipt is not None and fact.receipt.kind is ReceiptKind.VOIDED:
        return _voided(known, fact.at)
    if fact.receipt is not None:
        done = _enter(known, Stage.DELIVERED, fact.at)
        return Transition(transfer=done, told=Stage.DELIVERED)
    if transfer.stage is Stage.PARKED or transfer.stage is Stage.VOIDED:
        return Transition(transfer=known)
    if fact.deposit.flaw is not None:
        return _park(known, fact.deposit.flaw, fact.at, "")
    if transfer.stage in {Stage.SEEN, Stage.SUBMITTED}:
        return Transition(transfer=replace(_enter(known, Stage.WAITING, fact.at), due_at=fact.at))
    return Transition(transfer=known)


def _denied(transfer: Transfer) -> Transition:
    """Forget a record the source denies, unless this lane had read the deposit before."""
    return Transition(transfer=transfer if transfer.verified else None)


def _held(transfer: Transfer, fact: Held) -> Transition:
    if transfer.stage in {Stage.PARKED, Stage.VOIDED, Stage.SUBMITTED} or transfer.stage in CLOSED:
        return Transition(transfer=transfer)
    stage = Stage.WAITING if transfer.verified else Stage.SEEN
    held = _enter(transfer, stage, fact.at)
    told = None if transfer.reason is fact.reason else Stage.WAITING
    if transfer.reason is fact.reason:
        held = replace(held, since=transfer.since)
    return Transition(
        transfer=replace(held, reason=fact.reason, detail=fact.detail, due_at=fact.until),
        told=told,
    )


def _parked(transfer: Transfer, fact: Parked) -> Transition:
    if transfer.stage in {Stage.PARKED, Stage.VOIDED, Stage.SUBMITTED} or transfer.stage in CLOSED:
        return Transition(transfer=transfer)
    return _park(transfer, fact.reason, fact.at, fact.detail)


def _attested(transfer: Transfer, fact: Attested) -> Transition:
    draft, new = transfer.draft, fact.attestation
    if transfer.stage is not Stage.SIGNING or draft is None or new.digest != draft.digest:
        return Transition(transfer=transfer)
    if any(old.attester == new.attester for old in transfer.attestations):
        return Transition(transfer=transfer)
    signed = replace(transfer, attestations=(*transfer.attestations, new))
    if len(signed.attestations) < fact.needed:
        return Transition(transfer=signed)
    return Transition(transfer=_enter(signed, Stage.READY, fact.at), told=Stage.READY)


def _unlanded(transfer: Transfer, fact: Unlanded) -> Transition:
    if transfer.stage is not Stage.SUBMITTED or transfer.submission != fact.tx:
        return Transition(transfer=transfer)
    again = _enter(transfer, Stage.SEEN, fact.at)
    again = replace(again, reason=fact.reason, detail=fact.detail, due_at=fact.until)
    return Transition(
        transfer=replace(again, attempts=transfer.attempts + 1, submission=None),
        told=Stage.WAITING,
    )


def _closed(transfer: Transfer, fact: Delivered | Refunded) -> Transition:
    stage = Stage.DELIVERED if isinstance(fact, Delivered) else Stage.REFUNDED
    return Transition(transfer=_enter(transfer, stage, fact.at), told=stage)


def _voided(transfer: Transfer, at: float) -> Transition:
    if transfer.stage is Stage.VOIDED:
        return Transition(transfer=transfer)
    return Transition(transfer=_enter(transfer, Stage.VOIDED, at), told=Stage.VOIDED)


def _due(transfer: Transfer, fact: Due) -> Transition:
    match transfer.stage:
        case Stage.SEEN | Stage.SUBMITTED:
            later = replace(transfer, due_at=fact.at + RECHECK_SECONDS)
            return Transition(transfer=later, effects=(Effect.VERIFY,))
        case Stage.SIGNING:
            again = _enter(transfer, Stage.WAITING, fact.at)
            again = replace(again, reason=Reason.QUORUM_MISSING, due_at=fact.at)
            told = None if transfer.reason is Reason.QUORUM_MISSING else Stage.WAITING
            return Transition(transfer=replace(again, attempts=transfer.attempts + 1), told=told)
        case Stage.DRAFTING:
            return Transition(transfer=replace(transfer, due_at=None), effects=(Effect.DRAFT,))
        case Stage.WAITING | Stage.READY | Stage.PARKED | Stage.VOIDED:
            return Transition(transfer=transfer)
        case Stage.DELIVERED | Stage.REFUNDED:
            return Transition(transfer=transfer)
        case _:
            assert_never(transfer.stage)


def _retried(transfer: Transfer, fact: Retried) -> Transition:
    if transfer.stage is not Stage.PARKED:
        return Transition(transfer=transfer)
    again = _enter(transfer, Stage.SEEN, fact.at)
    return Transition(transfer=again, told=Stage.SEEN, effects=(Effect.VERIFY,))


def _park(transfer: Transfer, reason: Reason, at: float, detail: str) -> Transition:
    parked = replace(_enter(transfer, Stage.PARKED, at), reason=reason, detail=detail)
    return Transition(transfer=parked, told=Stage.PARKED)


def _enter(transfer: Transfer, stage: Stage, at: float) -> Transfer:
    return replace(transfer, stage=stage, since=at, reason=None, detail="", due_at=None)
