"""Single steps in the life of a transfer: what each fact changes, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from relayer.domain.backoff import wait_before
from relayer.domain.facts import (
    Attested,
    Delivered,
    DepositDenied,
    DepositVerified,
    Drafted,
    Fact,
    Landed,
    Parked,
    Refunded,
    Sealed,
    Voided,
)
from relayer.domain.lifecycle import RECHECK_SECONDS, Effect, Transition, transition
from relayer.domain.reasons import Reason
from relayer.domain.stage import LEFT, Stage, Transfer
from relayer.domain.transfer import ActKind, Receipt, ReceiptKind
from tests.domain.lives import (
    ACCEPTED,
    DELIVERING,
    DRAFTED,
    FLAW_READ,
    GIVING_BACK,
    HANDED_OVER,
    HISTORIES,
    ORDERED,
    REFUNDING,
    SEALED,
    SEEN,
    SIGNED,
    TO_READY,
    VERIFIED,
    VOID_READ,
    VOIDING,
    after_all,
    steps_of,
)
from tests.domain.samples import ID, attestation, delivery, deposit, draft, refund, void

DELIVERED_READ = replace(VERIFIED, receipt=Receipt(kind=ReceiptKind.DELIVERED))
REFUND_READ = replace(VERIFIED, refunded=True)
BY_OPERATOR = Parked(id=ID, reason=Reason.BY_OPERATOR, at=1_007, detail="look")


def test_the_histories_of_the_properties_reach_every_stage_with_every_act() -> None:
    """What a property never meets it can not refuse: random facts alone get as far as SEEN."""
    reached: set[tuple[ActKind, Stage]] = set()

    @settings(database=None)
    @given(HISTORIES)
    def note(history: list[Fact]) -> None:
        states = (step.transfer for *_, step in steps_of(history))
        reached.update((state.act, state.stage) for state in states if state is not None)

    note()

    under_way = set(Stage) - LEFT
    assert reached >= {(act, stage) for act in ActKind for stage in under_way}
    assert {stage for _, stage in reached} == set(Stage)


@given(HISTORIES)
def test_what_the_chains_say_decides(history: list[Fact]) -> None:
    """A refund or a receipt that was read ends what it ends, whatever was believed before."""
    for before, fact, step in steps_of(history):
        if before is None or before.stage in LEFT or not isinstance(fact, DepositVerified):
            continue
        receipt = fact.receipt.kind if fact.receipt is not None else None
        if fact.refunded:
            assert step.told is Stage.REFUNDED
        elif before.act is ActKind.REFUND and fact.deposit.destination is not None:
            assert (step.transfer is None) == (receipt is ReceiptKind.DELIVERED)
        elif receipt is not None:
            told = {ReceiptKind.DELIVERED: Stage.DELIVERED, ReceiptKind.VOIDED: Stage.VOIDED}
            assert step.told is told[receipt]
        if step.transfer is not None and step.transfer.verified:
            assert step.transfer.deposit == fact.deposit or step.transfer == before


@given(HISTORIES)
def test_a_step_tells_where_the_transfer_then_stands(history: list[Fact]) -> None:
    """What is told is the new stage; a hold and a new beginning are both told as waiting."""
    for _, _, step in steps_of(history):
        if step.told is not None:
            assert step.transfer is not None
            kept = step.transfer.stage
            assert step.told is kept or (step.told, kept) == (Stage.WAITING, Stage.SEEN)


def test_a_deposit_is_told_and_read_as_soon_as_it_is_seen() -> None:
    """The lane begins with a look at the source, and believes nothing of the record before."""
    step = transition(None, SEEN)

    assert (step.told, step.effects) == (Stage.SEEN, (Effect.VERIFY,))
    assert step.transfer == Transfer(
        deposit=deposit(), stage=Stage.SEEN, since=SEEN.at, seen_at=SEEN.at
    )


def test_what_was_read_replaces_what_was_told() -> None:
    """The record on the bus may lie about everything but the id: the chain's word is kept."""
    told = replace(SEEN, deposit=deposit(shares=5 * deposit().shares, recipient=bytes(32)))

    state = after_all(told, VERIFIED)

    assert (state.deposit, state.verified) == (deposit(), True)
    assert (state.stage, state.due_at) == (Stage.WAITING, VERIFIED.at)


def test_a_record_that_its_source_denies_is_forgotten() -> None:
    """Nothing was read yet, so nothing is lost: the Sweep finds what is really there."""
    assert transition(after_all(SEEN), DepositDenied(id=ID, at=1_001)) == Transition(transfer=None)


def test_a_flaw_parks_under_its_name_until_a_refund_is_ordered() -> None:
    """What names no destination waits for an operator; ordered, it is given back without a void."""
    parked = after_all(SEEN, FLAW_READ)
    ordered = transition(parked, ORDERED)
    begun = after_all(SEEN, FLAW_READ, ORDERED, FLAW_READ)

    assert (parked.stage, parked.reason) == (Stage.PARKED, Reason.MEMO_MALFORMED)
    assert transition(parked, replace(FLAW_READ, at=1_050)).told is None
    assert (ordered.told, ordered.effects) == (Stage.WAITING, (Effect.VERIFY,))
    assert (begun.stage, begun.act, begun.reason) == (Stage.WAITING, ActKind.REFUND, None)
    assert after_all(*GIVING_BACK).stage is Stage.SUBMITTED


def test_a_refund_already_read_ends_every_act() -> None:
    """The source gave the shares back: there is nothing to deliver, to void or to refund."""
    for way in (DELIVERING, VOIDING, REFUNDING):
        step = transition(after_all(*way), REFUND_READ)
        assert (step.told, step.transfer and step.transfer.stage) == (Stage.REFUNDED,) * 2


def test_a_handed_over_transfer_waits_until_its_void_is_read() -> None:
    """The word of the other lane proves nothing: the source's lane looks again, less and less often."""
    begun = transition(None, HANDED_OVER)
    assert (begun.told, begun.effects) == (None, (Effect.VERIFY,))
    state = begun.transfer
    for attempt in range(4):
        state = transition(state, VERIFIED).transfer
        assert state is not None
        assert (state.stage, state.reason) == (Stage.SEEN, Reason.VOID_PENDING)
        assert (state.attempts, state.verified) == (attempt + 1, False)
        assert state.due_at == VERIFIED.at + wait_before(attempt)

    found = transition(state, VOID_READ).transfer
    assert found is not None
    assert (found.stage, found.act, found.verified) == (Stage.WAITING, ActKind.REFUND, True)
    assert found.due_at == VOID_READ.at
    assert transition(state, DELIVERED_READ) == Transition(transfer=None)


@pytest.mark.parametrize("parked", [False, True])
def test_a_destination_that_lags_changes_no_refund_under_way(*, parked: bool) -> None:
    """Submitted or parked, it stays what it was, also for a source that denies the deposit next."""
    way = (*REFUNDING[:2], BY_OPERATOR) if parked else REFUNDING
    state = after_all(*way)

    assert transition(state, VERIFIED).transfer == state


def test_a_void_that_was_read_hands_over_as_one_that_was_told() -> None:
    """The receipt is as good as the listener's word; the source's own lane hands nothing over."""
    for fact in (VOID_READ, Voided(void=void(deposit()), at=1_007)):
        step = transition(after_all(*VOIDING), fact)
        assert (step.told, step.effects) == (Stage.VOIDED, (Effect.HAND_OVER,))
        assert step.transfer is not None
        assert (step.transfer.stage, step.transfer.since) == (Stage.VOIDED, 1_007)
    state = after_all(*REFUNDING)
    assert transition(state, Voided(void=void(deposit()), at=1_007)) == Transition(transfer=state)


def test_each_lane_ends_by_its_own_act_alone() -> None:
    """A delivery ends no refund, and a refund no delivery: each is the other lane's to know."""
    delivered = Delivered(delivery=delivery(deposit()), at=1_008)
    refunded = Refunded(refund=refund(deposit()), at=1_008)
    delivering, refunding = after_all(*DELIVERING), after_all(*REFUNDING)

    assert transition(delivering, delivered).told is Stage.DELIVERED
    assert transition(refunding, refunded).told is Stage.REFUNDED
    assert transition(delivering, refunded) == Transition(transfer=delivering)
    assert transition(refunding, delivered) == Transition(transfer=refunding)


def test_an_accepted_transfer_is_drafted_and_signed_in_time() -> None:
    """Each step names its work; the quorum has until the time that the draft came with."""
    drafting = transition(after_all(SEEN, VERIFIED), ACCEPTED)
    assert drafting.effects == (Effect.DRAFT,)
    assert drafting.transfer is not None
    assert (drafting.transfer.stage, drafting.transfer.due_at) == (Stage.DRAFTING, None)

    signing = transition(drafting.transfer, DRAFTED)
    assert (signing.told, signing.effects) == (Stage.SIGNING, (Effect.REQUEST_SIGNATURES,))
    assert signing.transfer is not None
    assert (signing.transfer.draft, signing.transfer.due_at) == (DRAFTED.draft, DRAFTED.until)


def test_a_draft_for_another_act_is_not_signed() -> None:
    """It was made before an operator ordered a refund: the void is drafted for itself."""
    drafting = after_all(*VOIDING[:4])
    delivery_draft = Drafted(id=ID, draft=draft(), until=1_020, at=1_010)

    assert transition(drafting, delivery_draft) == Transition(transfer=drafting)


def test_only_a_quorum_is_worth_keeping() -> None:
    """One signature is asked for again after a restart; with the last one needed it is ready."""
    first = transition(after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED), SIGNED[0])
    second = transition(first.transfer, SIGNED[1])

    assert (first.told, first.kept) == (None, False)
    assert (second.told, second.kept) == (Stage.READY, True)
    three = [Attested(attestation=attestation(n), needed=3, at=1_004) for n in (1, 2, 3)]
    stages = [after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED, *three[:n]).stage for n in (1, 2, 3)]
    assert stages == [Stage.SIGNING, Stage.SIGNING, Stage.READY]


def test_what_landed_is_looked_for_if_nobody_tells_of_it() -> None:
    """The listener should tell soon; only what landed under the current name counts."""
    state = after_all(*DELIVERING)
    landed = transition(state, Landed(id=ID, tx="tx1", at=1_008))

    assert landed == Transition(transfer=replace(state, due_at=1_008 + RECHECK_SECONDS), kept=False)
    assert transition(state, Landed(id=ID, tx="old", at=1_008)) == Transition(transfer=state)


def test_a_submission_takes_over_from_the_one_it_replaces_alone() -> None:
    """A replacement of nothing submitted, or of another transaction, changes no name."""
    ready, submitted = after_all(*TO_READY), after_all(*DELIVERING)

    assert transition(ready, replace(SEALED, replaces="tx0")) == Transition(transfer=ready)
    assert transition(submitted, Sealed(id=ID, tx="tx2", at=1_006)) == Transition(
        transfer=submitted
    )
