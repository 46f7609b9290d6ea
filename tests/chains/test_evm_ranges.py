"""Ranges are covered exactly once, whatever the endpoint refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.chains.evm.ranges import RangePlan
from relayer.chains.width import Width
from relayer.domain.errors import Unavailable


@given(
    first=st.integers(0, 10_000),
    length=st.integers(0, 500),
    widest=st.integers(1, 200),
    takes=st.lists(st.integers(1, 60), min_size=1, max_size=30),
)
def test_every_height_is_read_once_and_in_order(
    first: int, length: int, widest: int, takes: list[int]
) -> None:
    """An endpoint that takes now more, now fewer blocks still gives all of them, each once."""
    last = first + length - 1
    plan = RangePlan(first, last, Width(widest))
    read: list[int] = []
    turn = 0
    while (piece := plan.piece) is not None:
        assert piece[0] <= piece[1] <= last
        assert piece[1] - piece[0] + 1 <= widest
        if piece[1] - piece[0] + 1 <= takes[turn % len(takes)]:
            read += range(piece[0], piece[1] + 1)
            plan.took()
        else:
            plan.refused()
        turn += 1
    assert read == list(range(first, last + 1))


def test_an_endpoint_that_refuses_single_blocks_is_given_up() -> None:
    """There is nothing narrower than one block."""
    plan = RangePlan(5, 5, Width(10))
    with pytest.raises(Unavailable):
        plan.refused()


def test_a_width_grows_back_after_a_refusal() -> None:
    """One refusal does not make reading slow for ever."""
    plan = RangePlan(0, 10**6, Width(1_000))
    plan.refused()
    assert plan.width.now == 500
    for _ in range(20):
        plan.took()
    assert plan.width.now == 1_000
