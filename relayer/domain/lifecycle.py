"""The life of a Transfer: ``transition(transfer, fact) -> (transfer, told, effects)``.

Total and pure: every stage answers every fact, and a fact that means nothing to a stage changes
nothing. Facts are past tense and may come twice or out of order (the bus is at least once and is
not trusted), so no fact is ever an error. Only facts read from a chain end a Transfer.

    SEEN ──verified──► WAITING ──accepted──► DRAFTING ──drafted──► SIGNING ──quorum──► READY
      ▲                  ▲ held: waits under a Reason │               │ no quorum in time │ sealed
      │                  └────────────────────────────┘               │                   ▼
      └───────────────────────── failed, skipped or dead ─────────────┴─────────── SUBMITTED
    any ──final delivery──► DELIVERED    any ──final void──► VOIDED    any ──refused──► PARKED

The same way is gone for each of the three acts. The destination's lane delivers; when an operator
orders a refund, the act becomes a VOID and begins anew. A final void ends the destination's part:
the source's lane is told, and goes the way once more with the act REFUND, which ends in REFUNDED.
A deposit without a destination has no delivery to void: its own lane refunds it at once. Once a
refund is ordered there is no way back to a delivery, but the one already under way may still win.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from relayer.domain.backoff import wait_before
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
    HandedOver,
    Held,
    Landed,
    Outdated,
    Parked,
    Refunded,
    RefundOrdered,
    Retried,
    Sealed,
    Stuck,
    Unlanded,
    Voided,
)
from relayer.domain.reasons import Reason
from relayer.domain.refusals import FOR_GOOD
from relayer.domain.stage import LEFT, SIGNED, Stage, Transfer
from relayer.domain.transfer import ActKind, ReceiptKind

RECHECK_SECONDS: Final = 30.0
"""How long a landed delivery may stay unseen by the listener before its receipt is asked for."""

MOST_FAILURES: Final = 10
"""Submissions that fail on chain, each at the payer's cost, before an operator has to look."""


GATE: Final = frozenset(
    {
        *(Reason.NO_LEASE, Reason.HALTED, Reason.MULTIPLIER_DIFFERS),
        *(Reason.PAYER_EMPTY, Reason.FEE_CAPPED),
    }
)
"""Holds that say nothing about how often an act was tried."""


class Effect(StrEnum):
    """What the lane must do for a Transfer after the commit that persisted it."""

    VERIFY = "verify"
    DRAFT = "draft"
    REQUEST_SIGNATURES = "request_signatures"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The new Transfer (None: forget it), what to tell the world, and what to do.

    ``told`` names the stage to announce in ``transfers``; None when nothing worth telling changed.
    ``kept`` is False for what a restart brings again by itself, so that no state has to say it.
    """

    transfer: Transfer | None
    told: Stage | None = None
    effects: tuple[Effect, ...] = ()
    kept: bool = True


def transition(  # noqa: C901, PLR0911, PLR0912 - one arm per fact is what makes it total
    transfer: Transfer | None, fact: Fact
) -> Transition:
    """What a fact makes of a Transfer; total over every stage and every fact."""
    if transfer is None:
        return _begin(fact)
    if transfer.stage in LEFT:
        return Transition(transfer=transfer)
    match fact:
        case DepositSeen() | HandedOver() | Accepted() | Drafted() | Sealed() | Landed():
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
        case Stuck():
            return _stuck(transfer, fact)
        case Unlanded():
            return _unlanded(transfer, fact)
        case Outdated():
            return _outdated(transfer, fact)
        case Delivered() | Refunded():
            return _closed(transfer, fact)
        case Voided():
            return _voided(transfer, fact.at)
        case Due():
            return _due(transfer, fact)
        case Retried():
            return _retried(transfer, fact)
        case RefundOrdered():
            return _refund_ordered(transfer, fact)
        case _:
            assert_never(fact)


def _begin(fact: Fact) -> Transition:
    match fact:
        case DepositSeen(deposit=deposit, at=at):
            begun = Transfer(deposit=deposit, stage=Stage.SEEN, since=at, seen_at=at)
            return Transition(transfer=begun, told=Stage.SEEN, effects=(Effect.VERIFY,))
        case HandedOver(deposit=deposit, at=at):
            begun = Transfer(deposit=deposit, stage=Stage.SEEN, since=at, seen_at=at)
            begun = replace(begun, act=ActKind.REFUND)
            return Transition(transfer=begun, effects=(Effect.VERIFY,))
        case _:
            return Transition(transfer=None)


def _advance(
    transfer: Transfer, fact: DepositSeen | HandedOver | Accepted | Drafted | Sealed | Landed
) -> Transition:
    match fact, transfer.stage:
        case Accepted(at=at), Stage.WAITING:
            drafting = _enter(transfer, Stage.DRAFTING, at)
            return Transition(transfer=drafting, effects=(Effect.DRAFT,))
        case Drafted(draft=draft, until=until, at=at), Stage.DRAFTING if draft.kind is transfer.act:
            signing = _enter(transfer, Stage.SIGNING, at)
            signing = replace(signing, draft=draft, attestations=(), due_at=until)
            return Transition(
                transfer=signing,
                told=Stage.SIGNING,
                effects=(Effect.REQUEST_SIGNATURES,),
            )
        case Sealed(tx=tx, at=at, replaces=None), Stage.READY:
            return _submitted(transfer, tx, at)
        case Sealed(tx=tx, at=at), Stage.SUBMITTED if fact.replaces == transfer.submission:
            return _submitted(transfer, tx, at)
        case Landed(tx=tx, at=at), Stage.SUBMITTED if tx == transfer.submission:
            # A restart that misses the submission looks at the chains at once.
            landed = replace(transfer, due_at=at + RECHECK_SECONDS)
            return Transition(transfer=landed, kept=False)
        case _:
            return Transition(transfer=transfer)


def _submitted(transfer: Transfer, tx: str, at: float) -> Transition:
    submitted = replace(_enter(transfer, Stage.SUBMITTED, at), submission=tx)
    return Transition(transfer=submitted, told=Stage.SUBMITTED)


def _verified(transfer: Transfer, fact: DepositVerified) -> Transition:
    known = replace(transfer, deposit=fact.deposit, verified=True)
    receipt = fact.receipt.kind if fact.receipt is not None else None
    if fact.refunded:
        return Transition(transfer=_enter(known, Stage.REFUNDED, fact.at), told=Stage.REFUNDED)
    if transfer.act is ActKind.REFUND and fact.deposit.destination is not None:
        return _voided_elsewhere(transfer, known, receipt, fact.at)
    if receipt is ReceiptKind.VOIDED:
        return _voided(known, fact.at)
    if receipt is ReceiptKind.DELIVERED:
        done = _enter(known, Stage.DELIVERED, fact.at)
        return Transition(transfer=done, told=Stage.DELIVERED)
    if transfer.stage is Stage.PARKED:
        return Transition(transfer=known)
    if transfer.order is None and fact.deposit.flaw is not None:
        return _park(known, fact.deposit.flaw, fact.at, "")
    return _wait(known, fact.at)


def _voided_elsewhere(
    transfer: Transfer, known: Transfer, receipt: ReceiptKind | None, at: float
) -> Transition:
    """The source's lane believes a void only where it reads it; a delivery ends its part."""
    if receipt is ReceiptKind.DELIVERED:
        return Transition(transfer=None)
    if receipt is ReceiptKind.VOIDED:
        return _wait(known, at)
    if transfer.stage in {Stage.PARKED, Stage.SUBMITTED}:
        return Transition(transfer=transfer)
    until, detail = at + wait_before(known.attempts), "the destination shows no final void"
    hold = Held(id=known.deposit.id, reason=Reason.VOID_PENDING, until=until, at=at, detail=detail)
    held = _held(replace(known, verified=False), hold).transfer
    return Transition(transfer=held and replace(held, attempts=known.attempts + 1))


def _wait(known: Transfer, at: float) -> Transition:
    """What was read anew is judged next; an order given in the meantime changes the act."""
    if known.stage not in {Stage.SEEN, Stage.SUBMITTED}:
        return Transition(transfer=known)
    waiting = replace(_enter(known, Stage.WAITING, at), due_at=at, act=_act_of(known))
    return Transition(transfer=waiting)


def _act_of(transfer: Transfer) -> ActKind:
    """What an order to refund makes of the act: a void first, where there is a delivery to void."""
    if transfer.order is None or transfer.act is ActKind.REFUND:
        return transfer.act
    return ActKind.REFUND if transfer.deposit.destination is None else ActKind.VOID


def _denied(transfer: Transfer) -> Transition:
    """Forget a record the source denies, unless this lane had read the deposit before."""
    return Transition(transfer=transfer if transfer.verified else None)


def _held(transfer: Transfer, fact: Held) -> Transition:
    if transfer.stage in {Stage.PARKED, Stage.SUBMITTED}:
        return Transition(transfer=transfer)
    stage = Stage.WAITING if transfer.verified else Stage.SEEN
    held = _enter(transfer, stage, fact.at)
    if transfer.stage is Stage.READY and fact.reason not in GATE:
        held = replace(held, attempts=transfer.attempts + 1)
    told = None if transfer.reason is fact.reason else Stage.WAITING
    if transfer.reason is fact.reason:
        held = replace(held, since=transfer.since)
    return Transition(
        transfer=replace(held, reason=fact.reason, detail=fact.detail, due_at=fact.until),
        told=told,
    )


def _parked(transfer: Transfer, fact: Parked) -> Transition:
    stale = fact.act is not None and fact.act is not transfer.act
    if stale or transfer.stage in {Stage.PARKED, Stage.SUBMITTED}:
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
        return Transition(transfer=signed, kept=False)  # a restart asks for signatures again
    return Transition(transfer=_enter(signed, Stage.READY, fact.at), told=Stage.READY)


def _stuck(transfer: Transfer, fact: Stuck) -> Transition:
    """Say why a submission does not get in; the Transfer stays submitted, for it may still land."""
    if transfer.stage is not Stage.SUBMITTED or transfer.submission != fact.tx:
        return Transition(transfer=transfer)
    told = None if transfer.reason is fact.reason else Stage.SUBMITTED
    stuck = replace(transfer, reason=fact.reason, detail=fact.detail)
    return Transition(transfer=stuck, told=told)


def _unlanded(transfer: Transfer, fact: Unlanded) -> Transition:
    if transfer.stage is not Stage.SUBMITTED or transfer.submission != fact.tx:
        return Transition(transfer=transfer)
    cost = fact.reason is Reason.SUBMISSION_FAILED
    failures = transfer.failures + 1 if cost else transfer.failures
    ended = replace(transfer, attempts=transfer.attempts + 1, failures=failures, submission=None)
    hopeless = fact.reason in FOR_GOOD or (cost and failures >= MOST_FAILURES)
    if hopeless and (transfer.order is None or transfer.act is not ActKind.DELIVER):
        return _park(ended, fact.reason, fact.at, fact.detail)
    again = _enter(ended, Stage.SEEN, fact.at)
    until = fact.until
    if fact.reason is not Reason.SUBMISSION_EXPIRED:
        until = max(until, fact.at + wait_before(transfer.attempts))
    again = replace(again, reason=fact.reason, detail=fact.detail, due_at=until)
    return Transition(transfer=again, told=Stage.WAITING)


def _outdated(transfer: Transfer, fact: Outdated) -> Transition:
    """Draft anew what can not be executed any more, after a look at what the chain has of it."""
    draft = transfer.draft
    if transfer.stage not in SIGNED or draft is None or draft.digest != fact.digest:
        return Transition(transfer=transfer)
    again = replace(_enter(transfer, Stage.SEEN, fact.at), submission=None)
    again = replace(again, reason=Reason.EPOCH_ENDED, due_at=fact.at + RECHECK_SECONDS)
    return Transition(transfer=again, told=Stage.WAITING, effects=(Effect.VERIFY,))


def _closed(transfer: Transfer, fact: Delivered | Refunded) -> Transition:
    """A delivery ends what the destination's lane wants, a refund what the source's lane wants."""
    if isinstance(fact, Refunded) is not (transfer.act is ActKind.REFUND):
        return Transition(transfer=transfer)
    stage = Stage.DELIVERED if isinstance(fact, Delivered) else Stage.REFUNDED
    return Transition(transfer=_enter(transfer, stage, fact.at), told=stage)


def _voided(transfer: Transfer, at: float) -> Transition:
    """The destination's part is over; the source's lane is told in the same commit."""
    if transfer.act is ActKind.REFUND:
        return Transition(transfer=transfer)
    return Transition(
        transfer=_enter(transfer, Stage.VOIDED, at),
        told=Stage.VOIDED,
        effects=(Effect.HAND_OVER,),
    )


def _due(transfer: Transfer, fact: Due) -> Transition:
    match transfer.stage:
        case Stage.SEEN | Stage.SUBMITTED:
            later = replace(transfer, due_at=fact.at + RECHECK_SECONDS)
            return Transition(transfer=later, effects=(Effect.VERIFY,))
        case Stage.SIGNING:
            # Attesters may refuse what the chain has ended already: look there before asking again.
            again = replace(_enter(transfer, Stage.SEEN, fact.at), attempts=transfer.attempts + 1)
            again = replace(again, reason=Reason.QUORUM_MISSING, due_at=fact.at + RECHECK_SECONDS)
            return Transition(transfer=again, told=Stage.WAITING, effects=(Effect.VERIFY,))
        case Stage.DRAFTING:
            return Transition(transfer=replace(transfer, due_at=None), effects=(Effect.DRAFT,))
        case Stage.WAITING | Stage.READY | Stage.PARKED:
            return Transition(transfer=transfer)
        case Stage.DELIVERED | Stage.REFUNDED | Stage.VOIDED:
            return Transition(transfer=transfer)
        case _:
            assert_never(transfer.stage)


def _retried(transfer: Transfer, fact: Retried) -> Transition:
    if transfer.stage not in {Stage.PARKED, Stage.WAITING, Stage.SEEN}:
        return Transition(transfer=transfer)
    again = replace(_enter(transfer, Stage.SEEN, fact.at), attempts=0, failures=0)
    return Transition(transfer=again, told=Stage.SEEN, effects=(Effect.VERIFY,))


def _refund_ordered(transfer: Transfer, fact: RefundOrdered) -> Transition:
    """The act becomes a void or a refund, and all begins anew with a look at the chains.

    A submission under way is waited for first: should it deliver, the order has come too late.
    """
    given = replace(transfer, order=fact.order)
    if transfer.stage is Stage.SUBMITTED:
        return Transition(transfer=given)
    again = replace(_enter(given, Stage.SEEN, fact.at), act=_act_of(given))
    again = replace(again, reason=Reason.REFUND_ORDERED, attempts=0, failures=0)
    return Transition(transfer=again, told=Stage.WAITING, effects=(Effect.VERIFY,))


def _park(transfer: Transfer, reason: Reason, at: float, detail: str) -> Transition:
    parked = replace(_enter(transfer, Stage.PARKED, at), reason=reason, detail=detail)
    return Transition(transfer=parked, told=Stage.PARKED)


def _enter(transfer: Transfer, stage: Stage, at: float) -> Transfer:
    return replace(transfer, stage=stage, since=at, reason=None, detail="", due_at=None)
