from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.amount import RAW_UNIT, WAD, Shares, format_shares
from relayer.domain.authority import Role, Signed
from relayer.domain.command import COMMAND, Command, Verb
from relayer.domain.facts import Accepted, Held, Parked
from relayer.domain.gate import Gate, GatePolicy
from relayer.domain.limits import RETRY_SECONDS, Limits, World, judge, judge_return, route_of
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Route
from tests.domain.samples import BNB, ID, SOLANA, deposit

OPEN = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset(), needed=0))
SHUT = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset(), needed=1))
ROUTE = Route(source=BNB, destination=SOLANA, asset="TSLAx")
NOW = 2_000.0
LIMITS = Limits(
    minimum=Shares(2 * RAW_UNIT),
    cap=Shares(20 * RAW_UNIT),
    window_cap=Shares(30 * RAW_UNIT),
    window=600.0,
    large=Shares(10 * RAW_UNIT),
    large_delay=1_500.0,  # the sample was made at 1_000
)


def _limited(**changes: Any) -> World:
    return replace(World(gate=OPEN, limits={ROUTE: LIMITS}, used={}), **changes)


def _of(units: int, **changes: Any) -> Any:
    return judge(deposit(shares=Shares(units * RAW_UNIT)), _limited(**changes), NOW)


def _world(inventory: dict[str, Shares]) -> World:
    route = route_of(deposit())
    assert route is not None
    return World(gate=OPEN, limits={route: Limits()}, inventory=inventory, used={})


@given(held=st.integers(0, 20), wanted=st.integers(1, 20))
def test_what_an_inventory_is_short_of_is_said(held: int, wanted: int) -> None:
    """What is there is enough or the words name the difference, to the unit."""
    made = deposit(shares=Shares(wanted * RAW_UNIT))

    verdict = judge(made, _world({made.asset: Shares(held * RAW_UNIT)}), 2_000.0)

    if held >= wanted:
        assert isinstance(verdict, Accepted)
    else:
        assert isinstance(verdict, Held)
        missing = format_shares((wanted - held) * RAW_UNIT)
        assert (verdict.reason, verdict.detail) == (
            Reason.NO_INVENTORY,
            f"{missing} shares are missing",
        )


def test_a_single_unit_that_is_missing_is_missing() -> None:
    """A delivery that is short by 1e-18 share would fail on chain, at the payer's cost."""
    made = deposit(shares=Shares(WAD))

    verdict = judge(made, _world({made.asset: Shares(WAD - 1)}), NOW)

    assert isinstance(verdict, Held)
    assert verdict.detail == "0.000000000000000001 shares are missing"


def test_what_fills_a_window_to_the_unit_may_go() -> None:
    """Of an empty window all is free."""
    whole = {ROUTE: Limits(window_cap=Shares(RAW_UNIT))}

    assert judge(deposit(), _limited(limits=whole), NOW) == Accepted(id=ID, at=NOW)


def test_what_a_destination_mints_is_never_short() -> None:
    """Another asset's empty inventory says nothing about this one."""
    verdict = judge(deposit(), _world({"AAPLx": Shares(0)}), 2_000.0)

    assert isinstance(verdict, Accepted)


def test_what_fits_into_no_window_is_parked() -> None:
    """It would wait for a room that never comes, under a reason that says it ends by itself."""
    made = deposit(shares=Shares(3 * RAW_UNIT))
    route = route_of(made)
    assert route is not None
    narrow = {route: Limits(window_cap=Shares(2 * RAW_UNIT))}

    verdict = judge(made, World(gate=OPEN, limits=narrow, used={}), 2_000.0)

    assert isinstance(verdict, Parked)
    assert verdict.reason is Reason.OVER_CAP


@given(units=st.integers(2, 20), dust=st.integers(1, RAW_UNIT - 1))
def test_dust_is_never_moved(units: int, dust: int) -> None:
    """A chain that counts in raw units could not deliver it."""
    verdict = judge(deposit(shares=Shares(units * RAW_UNIT + dust)), _limited(), NOW)

    assert verdict == Parked(id=ID, reason=Reason.BELOW_MINIMUM, at=NOW)


@pytest.mark.parametrize("units", range(1, 22))
@pytest.mark.parametrize("used", range(20, 31))
def test_an_amount_is_judged_by_each_limit_to_the_unit(units: int, used: int) -> None:
    """Too small or too large is parked; large ones and full windows wait; the rest may go."""
    verdict = _of(units, used={ROUTE: used * RAW_UNIT})

    if units < 2:
        assert verdict == Parked(id=ID, reason=Reason.BELOW_MINIMUM, at=NOW)
    elif units > 20:
        assert verdict == Parked(id=ID, reason=Reason.OVER_CAP, at=NOW)
    elif units >= 10:
        assert verdict == Held(id=ID, reason=Reason.LARGE, until=2_500.0, at=NOW)
    elif used + units > 30:
        assert verdict == Held(id=ID, reason=Reason.WINDOW_FULL, until=NOW + 10.0, at=NOW)
    else:
        assert verdict == Accepted(id=ID, at=NOW)


def test_a_large_deposit_waits_from_the_time_that_its_chain_gave_it() -> None:
    """The delay ends with its last second, not a moment before, and then other limits hold."""
    large = deposit(shares=Shares(10 * RAW_UNIT))

    assert isinstance(judge(large, _limited(), 2_499.9), Held)
    assert isinstance(judge(large, _limited(), 2_500.0), Accepted)


def test_a_window_that_was_not_read_yet_holds_and_an_unused_one_does_not() -> None:
    """Not knowing what a route delivered lately is not the same as knowing that it is nothing."""
    unread = _of(5, used=None)
    assert isinstance(unread, Held)
    assert (unread.reason, unread.until) == (Reason.DESTINATION_UNREADABLE, NOW + RETRY_SECONDS)
    assert "still being read" in unread.detail
    assert _of(9, used={}) == Accepted(id=ID, at=NOW)
    elsewhere = Route(source=BNB, destination=SOLANA, asset="AAPLx")
    assert _of(5, used={elsewhere: 30 * RAW_UNIT}) == Accepted(id=ID, at=NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gate": SHUT}, Reason.NO_LEASE),
        ({"paused": frozenset({"TSLAx"})}, Reason.PAUSED),
        ({"inventory": {"TSLAx": Shares(4 * RAW_UNIT)}}, Reason.NO_INVENTORY),
    ],
)
def test_what_ends_by_itself_holds_and_is_looked_at_again(
    changes: dict[str, Any], reason: Reason
) -> None:
    """No lease, a pause, too little of an inventory: a hold for a moment, no parked transfer."""
    verdict = _of(5, **changes)

    assert isinstance(verdict, Held)
    assert (verdict.reason, verdict.until, verdict.at) == (reason, NOW + RETRY_SECONDS, NOW)


def test_a_pause_of_another_asset_stops_nothing() -> None:
    """What the destination refuses is told for each asset."""
    assert _of(5, paused=frozenset({"AAPLx"})) == Accepted(id=ID, at=NOW)


def test_the_words_of_a_shut_gate_are_the_gates() -> None:
    """The user reads which leases are missing."""
    verdict = _of(5, gate=SHUT)

    assert isinstance(verdict, Held)
    assert verdict.detail == "0 of 1 fresh leases for TSLAx"


def test_what_no_route_takes_is_parked_under_its_name() -> None:
    """A flaw goes first; a deposit without destination, and one of no configured route, have none."""
    flawed = judge(deposit(flaw=Reason.MEMO_MALFORMED), _limited(), NOW)
    nowhere = judge(deposit(destination=None), _limited(), NOW)
    unserved = judge(deposit(asset="AAPLx"), _limited(), NOW)

    assert flawed == Parked(id=ID, reason=Reason.MEMO_MALFORMED, at=NOW)
    assert nowhere == unserved == Parked(id=ID, reason=Reason.UNKNOWN_ROUTE, at=NOW)
    assert route_of(deposit()) == ROUTE
    assert route_of(deposit(destination=None)) is None


def test_what_can_never_go_is_parked_although_the_gate_is_shut() -> None:
    """A hold would promise that waiting helps."""
    shut = _limited(gate=SHUT)

    assert isinstance(judge(deposit(shares=Shares(WAD)), shut, NOW), Parked)
    assert isinstance(judge(deposit(asset="AAPLx"), shut, NOW), Parked)


def _returning(act: ActKind, *, ordered: bool = False, **changes: Any) -> Transfer:
    plain = deposit(**changes)
    return Transfer(
        deposit=plain,
        stage=Stage.WAITING,
        since=NOW,
        seen_at=NOW,
        act=act,
        order=_order() if ordered else None,
    )


def _order() -> Signed:
    command = Command(
        command=bytes(32),
        verb=Verb.REFUND,
        transfer=ID,
        chain=SOLANA,
        reason="stuck",
        issued_at=1_900,
        expires_at=2_100,
    )
    return Signed(
        role=Role.OPERATOR, key=bytes(32), body=COMMAND.encode(command).decode(), signature=b""
    )


def test_a_refund_after_a_final_void_needs_no_order_any_more() -> None:
    """The void was ordered, and it is read on chain: what follows from it is owed."""
    accepted = Accepted(id=ID, at=NOW)

    assert judge_return(_returning(ActKind.REFUND), NOW) == accepted
    assert judge_return(_returning(ActKind.REFUND, ordered=True), 2_100.0).at == 2_100.0
    assert isinstance(judge_return(_returning(ActKind.REFUND, ordered=True), 2_100.0), Accepted)


def test_a_void_is_drafted_while_its_order_is_in_force() -> None:
    """Until the second in which it expires; without one it is parked for an operator."""
    ordered = _returning(ActKind.VOID, ordered=True)

    assert judge_return(ordered, 2_099.9) == Accepted(id=ID, at=2_099.9)
    expired = Parked(id=ID, reason=Reason.ORDER_EXPIRED, at=2_100.0)
    assert judge_return(ordered, 2_100.0) == expired
    unordered = Parked(id=ID, reason=Reason.BY_OPERATOR, at=NOW)
    assert judge_return(_returning(ActKind.VOID), NOW) == unordered


def test_a_refund_without_a_destination_needs_its_order() -> None:
    """Nothing on chain says that it may be given back, so the flaw's name stands until one does."""
    flaw: dict[str, Any] = {"destination": None, "flaw": Reason.MEMO_MALFORMED}

    parked = Parked(id=ID, reason=Reason.MEMO_MALFORMED, at=NOW)
    assert judge_return(_returning(ActKind.REFUND, **flaw), NOW) == parked
    ordered = _returning(ActKind.REFUND, ordered=True, **flaw)
    assert judge_return(ordered, NOW) == Accepted(id=ID, at=NOW)
