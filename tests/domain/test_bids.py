"""What a submission offers: enough to get in, more than the one before, never above the cap."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.submission import LEAST_RISE, Bids, dearer

PRICES = st.integers(0, 10**13)
BIDS = st.builds(
    Bids,
    offer=st.integers(100, 300),
    step=st.integers(100, 300),
    most=st.integers(100, 1_000),
    cap=PRICES,
)


@given(
    first=PRICES,
    bids=BIDS,
    asked=st.lists(PRICES, min_size=1, max_size=60),
    empty=st.booleans(),
)
def test_prices_rise_by_what_nodes_want_and_never_above_the_cap(
    *, first: int, bids: Bids, asked: list[int], empty: bool
) -> None:
    """However the market moves: each price outbids the former for good, and all are bounded."""
    price: int | None = dearer(None, first, bids)
    for one in asked:
        if price is None:
            break
        assert price <= bids.cap
        after = dearer(price, one, bids, empty=empty)
        if after is not None:
            assert after * 100 >= price * LEAST_RISE
            assert empty or after * 100 <= max(one * bids.most, 100)
        price = after


@given(BIDS, PRICES)
def test_outbidding_ends(bids: Bids, asked: int) -> None:
    """At an unchanged market the cap is reached after a number of steps that is small."""
    price, steps = dearer(None, asked, bids), 0
    while price is not None:
        price, steps = dearer(price, asked, bids, empty=True), steps + 1
    assert steps < 400


@given(BIDS, PRICES)
def test_a_market_above_the_cap_is_not_joined(bids: Bids, asked: int) -> None:
    """What could not get in is not even signed: it would only occupy a nonce."""
    assert (dearer(None, asked, bids) is None) == (asked > bids.cap)


@pytest.mark.parametrize(
    ("former", "asked", "price"),
    [
        (None, 1_000, 1_500),
        (None, 0, 1),
        (None, 10_000, 10_000),
        (None, 10_001, None),
        (1_500, 1_000, 1_800),
        (1_500, 1_400, 2_100),
        (101, 1, None),
        (101, 60, 122),
        (3_400, 1_000, 4_000),
        (3_635, 1_000, 4_000),
        (3_636, 1_000, None),
    ],
)
def test_a_price_is_the_market_with_a_margin_or_a_step_above_the_former(
    former: int | None, asked: int, price: int | None
) -> None:
    """Half more than is asked, a fifth more than before, four times what is asked at most."""
    bids = Bids(offer=150, step=120, most=400, cap=10_000)

    assert dearer(former, asked, bids) == price


def test_an_empty_submission_may_cost_up_to_the_cap() -> None:
    """It frees a nonce that others wait for: what the market asks is no bound, the cap is one."""
    bids = Bids(offer=150, step=100, most=400, cap=10_000)

    assert dearer(3_636, 1_000, bids, empty=True) == 4_001
    assert dearer(9_089, 1_000, bids, empty=True) == 9_999
    assert dearer(9_090, 1_000, bids, empty=True) == 10_000
    assert dearer(9_091, 1_000, bids, empty=True) is None
    assert dearer(None, 0, bids, empty=True) == 1
    greedy = replace(bids, offer=500)
    assert (dearer(None, 1_000, greedy), dearer(None, 1_000, greedy, empty=True)) == (4_000, 5_000)
