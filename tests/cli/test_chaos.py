from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from relayer.cli.demo.chaos import AWAY, LEAST, Blow, Kind, Struck, blows, gaps
from relayer.cli.main import root

NAMES = ("relayer-one", "relayer-two", "attester-one", "tracker")


def _drawn(beats: int, seed: int, brokers: int = 3) -> list[Blow]:
    return blows(seconds=beats * 15, every=15, seed=seed, names=NAMES, brokers=brokers)


@given(st.integers(LEAST, 60), st.integers(0, 10**6))
def test_each_kind_of_blow_falls_and_all_but_kills_fall_once(beats: int, seed: int) -> None:
    """A replica comes before one leaves, the broker that is lost comes back before the next blow."""
    drawn = _drawn(beats, seed)
    kinds = [blow.kind for blow in drawn]

    assert all(kinds.count(kind) == 1 for kind in Kind if kind is not Kind.KILLED)
    assert kinds.count(Kind.KILLED) == beats - 3
    assert kinds.index(Kind.JOINED) < kinds.index(Kind.LOST) < kinds.index(Kind.LEFT)
    lost, back = (next(b for b in drawn if b.kind is kind) for kind in (Kind.LOST, Kind.BACK))
    assert back.name == lost.name
    assert back.at == pytest.approx(lost.at + AWAY * 15)


@given(st.integers(LEAST, 60), st.integers(0, 10**6))
def test_who_has_left_is_struck_no_more(beats: int, seed: int) -> None:
    """No blow is meant for a process that is not there, or not yet."""
    living = set(NAMES)
    for blow in _drawn(beats, seed):
        match blow.kind:
            case Kind.KILLED:
                assert blow.name in living
            case Kind.JOINED:
                living.add(blow.name)
            case Kind.LEFT:
                living.remove(blow.name)
            case Kind.LOST | Kind.BACK:
                assert blow.name in "123"


def test_the_same_seed_draws_the_same_blows() -> None:
    """A run that found something can be run again; another seed finds something else."""
    assert _drawn(20, 7) == _drawn(20, 7)
    assert _drawn(20, 7) != _drawn(20, 8)


def test_brokers_of_somebody_else_are_left_alone() -> None:
    """Where a Kafka is given, or there are too few to lose one, a process is killed instead."""
    kinds = {blow.kind for blow in _drawn(20, 7, brokers=0)}

    assert kinds == {Kind.KILLED, Kind.JOINED, Kind.LEFT}


def test_a_gap_lasts_until_the_last_chain_is_written_to_again() -> None:
    """Each chain's first broadcast after the blow counts; a chain where none followed does not."""
    blow = Blow(at=10, kind=Kind.KILLED, name="tracker")

    assert gaps([Struck(at=10, time=110.0, blow=blow)], [[109.0, 112.0], [117.5], [], [90.0]]) == [
        7.5
    ]


def test_chaos_wants_to_know_how_long_it_lasts() -> None:
    """Without a rate nobody knows when it should end: said before anything is started."""
    asked = CliRunner().invoke(root, ["demo", "--chaos", "15"])

    assert asked.exit_code == 2
    assert "give a --rate" in asked.output


def test_chaos_that_is_too_short_for_its_blows_is_refused() -> None:
    """One of each: a kill, a replica that comes, one that leaves, a broker lost."""
    asked = CliRunner().invoke(root, ["demo", "--chaos", "15", "--rate", "10", "--transfers", "40"])

    assert asked.exit_code == 2
    assert "at least 4 times as long" in asked.output
