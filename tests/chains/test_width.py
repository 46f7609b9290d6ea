"""How much is asked for at once follows what the endpoint takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.chains.width import Width


@given(widest=st.integers(1, 1_000), takes=st.lists(st.integers(1, 1_200), max_size=200))
def test_a_width_stays_within_its_bounds(widest: int, takes: list[int]) -> None:
    """At least one, at most the widest, whatever is refused."""
    width = Width(widest)
    for limit in takes:
        asked = width.now
        if asked <= limit:
            width.took(asked)
        else:
            assert width.refused(asked)
            assert width.now < asked
        assert 1 <= width.now <= widest


def test_a_single_one_that_is_refused_has_nothing_narrower() -> None:
    """Then the refusal is the answer."""
    assert not Width(1).refused(1)


def test_a_little_that_came_says_nothing_about_more() -> None:
    """Only what fills the width widens it."""
    width = Width(100)
    width.refused(100)
    width.took(3)
    assert width.now == 50
    width.took(50)
    assert width.now == 56
