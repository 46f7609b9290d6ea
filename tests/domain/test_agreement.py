"""What several endpoints agree on: who is believed, who is noted as apart, and what comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.agreement import (
    KEPT_HEADS,
    Books,
    Heads,
    Moment,
    equal,
    equal_books,
    equal_by_id,
    in_order,
    kth_highest,
    moved,
)
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.supply import Counters, Interval
from relayer.domain.transfer import ChainFact, Mode, TransferId
from tests.domain.samples import SOLANA, delivery, deposit, refund, snapshot

VOTES = st.dictionaries(st.integers(0, 4), st.integers(0, 2), max_size=5)
IDS = [TransferId(bytes([n]) * 32) for n in range(3)]


@given(votes=VOTES, needed=st.integers(1, 5))
def test_a_value_is_agreed_by_those_who_say_it_and_by_enough(
    votes: dict[int, int], needed: int
) -> None:
    """One fewer than needed is never enough; the voters are all who say so, and no other."""
    agreed = equal(votes, needed)
    camps = {value: {p for p, vote in votes.items() if vote == value} for value in votes.values()}

    if agreed is None:
        assert all(len(camp) < needed for camp in camps.values())
    else:
        assert len(agreed.voters) >= needed
        assert agreed.voters == camps[agreed.value]


@given(st.lists(st.integers(0, 20), max_size=6), st.integers(1, 6))
def test_the_kth_highest_is_the_most_that_k_reach(values: list[int], k: int) -> None:
    """K values are at or above it, and no higher one has k."""
    found = kth_highest(values, k)

    assert (found is None) == (len(values) < k)
    if found is not None:
        assert sum(value >= found for value in values) >= k
        assert sum(value > found for value in values) < k


def test_who_lies_about_one_id_is_no_voter_for_the_others() -> None:
    """The ids are agreed each by itself, but only whom all of them confirm is in good standing."""
    honest = {IDS[0]: "delivered", IDS[1]: "voided"}
    told = {0: honest, 1: honest, 2: {**honest, IDS[1]: "delivered"}, 3: {IDS[0]: "delivered"}}

    agreed = equal_by_id(told, IDS, 2)

    assert agreed is not None
    assert agreed.value == honest
    assert agreed.voters == {0, 1}
    assert equal_by_id(told, IDS, 3) is None


def test_facts_of_a_height_have_one_order() -> None:
    """By height; then deposits before the rest, by nonce, whatever their ids are."""
    second, first = (
        deposit(nonce=nonce, id=one, height=20) for nonce, one in ((2, IDS[0]), (1, IDS[1]))
    )
    there = delivery(deposit(id=IDS[0]), height=20)
    early = refund(deposit(id=IDS[2]), height=19)
    zero = deposit(nonce=0, id=IDS[2], height=20)

    told: list[ChainFact] = [second, first, there, early, zero]
    for _ in range(2):
        told.reverse()
        assert in_order(told) == (early, zero, first, second, there)


def test_heads_prove_a_height_that_enough_have_reached() -> None:
    """One that runs ahead proves nothing; the time is one that enough had reached by then."""
    heads = Heads(needed=2)
    assert heads.height == -1
    heads.tell(0, Moment(100, 1_000))
    assert heads.height == -1
    heads.tell(1, Moment(90, 5_000))
    assert heads.height == -1  # at or below 90 only one has told a time
    heads.tell(0, Moment(90, 900))

    assert heads.agreed == Moment(90, 900)
    assert heads.height == 90
    assert (heads.time_by(89), heads.time_by(90), heads.time_by(100)) == (None, 900, 1_000)


def test_what_was_final_stays_final() -> None:
    """An endpoint that is replaced by one that lags takes nothing back."""
    heads = Heads(needed=1)
    heads.tell(0, Moment(1_000, 9_000))
    assert heads.agreed == Moment(1_000, 9_000)
    for height in range(KEPT_HEADS):
        heads.tell(0, Moment(height, height))
    heads.tell(0, Moment(940, 940))

    assert heads.agreed == Moment(1_000, 9_000)
    assert (heads.behind(0), heads.behind(7)) == (60, 0)
    assert heads.below(941)
    assert not heads.below(940)


@pytest.mark.parametrize("mode", Mode)
def test_traffic_moves_books_as_the_chain_does(mode: Mode) -> None:
    """A deposit burns or is held, deliveries and refunds the other way; other heights count nothing."""
    start = snapshot(mode=mode, counters=Counters(), held=Shares(50 * RAW_UNIT), height=10)
    facts: list[ChainFact] = [
        deposit(height=11, shares=Shares(7 * RAW_UNIT)),
        delivery(deposit(), height=12, shares=Shares(2 * RAW_UNIT)),
        refund(deposit(), height=12, shares=Shares(RAW_UNIT)),
        deposit(height=10, shares=Shares(9 * RAW_UNIT)),
        deposit(height=13, shares=Shares(9 * RAW_UNIT)),
        deposit(height=12, asset="AAPLx", shares=Shares(9 * RAW_UNIT)),
    ]

    after = moved(start, facts, 12)

    burns = mode is Mode.BURN_MINT
    assert after.height == 12
    assert after.supply == Interval.exactly((96 if burns else 100) * RAW_UNIT)
    assert after.held == (50 if burns else 54) * RAW_UNIT
    assert after.counters == Counters(
        deposited=Shares(7 * RAW_UNIT),
        delivered=Shares(2 * RAW_UNIT),
        refunded=Shares(RAW_UNIT),
    )
    assert moved(replace(start, counters=None), facts, 12).counters is None


def _books(height: int, units: int, **changes: object) -> Books:
    supply = Interval.exactly(units * RAW_UNIT)
    return [replace(snapshot(height=height, supply=supply), **changes)]  # type: ignore[arg-type]


def test_books_of_other_heights_agree_once_the_traffic_between_is_set_off() -> None:
    """The newest are returned; one unit that no traffic explains is a dissent."""
    burnt = [deposit(height=11, shares=Shares(3 * RAW_UNIT))]
    counters = Counters(deposited=Shares(3 * RAW_UNIT))
    older, newer = _books(10, 100), _books(11, 97, counters=counters, time=2_001)

    agreed = equal_books([(0, older), (1, newer)], burnt, 2)

    assert agreed is not None
    assert agreed.value == newer
    assert agreed.voters == {0, 1}
    assert equal_books([(0, older), (1, _books(11, 96, counters=counters))], burnt, 2) is None
    assert equal_books([(0, older), (0, newer)], burnt, 2) is None
    assert equal_books([(0, older), (1, newer)], burnt, 3) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"inventory": Shares(1)},
        {"counters": Counters(delivered=Shares(1))},
        {"multiplier": 2 * 10**18},
        {"paused": True},
        {"chain": SOLANA},
    ],
)
def test_all_else_in_the_books_must_be_equal_to_the_letter(changes: dict[str, object]) -> None:
    """Only supply, holdings and the time are compared otherwise."""
    plain = _books(10, 100)

    assert equal_books([(0, plain), (1, _books(10, 100, time=7))], [], 2) is not None
    assert equal_books([(0, plain), (1, _books(10, 100, **changes))], [], 2) is None


def test_a_lockers_holdings_must_be_equal_and_a_burners_residue_may_move() -> None:
    """What a burn-mint gateway rounds stays with it, and is in the supply as well."""
    residue = Shares(RAW_UNIT)
    burner = [(0, _books(10, 100)), (1, _books(10, 101, held=residue))]
    locker = [(place, [replace(books[0], mode=Mode.LOCK_RELEASE)]) for place, books in burner]
    richer = [(0, locker[0][1]), (1, [replace(locker[0][1][0], held=residue)])]

    assert equal_books(burner, [], 2) is not None
    assert equal_books(locker, [], 2) is None
    assert equal_books(richer, [], 2) is None


def test_supplies_known_to_an_interval_are_widened_to_all_that_agree() -> None:
    """None of the two is believed alone about where in its interval the supply lies."""
    low, high = (
        Interval(low=Shares(90), high=Shares(100)),
        Interval(low=Shares(95), high=Shares(110)),
    )
    told = [(0, _books(10, 1, supply=low)), (1, _books(10, 1, supply=high))]
    apart = [*told[:1], (1, _books(10, 1, supply=Interval(low=Shares(101), high=Shares(110))))]

    agreed = equal_books(told, [], 2)

    assert agreed is not None
    assert agreed.value[0].supply == Interval(low=Shares(90), high=Shares(110))
    assert equal_books(apart, [], 2) is None
