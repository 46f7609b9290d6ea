"""The promises of ChainReader about facts, tried on a chain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relayer.domain.errors import Unavailable
from relayer.domain.transfer import (
    ActKind,
    ChainFact,
    Deposit,
    Location,
    ReceiptKind,
)
from tests.chains.harness import ChainHarness, fresh_account, some_shares, unknown_tx


class Reading:
    """What every chain's facts must be."""

    async def test_a_deposit_is_read_whole(self, harness: ChainHarness) -> None:
        """All fields of a deposit come back as they were given, at the deposit's own height."""
        shares, recipient = some_shares(), fresh_account(harness.peer)
        deposit = await harness.deposit(harness.burn_mint, shares, recipient=recipient)
        assert deposit.source == harness.chain
        assert deposit.destination == harness.peer
        assert (deposit.asset, deposit.shares) == (harness.burn_mint, shares)
        assert deposit.sender == deposit.refund_to == harness.depositor.account
        assert (deposit.recipient, deposit.flaw) == (recipient, None)
        again = await harness.reader.history(deposit.height, deposit.height)
        assert deposit in again

    async def test_a_deposit_is_found_by_its_location(self, harness: ChainHarness) -> None:
        """Reading one transaction gives the very deposit that the history told."""
        deposit = await harness.deposit(harness.lock_release, some_shares())
        assert list(await harness.reader.deposit_at(deposit.location, deposit.height)) == [deposit]

    async def test_an_unknown_location_has_no_deposit(self, harness: ChainHarness) -> None:
        """A transaction that is not there, a place that holds none, and nonsense give nothing."""
        deposit = await harness.deposit(harness.burn_mint, some_shares())
        here = deposit.location
        places = [
            Location(tx=unknown_tx(harness.chain), index=here.index, inner=here.inner),
            replace(here, index=here.index + 50),
            Location(tx="not a transaction", index=0),
        ]
        for place in places:
            assert list(await harness.reader.deposit_at(place, deposit.height)) == []

    async def test_each_deposit_has_an_id_of_its_own(self, harness: ChainHarness) -> None:
        """Two equal deposits are two transfers."""
        shares, recipient = some_shares(), fresh_account(harness.peer)
        one = await harness.deposit(harness.burn_mint, shares, recipient=recipient)
        first = (await harness.reader.final_head()).height + 1
        await harness.depositor.deposit(harness.burn_mint, shares, harness.peer, recipient)
        facts = await harness.facts_until(first, lambda fact: isinstance(fact, Deposit))
        ids = {fact.id for fact in facts if isinstance(fact, Deposit)} | {one.id}
        assert len(ids) == 2

    async def test_nothing_beyond_the_final_head_is_told(self, harness: ChainHarness) -> None:
        """A range that is not final is refused instead of answered in part."""
        head = await harness.reader.final_head()
        with pytest.raises(Unavailable):
            await harness.reader.history(head.height, head.height + 1_000)

    async def test_split_ranges_tell_the_same_history(self, harness: ChainHarness) -> None:
        """The history in pieces equals the whole, each fact once and in chain order."""
        first = (await harness.reader.final_head()).height + 1
        deposits = [await harness.deposit(harness.burn_mint, some_shares()) for _ in range(3)]
        last = (await harness.reader.final_head()).height
        whole = list(await harness.reader.history(first, last))
        pieces: list[ChainFact] = []
        for height in range(first, last + 1, 2):
            pieces += await harness.reader.history(height, min(height + 1, last))
        assert pieces == whole
        assert [fact for fact in whole if isinstance(fact, Deposit)] == deposits
        assert [fact.height for fact in whole] == sorted(fact.height for fact in whole)

    async def test_receipts_say_what_became_of_ids(self, harness: ChainHarness) -> None:
        """Delivered and voided ids have receipts that tell them apart; open ones have none."""
        made = [
            harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
            for _ in range(3)
        ]
        delivered, voided, opened = (deposit.id for deposit in made)
        await harness.submit(await harness.act(ActKind.DELIVER, made[0]))
        await harness.submit(await harness.act(ActKind.VOID, made[1]))
        found = await harness.reader.receipts([delivered, voided, opened])
        assert set(found) == {delivered, voided}
        assert found[delivered].kind is ReceiptKind.DELIVERED
        assert found[delivered].digest == harness.drafter.content(made[0])
        assert found[voided].kind is ReceiptKind.VOIDED
        assert await harness.reader.receipts([]) == {}

    async def test_wakeups_keep_coming(self, harness: ChainHarness) -> None:
        """A living chain ticks."""
        ticks = 0
        async with asyncio.timeout(30):
            async for _ in harness.reader.wakeups():
                ticks += 1
                if ticks == 2:
                    break
        assert ticks == 2
