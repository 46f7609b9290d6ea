from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.limits import Limits
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Delivery, Location, Route, TransferId
from relayer.services.relayer.window import Window, longest_of
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import Bridge, until

ROUTE = Route(source=BNB, destination=SOLANA, asset="TSLAx")
LIMITS = {ROUTE: Limits(window=100.0)}


def _delivery(number: int, time: int, shares: int = 5) -> Delivery:
    made = deposit()
    return Delivery(
        id=TransferId(number.to_bytes(32, "big")),
        chain=SOLANA,
        source=BNB,
        asset="TSLAx",
        recipient=made.recipient,
        shares=Shares(shares),
        digest=b"\1" * 32,
        tx=f"tx{number}",
        height=number,
        time=time,
    )


def _forget_all(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 300)), max_size=30))
def test_a_recount_uses_what_the_window_holds_whatever_the_order(
    told: list[tuple[int, int]],
) -> None:
    """Each delivery counts once, for as long as it is younger than the window."""
    window = Window()
    deliveries = {number: _delivery(number, time) for number, time in told}

    window.recount([*deliveries.values(), *deliveries.values()])

    for now in (100.0, 200.0, 300.0, 400.0):
        young = [one for one in deliveries.values() if one.time >= now - 100]
        assert window.used(LIMITS, now).get(ROUTE, 0) == sum(one.shares for one in young)


def test_what_is_in_flight_and_delivered_counts_once() -> None:
    """A transfer that was accepted before the kill and landed while nobody looked."""
    window = Window()
    window.accept(deposit(), now=50.0)
    window.recount([replace(_delivery(1, 40), id=deposit().id)])

    assert window.used(LIMITS, 60.0) == {ROUTE: deposit().shares}


def test_the_mark_is_a_height_older_than_the_longest_window() -> None:
    """A start reads no more of the destination than the window needs."""
    window = Window()
    heads = [(10, 0.0), (20, 60.0), (30, 120.0), (40, 180.0)]

    marks = [window.mark(height, now, longest_of(LIMITS)) for height, now in heads]

    assert marks == [None, None, 10, 20]


async def test_a_restart_does_not_open_the_window_again(tmp_path: Path) -> None:
    """Two of three fit; after a kill, and after the state is lost, the third still waits."""
    bridge = Bridge(tmp_path, limits=Limits(window_cap=Shares(12 * RAW_UNIT), window=90.0))
    made = [
        bridge.chains[BNB].deposit(
            deposit(
                id=TransferId(bytes([number]) * 32),
                shares=Shares(5 * RAW_UNIT),
                location=Location(tx=f"tx{number}", index=0),
            )
        )
        for number in (1, 2, 3)
    ]
    chain = bridge.chains[SOLANA]
    async with bridge.running():
        await until(lambda: len(chain.executed) == 2)
    for lost in (False, True):
        if lost:
            _forget_all(tmp_path)
        async with bridge.running():
            await asyncio.sleep(2.5)  # longer than a full window makes a transfer wait
    assert len(chain.executed) == 2
    assert Reason.WINDOW_FULL in bridge.observer.waits

    bridge.limits = Limits()
    async with bridge.running():
        await until(lambda: len(chain.executed) == len(made))
