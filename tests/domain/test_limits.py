from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.amount import RAW_UNIT, Shares, format_shares
from relayer.domain.facts import Accepted, Held, Parked
from relayer.domain.gate import Gate, GatePolicy
from relayer.domain.limits import Limits, World, judge, route_of
from relayer.domain.reasons import Reason
from tests.domain.samples import deposit

OPEN = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset(), needed=0))


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
