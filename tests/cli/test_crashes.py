from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.cli.demo.crashes import moments


@given(st.integers(0, 30), st.integers(0, 500), st.integers())
def test_kills_fall_while_transfers_are_in_flight(crashes: int, transfers: int, seed: int) -> None:
    """No kill waits for the last deliveries, and none for fewer than the one before it."""
    drawn = moments(crashes, transfers, seed)

    counts = [moment.delivered for moment in drawn]
    assert len(counts) == crashes
    assert counts == sorted(counts)
    assert all(count <= 0.85 * transfers for count in counts)


def test_the_same_seed_draws_the_same_moments() -> None:
    """A run that found something can be run again; another seed finds something else."""
    assert moments(10, 200, 7) == moments(10, 200, 7)
    assert moments(10, 200, 7) != moments(10, 200, 8)


def test_some_kills_meet_the_process_while_it_starts() -> None:
    """Start-up and restore are killed too, not only a relayer that is well under way."""
    ages = [moment.age for moment in moments(9, 200, 1)]

    assert sum(age < 1.5 for age in ages) == 3
