"""What each stage makes of a hold, a refusal, a time that has come, and an operator's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.domain.backoff import wait_before
from relayer.domain.facts import (
    Due,
    Fact,
    Held,
    Outdated,
    Parked,
    RefundOrdered,
    Retried,
    Stuck,
    Unlanded,
)
from relayer.domain.lifecycle import RECHECK_SECONDS, Effect, Transition, transition
from relayer.domain.reasons import Reason
from relayer.domain.refusals import FOR_GOOD
from relayer.domain.stage import Stage
from relayer.domain.transfer import ActKind
from tests.domain.lives import (
    ACCEPTED,
    DELIVERING,
    DRAFTED,
    ORDER,
    ORDERED,
    SEEN,
    TO_READY,
    VERIFIED,
    VOIDING,
    after_all,
)
from tests.domain.samples import ID

BY_OPERATOR = Parked(id=ID, reason=Reason.BY_OPERATOR, at=1_007, detail="look")
DUE = Due(id=ID, at=1_100)
DUE_AGAIN = DUE.at + RECHECK_SECONDS

AT_STAGE: dict[Stage, tuple[Fact, ...]] = {
    Stage.SEEN: (SEEN,),
    Stage.WAITING: (SEEN, VERIFIED),
    Stage.DRAFTING: (SEEN, VERIFIED, ACCEPTED),
    Stage.SIGNING: (SEEN, VERIFIED, ACCEPTED, DRAFTED),
    Stage.READY: TO_READY,
    Stage.SUBMITTED: DELIVERING,
    Stage.PARKED: (SEEN, BY_OPERATOR),
}
"""A way to each stage in which a lane still has a transfer to deliver."""


def unlanded(reason: Reason, **changes: float) -> Unlanded:
    plain = Unlanded(id=ID, tx="tx1", reason=reason, until=1_050, at=1_050, detail="said")
    return replace(plain, **changes)  # type: ignore[arg-type]  # only times are changed


@pytest.mark.parametrize("reason", Reason)
def test_a_hold_of_what_is_ready_counts_as_a_try_unless_it_is_the_gates(reason: Reason) -> None:
    """A missing lease or coin says nothing about the act; a failed seal makes the next wait longer."""
    gates = {
        *(Reason.NO_LEASE, Reason.HALTED, Reason.MULTIPLIER_DIFFERS),
        *(Reason.PAYER_EMPTY, Reason.FEE_CAPPED),
    }
    held = Held(id=ID, reason=reason, until=1_020, at=1_010, detail="words")

    state = after_all(*TO_READY, held)

    assert state.attempts == (0 if reason in gates else 1)
    assert (state.stage, state.reason, state.detail) == (Stage.WAITING, reason, "words")
    assert (state.due_at, state.since) == (1_020, 1_010)
    assert after_all(SEEN, VERIFIED, held).attempts == 0


def test_a_hold_says_since_when_it_lasts() -> None:
    """Under the same reason it began at the first time; another reason begins anew."""
    first = Held(id=ID, reason=Reason.NO_LEASE, until=1_005, at=1_004)
    again, other = replace(first, at=1_009), replace(first, reason=Reason.HALTED, at=1_009)

    assert after_all(SEEN, VERIFIED, first, again).since == 1_004
    assert after_all(SEEN, VERIFIED, first, other).since == 1_009


def test_what_was_not_read_is_read_first_after_a_hold() -> None:
    """A source that could not be read leaves the deposit unread: it is not judged."""
    held = Held(id=ID, reason=Reason.SOURCE_UNREADABLE, until=1_005, at=1_004)

    assert after_all(SEEN, held).stage is Stage.SEEN


@pytest.mark.parametrize("stage", AT_STAGE)
def test_what_is_submitted_or_parked_is_neither_held_nor_parked(stage: Stage) -> None:
    """A transaction under way may still land, and what an operator is to look at stays as it is."""
    state = after_all(*AT_STAGE[stage])
    assert state.stage is stage
    fixed = stage in {Stage.SUBMITTED, Stage.PARKED}
    held = transition(state, Held(id=ID, reason=Reason.HALTED, until=1_020, at=1_010))
    parked = transition(state, replace(BY_OPERATOR, reason=Reason.OVER_CAP))

    assert (held == Transition(transfer=state)) is fixed
    assert (parked == Transition(transfer=state)) is fixed
    if not fixed:
        assert parked.told is Stage.PARKED
        assert parked.transfer is not None
        assert (parked.transfer.reason, parked.transfer.detail) == (Reason.OVER_CAP, "look")
        assert (parked.transfer.since, parked.transfer.due_at) == (1_007, None)


def test_a_refusal_of_another_act_parks_nothing() -> None:
    """What was said of the delivery says nothing about the void that was ordered meanwhile."""
    state = after_all(*VOIDING[:3])
    refusal = replace(BY_OPERATOR, act=ActKind.DELIVER)

    assert transition(state, refusal) == Transition(transfer=state)
    assert transition(state, replace(refusal, act=ActKind.VOID)).told is Stage.PARKED


@pytest.mark.parametrize("stage", AT_STAGE)
def test_a_time_that_has_come_asks_for_what_the_stage_needs(stage: Stage) -> None:
    """Seen, submitted and signing look at the chains, drafting drafts; the others are judged."""
    state = after_all(*AT_STAGE[stage])
    step = transition(state, DUE)
    assert step.transfer is not None

    looks = {Stage.SEEN, Stage.SUBMITTED, Stage.SIGNING}
    effects = (Effect.VERIFY,) if stage in looks else ()
    assert step.effects == ((Effect.DRAFT,) if stage is Stage.DRAFTING else effects)
    if stage is Stage.SIGNING:
        assert step.told is Stage.WAITING
        assert (step.transfer.stage, step.transfer.reason) == (Stage.SEEN, Reason.QUORUM_MISSING)
        assert step.transfer.attempts == 1
    else:
        assert (step.told, step.transfer.stage) == (None, stage)
    if stage in looks:
        assert step.transfer.due_at == DUE_AGAIN
    if stage is Stage.DRAFTING:
        assert step.transfer.due_at is None
    if stage in {Stage.WAITING, Stage.READY, Stage.PARKED}:
        assert step.transfer == state


@pytest.mark.parametrize("stage", AT_STAGE)
def test_a_retry_begins_anew_where_nothing_is_under_way(stage: Stage) -> None:
    """The operator's word takes back all tries and failures; what is under way goes on."""
    state = replace(after_all(*AT_STAGE[stage]), attempts=3, failures=2)
    step = transition(state, Retried(id=ID, at=1_030))

    if stage in {Stage.PARKED, Stage.WAITING, Stage.SEEN}:
        assert (step.told, step.effects) == (Stage.SEEN, (Effect.VERIFY,))
        assert step.transfer is not None
        assert (step.transfer.stage, step.transfer.since) == (Stage.SEEN, 1_030)
        assert (step.transfer.attempts, step.transfer.failures) == (0, 0)
    else:
        assert step == Transition(transfer=state)


@pytest.mark.parametrize("stage", AT_STAGE)
def test_an_order_begins_the_void_unless_a_submission_is_under_way(stage: Stage) -> None:
    """All begins with a look at the chains; the signed order is kept in any case."""
    state = replace(after_all(*AT_STAGE[stage]), attempts=3, failures=2)
    step = transition(state, RefundOrdered(id=ID, order=ORDER, at=1_030))

    if stage is Stage.SUBMITTED:
        assert step == Transition(transfer=replace(state, order=ORDER))
        return
    assert (step.told, step.effects) == (Stage.WAITING, (Effect.VERIFY,))
    assert step.transfer is not None
    assert (step.transfer.stage, step.transfer.act) == (Stage.SEEN, ActKind.VOID)
    assert (step.transfer.order, step.transfer.reason) == (ORDER, Reason.REFUND_ORDERED)
    assert (step.transfer.attempts, step.transfer.failures) == (0, 0)


@pytest.mark.parametrize("reason", Reason)
def test_a_transaction_that_did_not_land_is_tried_again_or_set_aside(reason: Reason) -> None:
    """Refused for good it is parked; else it waits, longer if it was refused than if it expired."""
    state = replace(after_all(*DELIVERING), attempts=3)
    step = transition(state, unlanded(reason))
    assert step.transfer is not None

    assert (step.transfer.attempts, step.transfer.submission) == (4, None)
    assert step.transfer.failures == (reason is Reason.SUBMISSION_FAILED)
    assert (step.transfer.reason, step.transfer.detail) == (reason, "said")
    if reason in FOR_GOOD:
        assert (step.told, step.transfer.stage) == (Stage.PARKED, Stage.PARKED)
        return
    assert (step.told, step.transfer.stage) == (Stage.WAITING, Stage.SEEN)
    waits = 0 if reason is Reason.SUBMISSION_EXPIRED else wait_before(3)
    assert step.transfer.due_at == 1_050 + waits
    late = transition(state, unlanded(reason, until=1_090)).transfer
    assert late is not None
    assert late.due_at == 1_090


@pytest.mark.parametrize("reason", sorted(FOR_GOOD))
def test_a_refusal_for_good_ends_the_ordered_act_but_not_the_order(reason: Reason) -> None:
    """A refused delivery leaves the way to the ordered void open; a refused void is parked."""
    delivery_refused = transition(after_all(*DELIVERING, ORDERED), unlanded(reason)).transfer
    void_refused = transition(after_all(*VOIDING), unlanded(reason)).transfer

    assert delivery_refused is not None
    assert delivery_refused.stage is Stage.SEEN
    assert void_refused is not None
    assert void_refused.stage is Stage.PARKED


def test_words_about_a_submission_count_where_it_is_under_way() -> None:
    """Of another transaction, or when nothing is submitted, they change nothing."""
    stuck = Stuck(id=ID, tx="tx1", reason=Reason.FEE_CAPPED, at=1_006)
    for fact in (stuck, unlanded(Reason.SUBMISSION_EXPIRED)):
        ready = after_all(*TO_READY)
        assert transition(ready, fact) == Transition(transfer=ready)
        submitted = after_all(*DELIVERING)
        other = replace(fact, tx="other")
        assert transition(submitted, other) == Transition(transfer=submitted)


def test_what_is_outdated_is_looked_for_again_if_the_chains_stay_silent() -> None:
    """The reason says why, and the look is repeated; where nothing is signed nothing is outdated."""
    outdated = Outdated(id=ID, digest=DRAFTED.draft.digest, at=1_006)
    state = after_all(*TO_READY, outdated)

    assert (state.stage, state.reason) == (Stage.SEEN, Reason.EPOCH_ENDED)
    assert state.due_at == 1_006 + RECHECK_SECONDS
    waiting = after_all(*TO_READY, Held(id=ID, reason=Reason.HALTED, until=1_020, at=1_005))
    assert transition(waiting, outdated) == Transition(transfer=waiting)
