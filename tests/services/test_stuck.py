from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.errors import Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from relayer.domain.submission import Patience
from relayer.domain.transfer import Deposit, Location, TransferId
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import Bridge, until
from tests.services.fake_chain import FakeChain
from tests.services.orders import Stream
from tests.services.pool import BIDS, Pool

QUICK = Patience(resend=0.05, outbid=0.1)


def _bridge(directory: Path) -> Bridge:
    return Bridge(directory, pools={SOLANA: Pool()}, patience=QUICK)


def _deposits(bridge: Bridge, count: int, first: int = 1) -> list[Deposit]:
    return [
        bridge.chains[BNB].deposit(
            deposit(
                id=TransferId(number.to_bytes(32, "big")),
                shares=Shares(5 * RAW_UNIT),
                location=Location(tx=f"tx{number}", index=0),
            )
        )
        for number in range(first, first + count)
    ]


def _all_delivered(bridge: Bridge, made: list[Deposit]) -> bool:
    return set(bridge.chains[SOLANA].executed) >= {one.id for one in made}


def _once(bridge: Bridge) -> bool:
    executed = bridge.chains[SOLANA].executed
    whole = sum(chain.supply for chain in bridge.chains.values()) == 2 * 10**24
    return whole and len(executed) == len(set(executed))


async def test_a_surge_is_outbid_and_delivers_once(tmp_path: Path) -> None:
    """What was sent below the new price is kept again at a dearer one, sent, and lands once."""
    bridge = _bridge(tmp_path)
    pool = bridge.pools[SOLANA]
    async with bridge.running():
        pool.resting = True
        made = _deposits(bridge, 9)
        await until(lambda: sum(len(one.ids) for one in pool.pending.values()) == 9)
        pool.asked, pool.resting = 60, False
        await until(lambda: _all_delivered(bridge, made))

    assert _once(bridge)


async def test_a_pool_that_forgets_is_told_again(tmp_path: Path) -> None:
    """Five broadcasts are taken and lost, and later the whole pool: nothing is outbid for it."""
    bridge = _bridge(tmp_path)
    bridge.patience = Patience(resend=0.05, outbid=30)
    pool = bridge.pools[SOLANA]
    pool.losing = 5
    async with bridge.running():
        made = _deposits(bridge, 6)
        await until(lambda: _all_delivered(bridge, made))
        pool.resting = True
        more = _deposits(bridge, 6, first=7)
        await until(lambda: len(pool.pending) >= 1)
        pool.pending.clear()
        pool.resting = False
        await until(lambda: _all_delivered(bridge, more))

    assert _once(bridge)


async def test_above_the_cap_transfers_wait_under_its_name(tmp_path: Path) -> None:
    """Submitted ones say why they do not get in, new ones are not even signed; both go on."""
    bridge = _bridge(tmp_path)
    pool = bridge.pools[SOLANA]
    async with bridge.running() as bus:
        stream = Stream(bus)
        pool.resting = True
        made = _deposits(bridge, 1)
        await until(lambda: len(pool.pending) == 1)
        pool.asked, pool.resting = BIDS.cap + 1, False
        await until(stream.has(Stage.SUBMITTED, Reason.FEE_CAPPED))
        made += _deposits(bridge, 1, first=2)
        await until(stream.has(Stage.WAITING, Reason.FEE_CAPPED))
        assert bridge.chains[SOLANA].executed == []
        pool.asked = 1
        await until(lambda: _all_delivered(bridge, made))
        await stream.close()

    assert _once(bridge)


async def test_an_empty_payer_holds_without_a_loop_of_failing_calls(tmp_path: Path) -> None:
    """Forty Transfers wait with the amount that is missing; one tries at a time; then all go on."""
    bridge = _bridge(tmp_path)
    pool = bridge.pools[SOLANA]
    pool.coins = 3
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = _deposits(bridge, 40)
        await until(stream.has(Stage.WAITING, Reason.PAYER_EMPTY))
        empty = next(told for told in stream.told if told.reason is Reason.PAYER_EMPTY)
        assert "short of 7" in empty.detail
        await asyncio.sleep(0.3)
        before = pool.tries
        await asyncio.sleep(1.0)
        assert pool.tries - before <= 11
        pool.coins = 10**6
        await until(lambda: _all_delivered(bridge, made))
        await stream.close()

    assert _once(bridge)


async def test_an_empty_payer_of_one_chain_stops_no_other(tmp_path: Path) -> None:
    """Deliveries to the other chain go on."""
    bridge = _bridge(tmp_path)
    bridge.pools[SOLANA].coins = 0
    async with bridge.running():
        _deposits(bridge, 2)
        back = bridge.chains[SOLANA].deposit(
            deposit(
                id=TransferId(b"\7" * 32),
                source=SOLANA,
                destination=BNB,
                location=Location(tx="back", index=0),
            )
        )
        await until(lambda: bridge.chains[BNB].executed == [back.id])

    assert bridge.chains[SOLANA].executed == []


async def _killed_at(bridge: Bridge, place: int) -> None:
    """Run in a surge until the given number of port calls to the destination, and die there."""
    calls, dead = {"n": 0}, asyncio.Event()

    def count(name: str) -> None:
        calls["n"] += 1
        if calls["n"] >= place:
            dead.set()
            raise Unavailable(name)

    bridge.chains[SOLANA].fault = count
    async with bridge.running():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(dead.wait(), 3.0)
    bridge.chains[SOLANA].fault = FakeChain(chain=SOLANA).fault


@pytest.mark.timeout(120)
@pytest.mark.parametrize("start", range(2))
async def test_a_crash_around_replacements_changes_nothing(tmp_path: Path, start: int) -> None:
    """Killed before or after a dearer one is kept or sent, twice: each Transfer is delivered once."""
    for place in range(20 + start, 130, 12):
        directory = tmp_path / str(place)
        directory.mkdir()
        bridge = _bridge(directory)
        pool = bridge.pools[SOLANA]
        pool.resting = True
        made = _deposits(bridge, 3)
        await _killed_at(bridge, place)
        pool.asked, pool.resting = 100, False
        await _killed_at(bridge, place)
        async with bridge.running():
            await until(lambda: _all_delivered(bridge, made))  # noqa: B023 - awaited in the turn

        assert _once(bridge)
