from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from relayer.domain.draft import Landing, LandingKind
from relayer.domain.facts import (
    Accepted,
    Delivered,
    DepositDenied,
    DepositVerified,
    Drafted,
    Due,
    Fact,
    Held,
    Landed,
    Outdated,
    RefundOrdered,
    Retried,
    Sealed,
    Stuck,
    Unlanded,
    Voided,
    id_of,
)
from relayer.domain.lifecycle import MOST_FAILURES, Effect, Transition, transition
from relayer.domain.reasons import Reason
from relayer.domain.records import TRANSFER_STATE
from relayer.domain.stage import CLOSED, LEFT, Stage
from relayer.domain.transfer import ActKind, Receipt, ReceiptKind
from tests.domain.lives import (
    ACCEPTED,
    CHAIN_FACTS,
    DRAFTED,
    HISTORIES,
    ORDER,
    SEALED,
    SEEN,
    SIGNED,
    TO_READY,
    VERIFIED,
    after_all,
    steps_of,
)
from tests.domain.samples import ID, delivery, deposit, draft, void


@given(HISTORIES)
def test_every_stage_answers_every_fact_with_a_state_that_can_be_kept(history: list[Fact]) -> None:
    """No order, repetition or nonsense raises, and what comes out reads back the same."""
    for _, fact, step in steps_of(history):
        assert id_of(fact) == ID
        if step.transfer is not None:
            assert TRANSFER_STATE.decode(TRANSFER_STATE.encode(step.transfer)) == step.transfer


@given(HISTORIES)
def test_only_a_fact_of_a_chain_closes_a_transfer(history: list[Fact]) -> None:
    """Nothing that the bus alone can say leads to a closed stage."""
    for before, fact, step in steps_of(history):
        if step.transfer is not None and step.transfer.stage in CLOSED:
            assert isinstance(fact, CHAIN_FACTS) or (before is not None and before.stage in CLOSED)


@given(HISTORIES)
def test_a_closed_transfer_never_comes_back(history: list[Fact]) -> None:
    """What a chain has ended, nothing moves and nothing tells again."""
    for before, _, step in steps_of(history):
        if before is not None and before.stage in LEFT:
            assert step == Transition(transfer=before)


@given(HISTORIES)
def test_a_submission_needs_a_quorum_over_one_draft(history: list[Fact]) -> None:
    """READY and SUBMITTED carry signatures of different attesters over the current draft alone."""
    for _, _, step in steps_of(history):
        state = step.transfer
        if state is None or state.stage not in {Stage.READY, Stage.SUBMITTED}:
            continue
        assert state.draft is not None
        assert {a.digest for a in state.attestations} == {state.draft.digest}
        assert len({a.attester for a in state.attestations}) >= 2


@given(HISTORIES)
def test_nothing_is_drafted_before_the_deposit_was_read(history: list[Fact]) -> None:
    """From DRAFTING on, this process has read the deposit itself."""
    early = {Stage.SEEN, Stage.WAITING, Stage.PARKED, Stage.VOIDED, *CLOSED}
    for _, _, step in steps_of(history):
        if step.transfer is not None and step.transfer.stage not in early:
            assert step.transfer.verified


@given(HISTORIES)
def test_a_flawed_deposit_is_never_drafted(history: list[Fact]) -> None:
    """A deposit that can never be delivered is parked, whatever the bus says."""
    for _, fact, step in steps_of(history):
        state = step.transfer
        if state is None or state.act is not ActKind.DELIVER:
            continue
        if isinstance(fact, DepositVerified) and fact.deposit.flaw and fact.receipt is None:
            assert state.stage not in {Stage.WAITING, Stage.SEEN}


@given(HISTORIES)
def test_a_parked_transfer_moves_by_an_operator_or_a_chain(history: list[Fact]) -> None:
    """PARKED ends by Retried, a delivery, a refund or a void, and by nothing else."""
    for before, fact, step in steps_of(history):
        if before is not None and before.stage is Stage.PARKED:
            moved = step.transfer is None or step.transfer.stage is not Stage.PARKED
            by_operator = (Retried, RefundOrdered)
            assert not moved or isinstance(fact, (*CHAIN_FACTS, *by_operator, DepositDenied))


@given(HISTORIES)
def test_what_was_read_is_never_forgotten_on_the_word_of_an_endpoint(history: list[Fact]) -> None:
    """A denial removes a record, but never a deposit that this process had read."""
    for before, fact, step in steps_of(history):
        if isinstance(fact, DepositDenied) and before is not None and before.verified:
            assert step.transfer == before


@given(HISTORIES)
def test_what_is_signed_is_what_is_wanted(history: list[Fact]) -> None:
    """A draft is asked for and carried only for the act that the transfer stands for."""
    for _, _, step in steps_of(history):
        state = step.transfer
        if state is not None and state.stage in {Stage.SIGNING, Stage.READY}:
            assert state.draft is not None
            assert state.draft.kind is state.act


@given(HISTORIES)
def test_there_is_no_way_back_from_a_refund_to_a_delivery(history: list[Fact]) -> None:
    """Ordered, a transfer is never drafted for delivery again; a refund is never told delivered."""
    for before, _, step in steps_of(history):
        after = step.transfer
        if before is None or after is None:
            continue
        if before.order is not None and Effect.DRAFT in step.effects:
            assert after.act is not ActKind.DELIVER
        if before.act is ActKind.REFUND:
            assert after.act is ActKind.REFUND
            assert after.stage not in {Stage.DELIVERED, Stage.VOIDED}
        if after.stage is Stage.REFUNDED and before.stage is not Stage.REFUNDED:
            assert after.act is ActKind.REFUND or step.told is Stage.REFUNDED


@given(HISTORIES)
def test_a_source_refunds_only_what_it_read_as_voided(history: list[Fact]) -> None:
    """Where there is a destination, a refund is drafted after its final void was read, never before."""
    voided = False
    for before, fact, step in steps_of(history):
        if before is None:
            voided = False
        if isinstance(fact, DepositVerified) and fact.receipt is not None:
            voided = voided or fact.receipt.kind is ReceiptKind.VOIDED
        after = step.transfer
        if after is not None and Effect.DRAFT in step.effects and after.act is ActKind.REFUND:
            assert voided or after.order is not None


def test_an_order_turns_a_delivery_into_a_void_and_hands_it_over() -> None:
    """Ordered while it waits for signatures: read again, voided, and the source's lane is told."""
    ordered = RefundOrdered(id=ID, order=ORDER, at=1_004)
    state = after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED, ordered)
    assert (state.stage, state.act, state.reason) == (
        Stage.SEEN,
        ActKind.VOID,
        Reason.REFUND_ORDERED,
    )

    step = transition(state, Voided(void=void(deposit()), at=1_006))

    assert (step.told, step.effects) == (Stage.VOIDED, (Effect.HAND_OVER,))


def test_an_order_waits_for_the_submission_under_way() -> None:
    """Submitted already: if it fails the void begins, if it lands the transfer is delivered."""
    ordered = RefundOrdered(id=ID, order=ORDER, at=1_006)
    failed = Unlanded(id=ID, tx="tx1", reason=Reason.SUBMISSION_FAILED, until=1_007, at=1_007)

    state = after_all(*TO_READY, SEALED, ordered)
    after = after_all(*TO_READY, SEALED, ordered, failed, VERIFIED)
    landed = transition(state, Delivered(delivery=delivery(deposit()), at=1_008))

    assert (state.stage, state.act) == (Stage.SUBMITTED, ActKind.DELIVER)
    assert (after.stage, after.act) == (Stage.WAITING, ActKind.VOID)
    assert landed.told is Stage.DELIVERED


def test_repeated_failures_wait_longer_and_longer() -> None:
    """A destination that refuses again and again is not met with a hot loop of transactions."""
    waits = []
    state = after_all(*TO_READY)
    for n in range(6):
        failed = Unlanded(id=ID, tx="tx1", reason=Reason.SUBMISSION_FAILED, until=2_000, at=2_000)
        state = replace(state, stage=Stage.SUBMITTED, submission="tx1", attempts=n)
        after = transition(state, failed).transfer
        assert after is not None
        waits.append((after.due_at or 0) - 2_000)

    assert waits == [0.5, 1, 2, 4, 8, 16]


def test_the_happy_path_passes_every_stage() -> None:
    """Seen, verified, accepted, drafted, signed twice, sealed, landed, delivered."""
    told = [
        step.told
        for *_, step in steps_of(
            [
                *TO_READY,
                SEALED,
                Landed(id=ID, tx="tx1", at=1_006),
                Delivered(delivery=delivery(deposit()), at=1_007),
            ]
        )
    ]

    stages = [stage for stage in told if stage is not None]
    assert stages == [Stage.SEEN, Stage.SIGNING, Stage.READY, Stage.SUBMITTED, Stage.DELIVERED]


def test_one_attester_is_counted_once() -> None:
    """The same signature again makes no quorum."""
    state = after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED, SIGNED[0], SIGNED[0], SIGNED[0])

    assert state.stage is Stage.SIGNING


def test_signatures_of_an_older_draft_do_not_count() -> None:
    """After a new draft only signatures over the new one make a quorum."""
    again = (Due(id=ID, at=1_011), VERIFIED, Accepted(id=ID, at=1_012))
    second = Drafted(id=ID, draft=draft(2), until=1_020, at=1_013)

    state = after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED, SIGNED[0], *again, second, SIGNED[1])

    assert state.attestations == ()


def test_a_missing_quorum_leads_to_another_draft() -> None:
    """When the time for signatures is over, the chains are asked again, and it tries anew."""
    step = transition(after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED), Due(id=ID, at=1_011))
    assert (step.told, step.effects) == (Stage.WAITING, (Effect.VERIFY,))
    assert after_all(SEEN, VERIFIED, ACCEPTED, DRAFTED, Due(id=ID, at=1_011)).attempts == 1


def test_a_failed_submission_is_verified_again_before_anything_else() -> None:
    """What failed may have been delivered by another attempt: the receipt is asked first."""
    failed = Unlanded(
        id=ID, tx="tx1", reason=Reason.SUBMISSION_FAILED, until=1_006, at=1_006, detail="x"
    )
    state = after_all(*TO_READY, SEALED, failed)

    step = transition(state, Due(id=ID, at=1_007))

    assert state.stage is Stage.SEEN
    assert step.effects == (Effect.VERIFY,)


def test_the_outcome_of_another_submission_means_nothing() -> None:
    """A late word about an older transaction does not move the transfer."""
    state = after_all(*TO_READY, SEALED)
    late = Unlanded(id=ID, tx="old", reason=Reason.SUBMISSION_EXPIRED, until=0, at=1_006)

    assert transition(state, late).transfer == state


def test_a_delivered_receipt_ends_a_transfer_that_is_seen_again() -> None:
    """A deposit told twice ends at its receipt, without a second draft."""
    receipt = Receipt(kind=ReceiptKind.DELIVERED, digest=b"\1" * 32)

    state = after_all(SEEN, DepositVerified(deposit=deposit(), receipt=receipt, at=1_001))

    assert state.stage is Stage.DELIVERED


def test_a_hold_is_told_once() -> None:
    """Looking again under the same reason is no news."""
    hold = Held(id=ID, reason=Reason.NO_LEASE, until=1_005, at=1_004)
    steps = steps_of([SEEN, VERIFIED, hold, hold])

    assert [step.told for *_, step in steps[2:]] == [Stage.WAITING, None]


@pytest.mark.parametrize("kind", list(LandingKind))
def test_landing_kinds_are_what_is_persisted(kind: LandingKind) -> None:
    """The words of an outcome stay as they are: they stand in logs and metrics."""
    assert Landing(kind=kind, skipped={}).kind.value in {"pending", "landed", "failed", "dead"}


def test_a_replaced_submission_hands_its_name_on() -> None:
    """The Transfer is submitted under the dearer one; what is told of the old name says nothing."""
    dearer = Sealed(id=ID, tx="tx2", at=1_006, replaces="tx1")
    lost = Unlanded(id=ID, tx="tx1", reason=Reason.SUBMISSION_EXPIRED, until=1_007, at=1_007)
    state = after_all(*TO_READY, SEALED, dearer, lost)
    assert (state.stage, state.submission) == (Stage.SUBMITTED, "tx2")
    foreign = Sealed(id=ID, tx="tx3", at=1_008, replaces="tx1")
    assert after_all(*TO_READY, SEALED, dearer, foreign).submission == "tx2"


def test_a_stuck_submission_says_why_until_it_moves() -> None:
    """The reason is told once, leaves the Transfer submitted, and goes with the next attempt."""
    stuck = Stuck(id=ID, tx="tx1", reason=Reason.FEE_CAPPED, at=1_006, detail="9 of 8 wei")
    first, again = steps_of([*TO_READY, SEALED, stuck, stuck])[-2:]
    assert first[2].told is Stage.SUBMITTED
    assert again[2].told is None
    state = after_all(*TO_READY, SEALED, stuck)
    assert (state.stage, state.reason, state.detail) == (
        Stage.SUBMITTED,
        Reason.FEE_CAPPED,
        "9 of 8 wei",
    )
    moved = after_all(*TO_READY, SEALED, stuck, Sealed(id=ID, tx="tx2", at=1_007, replaces="tx1"))
    assert moved.reason is None


def test_what_fails_on_chain_again_and_again_is_set_aside() -> None:
    """Each failure costs the payer: after ten an operator looks; what merely expired never counts."""
    steps: list[Fact] = []
    for number in range(MOST_FAILURES):
        assert after_all(SEEN, *steps).stage is not Stage.PARKED
        for reason in (Reason.SUBMISSION_EXPIRED, Reason.SUBMISSION_FAILED):
            tx = f"{reason}{number}"
            lost = Unlanded(id=ID, tx=tx, reason=reason, until=1_006, at=1_006, detail="reverted")
            steps += [*TO_READY[1:], Sealed(id=ID, tx=tx, at=1_005), lost]
    state = after_all(SEEN, *steps)
    assert (state.stage, state.reason) == (Stage.PARKED, Reason.SUBMISSION_FAILED)
    assert state.detail == "reverted"


@pytest.mark.parametrize("way", [TO_READY[:4], TO_READY, (*TO_READY, SEALED)])
def test_what_the_chain_takes_no_more_is_drafted_anew(way: tuple[Fact, ...]) -> None:
    """Signing, ready or submitted: the chains are read, and another draft is made at once."""
    outdated = Outdated(id=ID, digest=DRAFTED.draft.digest, at=1_006)
    step = transition(after_all(*way), outdated)
    assert (step.told, step.effects) == (Stage.WAITING, (Effect.VERIFY,))
    again = after_all(*way, outdated, VERIFIED)
    assert (again.stage, again.due_at, again.submission) == (Stage.WAITING, VERIFIED.at, None)
    assert (again.attempts, again.failures) == (0, 0)


def test_a_word_about_an_older_draft_means_nothing() -> None:
    """What has been drafted anew stays under way."""
    state = after_all(*TO_READY, SEALED)

    assert transition(state, Outdated(id=ID, digest=bytes(32), at=1_006)).transfer == state
