"""A flood of halts ends in a bounded number, and each is still lifted by name alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS, Gate, GatePolicy
from relayer.domain.halt import (
    HALTS_KEPT,
    WORDS_KEPT,
    Halt,
    Halts,
    Place,
    Scope,
    ScopeKind,
)
from relayer.domain.transfer import Route
from tests.domain.samples import BNB, SOLANA, TRON

ROUTE = Route(source=BNB, destination=SOLANA, asset="TSLAx")
ASSET = Scope(kind=ScopeKind.ASSET, name="TSLAx")
MANY = HALTS_KEPT + 20


def _halt(number: int, scope: Scope = ASSET) -> Halt:
    return Halt(scope=scope, reason=str(number), evidence="", raised_at=number, raised_by="m")


def _flood(halts: Halts, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        halt = _halt(number)
        halts.take(halt, halt.digest, Place(offset=number, at=float(number)))


def test_a_flood_of_halts_is_kept_as_one_beyond_a_number() -> None:
    """Ten thousand of one scope: memory for sixty-five, and the count says so."""
    halts = Halts()
    _flood(halts, 10_000)

    assert len(halts.standing) == HALTS_KEPT + 1
    assert halts.counts()[ScopeKind.ASSET] == HALTS_KEPT + 1


def test_whoever_lifts_all_that_is_listed_lifts_the_flood() -> None:
    """And a halt that comes after the list was made stops as ever."""
    halts = Halts()
    _flood(halts, MANY)
    listed = list(halts.standing)
    assert halts.lift(listed)
    assert halts.over(ROUTE) is None

    _flood(halts, 1, first=MANY)
    assert halts.over(ROUTE) == _halt(MANY)


def test_a_crowd_that_grew_since_it_was_listed_is_not_lifted() -> None:
    """An honest halt may be among those that came meanwhile."""
    halts = Halts()
    _flood(halts, MANY)
    listed = list(halts.standing)
    _flood(halts, 1, first=MANY)
    halts.lift(listed)

    assert halts.over(ROUTE) is not None
    assert len(halts.standing) == 1


def test_records_read_again_bring_no_lifted_halt_back() -> None:
    """The bus is at least once: those that the crowd stood for are not in any list of names."""
    halts = Halts()
    _flood(halts, MANY)
    halts.lift(list(halts.standing))
    _flood(halts, MANY)

    assert not halts.standing


def test_a_halt_in_a_topic_made_anew_stops_although_its_offset_is_low() -> None:
    """Nobody blinds the gate by a crowd that was lifted in another life of the topic."""
    halts = Halts()
    _flood(halts, MANY)
    halts.lift(list(halts.standing))
    fresh = _halt(7_777)
    halts.take(fresh, fresh.digest, Place(offset=0, at=1e9))

    assert halts.over(ROUTE) == fresh


def test_a_halt_of_the_same_moment_behind_a_lifted_crowd_stops() -> None:
    """Records of one batch carry one time: the place in the log says which came later."""
    halts = Halts()
    _flood(halts, MANY)
    halts.lift(list(halts.standing))
    late = _halt(7_777)
    halts.take(late, late.digest, Place(offset=MANY, at=float(MANY - 1)))

    assert halts.over(ROUTE) == late


def test_a_crowd_keeps_its_name_when_what_it_stands_for_is_read_again() -> None:
    """An operator who was just given the name lifts it by that, and one kept alone is no crowd."""
    halts = Halts()
    _flood(halts, HALTS_KEPT)
    _flood(halts, HALTS_KEPT)
    assert len(halts.standing) == HALTS_KEPT
    _flood(halts, 9, first=HALTS_KEPT)
    listed = list(halts.standing)
    _flood(halts, 3, first=HALTS_KEPT)

    assert list(halts.standing) == listed
    assert halts.standing[listed[-1]].raised_at == HALTS_KEPT + 8


def test_no_words_of_a_halt_take_much_room() -> None:
    """Whoever raises it chooses all of them."""
    long = "x" * 9_000
    scope = Scope(kind=ScopeKind.GLOBAL, name=long)
    halts = Halts()
    loud = Halt(scope=scope, reason=long, evidence=long, raised_at=1, raised_by=long)
    halts.take(loud, loud.digest, Place(offset=0, at=1.0))

    brief = long[:WORDS_KEPT]
    kept = Scope(kind=ScopeKind.GLOBAL)
    assert halts.over(ROUTE) == replace(
        loud, scope=kept, reason=brief, evidence=brief, raised_by=brief
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12))
def test_all_who_read_the_same_records_keep_the_same_halts(steps: list[tuple[bool, int]]) -> None:
    """Also who reads some of them twice; and nothing stands that was not raised or is lifted."""
    one, again = Halts(), Halts()
    at = 0
    for lifts, size in steps:
        if lifts and one.standing:
            names = list(one.standing)[: size + 1]
            for halts in (one, again):
                halts.lift(names)
        else:
            for halts, times in ((one, 1), (again, 2)):
                for _ in range(times):
                    _flood(halts, size * 30, first=at)
            at += size * 30

    assert one.standing == again.standing
    assert len(one.standing) <= HALTS_KEPT + 1


@pytest.mark.parametrize(
    "scope",
    [
        Scope(kind=ScopeKind.ASSET, name="EVIL"),
        Scope(kind=ScopeKind.CHAIN, name=TRON),
        Scope(kind=ScopeKind.ROUTE, name=f"TSLAx {BNB}>{TRON}"),
        Scope(kind=ScopeKind.ROUTE, name=f"EVIL {BNB}>{SOLANA}"),
        Scope(kind=ScopeKind.ROUTE, name="x" * 5_000),
    ],
)
def test_a_halt_of_what_is_not_served_is_not_kept(scope: Scope) -> None:
    """Scopes would be without number else."""
    gate = _gate()
    with pytest.raises(RecordRefused) as refused:
        gate.fold_control(CONTROL_RECORDS.encode(_halt(1, scope)), 1.0, 1)

    assert refused.value.why is Distrust.NOT_SERVED
    assert not gate.halts


def test_a_halt_of_everything_is_one_scope_however_it_is_spelled() -> None:
    """A name means nothing there."""
    gate = _gate()
    for number in range(MANY):
        odd = replace(_halt(number), scope=Scope(kind=ScopeKind.GLOBAL, name=f"n{number}"))
        gate.fold_control(CONTROL_RECORDS.encode(odd), 1.0, number)

    assert len(gate.halts) == HALTS_KEPT + 1


def test_a_route_that_is_served_can_be_halted() -> None:
    """By its text, as it stands in lists and logs."""
    gate = _gate()
    halt = _halt(1, Scope(kind=ScopeKind.ROUTE, name=str(ROUTE)))
    gate.fold_control(CONTROL_RECORDS.encode(halt), 1.0, 1)

    assert gate.refusal(ROUTE, 1.0) is not None
    assert len(gate.halts) == 1


def _gate() -> Gate:
    return Gate(
        policy=GatePolicy(
            monitors=frozenset(),
            operators=frozenset(),
            assets=frozenset({"TSLAx"}),
            chains=frozenset({BNB, SOLANA}),
        )
    )
