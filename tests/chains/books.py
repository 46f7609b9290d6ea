"""The promises of ChainReader about supply, tried on a chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import LandingKind
from relayer.domain.supply import Counters, Interval, SupplySnapshot, check_vault, issued
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    Refund,
)
from tests.chains.harness import ChainHarness, some_shares


class Books:
    """What every chain's snapshots must say."""

    async def test_bridge_traffic_never_changes_k(self, harness: ChainHarness) -> None:
        """Deposits, deliveries and refunds leave K of both modes as it was, to the last unit."""
        before = await books(harness)
        for asset in (harness.burn_mint, harness.lock_release):
            inward = harness.peer_deposit(asset, some_shares(), harness.recipient())
            await harness.submit(await harness.act(ActKind.DELIVER, inward))
            assert await books(harness) == before
            outward = await harness.deposit(asset, some_shares())
            assert await books(harness) == before
            await harness.submit(await harness.act(ActKind.REFUND, outward))
            assert await books(harness) == before

    async def test_snapshots_name_one_final_height(self, harness: ChainHarness) -> None:
        """All assets are told at one height, which is final, and its vaults are whole."""
        snapshots = await harness.reader.snapshots()
        head = await harness.reader.final_head()
        assert {one.asset for one in snapshots} >= {harness.burn_mint, harness.lock_release}
        assert len({(one.height, one.time) for one in snapshots}) == 1
        assert snapshots[0].height <= head.height
        for one in snapshots:
            assert check_vault(one, await counters(harness, one)) is None

    async def test_a_multiplier_is_told_and_changes_no_shares(self, harness: ChainHarness) -> None:
        """Above and below 1 a delivery gives exactly the shares, and K stays in its interval."""
        asset = harness.burn_mint
        before = (await books(harness))[asset]
        try:
            for multiplier in (WAD * 137 // 100, WAD * 83 // 100):
                await harness.controls.set_multiplier(asset, multiplier)
                await harness.settle()
                assert (await snapshot_of(harness, asset)).multiplier == multiplier
                deposit = harness.peer_deposit(asset, some_shares(), harness.recipient())
                await harness.submit(await harness.act(ActKind.DELIVER, deposit))
                assert await harness.shares_of(deposit.recipient, asset) == deposit.shares
                now = (await books(harness))[asset]
                assert now.low <= before.high + 2
                assert before.low <= now.high + 2
        finally:
            await harness.controls.set_multiplier(asset, WAD)
            await harness.settle()

    async def test_a_pause_is_told_and_refuses_deliveries(self, harness: ChainHarness) -> None:
        """While its issuer pauses a token the snapshot says so and nothing is delivered."""
        asset = harness.burn_mint
        deposit = harness.peer_deposit(asset, some_shares(), harness.recipient())
        await harness.controls.pause(asset, paused=True)
        try:
            await harness.settle()
            assert (await snapshot_of(harness, asset)).paused
            assert await harness.refusal(await harness.act(ActKind.DELIVER, deposit))
        finally:
            await harness.controls.pause(asset, paused=False)
            await harness.settle()
        assert not (await snapshot_of(harness, asset)).paused
        _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert landing.kind is LandingKind.LANDED


async def snapshot_of(harness: ChainHarness, asset: str) -> SupplySnapshot:
    """The snapshot of one asset."""
    return next(one for one in await harness.reader.snapshots() if one.asset == asset)


async def counters(harness: ChainHarness, snapshot: SupplySnapshot) -> Counters:
    """The bridge's counters at a snapshot's height: the chain's own, or folded from history."""
    if snapshot.counters is not None:
        return snapshot.counters
    facts = await harness.reader.history(harness.reader.first_height, snapshot.height)
    mine = [fact for fact in facts if getattr(fact, "asset", None) == snapshot.asset]
    return Counters(
        deposited=_sum(fact.shares for fact in mine if isinstance(fact, Deposit)),
        delivered=_sum(fact.shares for fact in mine if isinstance(fact, Delivery)),
        refunded=_sum(fact.shares for fact in mine if isinstance(fact, Refund)),
    )


async def books(harness: ChainHarness) -> dict[str, Interval]:
    """K of every asset once all that was sent is final."""
    await harness.settle()
    snapshots: Sequence[SupplySnapshot] = await harness.reader.snapshots()
    return {one.asset: issued(one, await counters(harness, one)) for one in snapshots}


def _sum(amounts: Iterable[Shares]) -> Shares:
    return Shares(sum(amounts))
