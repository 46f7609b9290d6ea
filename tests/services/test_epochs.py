from __future__ import annotations

from pathlib import Path

import pytest

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.draft import LandingKind
from relayer.domain.reasons import Reason
from relayer.domain.submission import Patience
from relayer.domain.transfer import Deposit
from relayer.services.relayer.effects import Pace
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import Bridge, until
from tests.services.pool import Pool

SOON = 6.0
"""Seconds; a draft would live for 20, and its signatures be waited for as long."""


def _bridge(directory: Path) -> Bridge:
    """A lane that by itself would wait for a long time before it does anything again."""
    return Bridge(
        directory,
        pools={SOLANA: Pool()},
        pace=Pace(quorum=20, draft_life=20),
        patience=Patience(resend=20, outbid=20),
    )


def _deposit(bridge: Bridge) -> Deposit:
    return bridge.chains[BNB].deposit(deposit(shares=Shares(5 * RAW_UNIT)))


async def _delivered_once(bridge: Bridge, made: Deposit) -> None:
    chain = bridge.chains[SOLANA]
    await until(lambda: chain.executed == [made.id], SOON)
    assert Reason.EPOCH_ENDED in bridge.observer.waits
    assert sum(one.supply for one in bridge.chains.values()) == 2 * 10**24


@pytest.mark.parametrize("moment", ["check_terms", "seal"])
async def test_an_epoch_that_ends_while_it_is_signed_costs_no_wait(
    tmp_path: Path, moment: str
) -> None:
    """Asked for signatures, or with its quorum: drafted anew under the new epoch, delivered once."""
    bridge = _bridge(tmp_path)
    ended: list[str] = []
    chain = bridge.chains[SOLANA]

    def rotate(call: str) -> None:
        if call == moment and not ended:
            ended.append(call)
            chain.epoch += 1

    chain.fault = rotate
    async with bridge.running():
        await _delivered_once(bridge, _deposit(bridge))
    assert ended


async def test_an_epoch_that_ends_on_the_way_frees_the_nonce(tmp_path: Path) -> None:
    """Sent, in no block: drafted anew at once, and the nonce of what is worth nothing is used up."""
    bridge = _bridge(tmp_path)
    chain, pool = bridge.chains[SOLANA], bridge.pools[SOLANA]
    pool.resting = True
    async with bridge.running():
        made = _deposit(bridge)
        await until(lambda: len(pool.pending) == 1)
        chain.epoch += 1
        await until(lambda: len(pool.pending) == 2 and not pool.pending[0].ids, SOON)
        pool.resting = False
        await _delivered_once(bridge, made)

    landed = [one for one in chain.landed.values() if one.kind is LandingKind.LANDED]
    assert all(not one.skipped for one in landed), "what is worth nothing was paid for"


async def test_what_a_block_has_executed_is_waited_for(tmp_path: Path) -> None:
    """The epoch ends after it was executed: it stays submitted, and nothing is signed again."""
    bridge = _bridge(tmp_path)
    chain = bridge.chains[SOLANA]
    async with bridge.running():
        made = _deposit(bridge)
        await until(lambda: chain.executed == [made.id])
        chain.epoch += 1
        await until(lambda: made.id in chain.done)

    assert chain.executed == [made.id]


async def test_a_kill_between_two_epochs_changes_nothing(tmp_path: Path) -> None:
    """Kept as submitted under the old epoch, started under the new one: delivered once, soon."""
    bridge = _bridge(tmp_path)
    chain, pool = bridge.chains[SOLANA], bridge.pools[SOLANA]
    pool.resting = True
    async with bridge.running():
        made = _deposit(bridge)
        await until(lambda: len(pool.pending) == 1)
    chain.epoch += 1
    pool.pending.clear()
    pool.resting = False
    async with bridge.running():
        await _delivered_once(bridge, made)
