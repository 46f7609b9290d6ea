"""Lives of a transfer for tests: any order of facts, and the usual one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from relayer.domain.authority import Role, Signed
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
from relayer.domain.lifecycle import Transition, transition
from relayer.domain.reasons import Reason
from relayer.domain.stage import Transfer
from relayer.domain.transfer import ActKind, Receipt, ReceiptKind
from tests.domain.samples import ID, attestation, delivery, deposit, draft, refund, void

TIMES = st.floats(min_value=1_000, max_value=2_000)
REASONS = st.sampled_from(Reason)
RECEIPTS = st.sampled_from([None, *(Receipt(kind=kind) for kind in ReceiptKind)])
FLAWED = deposit(flaw=Reason.MEMO_MALFORMED, destination=None)
DEPOSITS = st.sampled_from([deposit(), FLAWED])

DRAFTS = st.builds(draft, st.integers(1, 2), kind=st.sampled_from(ActKind))
ORDER = Signed(role=Role.OPERATOR, key=bytes(32), body="{}", signature=b"")


def _facts() -> st.SearchStrategy[Fact]:
    number, tx = st.integers(1, 2), st.sampled_from(["tx1", "tx2"])
    return st.one_of(
        st.builds(DepositSeen, deposit=DEPOSITS, at=TIMES),
        st.builds(
            DepositVerified,
            deposit=st.just(deposit()),
            receipt=RECEIPTS,
            at=TIMES,
            refunded=st.booleans(),
        ),
        # No chain has a receipt of what names no chain.
        st.builds(
            DepositVerified,
            deposit=st.just(FLAWED),
            receipt=st.none(),
            at=TIMES,
            refunded=st.booleans(),
        ),
        st.builds(DepositDenied, id=st.just(ID), at=TIMES),
        st.builds(Held, id=st.just(ID), reason=REASONS, until=TIMES, at=TIMES),
        st.builds(Parked, id=st.just(ID), reason=REASONS, at=TIMES),
        st.builds(Accepted, id=st.just(ID), at=TIMES),
        st.builds(Drafted, id=st.just(ID), draft=DRAFTS, until=TIMES, at=TIMES),
        st.builds(
            Attested,
            attestation=st.builds(attestation, st.integers(1, 3), number),
            needed=st.just(2),
            at=TIMES,
        ),
        st.builds(Sealed, id=st.just(ID), tx=tx, at=TIMES, replaces=st.none() | tx),
        st.builds(Stuck, id=st.just(ID), tx=tx, reason=REASONS, at=TIMES),
        st.builds(Landed, id=st.just(ID), tx=tx, at=TIMES),
        st.builds(Unlanded, id=st.just(ID), tx=tx, reason=REASONS, until=TIMES, at=TIMES),
        st.builds(
            Outdated, id=st.just(ID), digest=st.builds(lambda n: bytes([n]) * 32, number), at=TIMES
        ),
        st.builds(Delivered, delivery=st.just(delivery(deposit())), at=TIMES),
        st.builds(Voided, void=st.just(void(deposit())), at=TIMES),
        st.builds(Refunded, refund=st.just(refund(deposit())), at=TIMES),
        st.builds(Due, id=st.just(ID), at=TIMES),
        st.builds(Retried, id=st.just(ID), at=TIMES),
        st.builds(RefundOrdered, id=st.just(ID), order=st.just(ORDER), at=TIMES),
        st.builds(HandedOver, deposit=DEPOSITS, at=TIMES),
    )


CHAIN_FACTS = (Delivered, Refunded, DepositVerified, Voided)


def steps_of(history: list[Fact]) -> list[tuple[Transfer | None, Fact, Transition]]:
    steps: list[tuple[Transfer | None, Fact, Transition]] = []
    state: Transfer | None = None
    for fact in history:
        step = transition(state, fact)
        steps.append((state, fact, step))
        state = step.transfer
    return steps


def after_all(*facts: Fact) -> Transfer:
    found = steps_of(list(facts))[-1][2].transfer
    assert found is not None
    return found


SEEN = DepositSeen(deposit=deposit(), at=1_000)
VERIFIED = DepositVerified(deposit=deposit(), receipt=None, at=1_001)
ACCEPTED = Accepted(id=ID, at=1_002)
DRAFTED = Drafted(id=ID, draft=draft(), until=1_010, at=1_003)
SIGNED = tuple(Attested(attestation=attestation(n), needed=2, at=1_004) for n in (1, 2))
SEALED = Sealed(id=ID, tx="tx1", at=1_005)
TO_READY: tuple[Fact, ...] = (SEEN, VERIFIED, ACCEPTED, DRAFTED, *SIGNED)

ORDERED = RefundOrdered(id=ID, order=ORDER, at=1_006)
HANDED_OVER = HandedOver(deposit=deposit(), at=1_006)
VOID_READ = replace(VERIFIED, receipt=Receipt(kind=ReceiptKind.VOIDED), at=1_007)
FLAW_READ = replace(VERIFIED, deposit=FLAWED)


def signing_of(act: ActKind) -> tuple[Fact, ...]:
    """From a judgement to a submission that carries the act."""
    drafted = replace(DRAFTED, draft=draft(kind=act))
    return (ACCEPTED, drafted, *SIGNED, SEALED)


DELIVERING = (SEEN, VERIFIED, *signing_of(ActKind.DELIVER))
VOIDING = (SEEN, ORDERED, VERIFIED, *signing_of(ActKind.VOID))
REFUNDING = (HANDED_OVER, VOID_READ, *signing_of(ActKind.REFUND))
GIVING_BACK = (SEEN, FLAW_READ, ORDERED, FLAW_READ, *signing_of(ActKind.REFUND))


SET_ASIDE = (*VOIDING[:3], Parked(id=ID, reason=Reason.BY_OPERATOR, at=1_007))
WAYS = (DELIVERING, VOIDING, REFUNDING, GIVING_BACK, SET_ASIDE)
PARTS = [way[:end] for way in WAYS for end in range(2, len(way) + 1)]

HISTORIES = st.lists(
    st.one_of(st.sampled_from(WAYS), st.sampled_from(PARTS), st.tuples(_facts())), max_size=10
).map(lambda parts: [fact for part in parts for fact in part])
"""Any facts in any order, and among them the usual ways or the beginning of one: facts drawn one by
one would hardly ever bring a transfer as far as a draft."""
