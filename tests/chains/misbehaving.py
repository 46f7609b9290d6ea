"""What a chain still tells through three endpoints while one of them misbehaves."""

from __future__ import annotations

import pytest

from relayer.domain.errors import WrongChain
from relayer.domain.transfer import Deposit
from tests.chains.harness import ChainHarness, some_shares
from tests.chains.liars import Mood


class Misbehaving:
    """Every mood of an endpoint below its protocol, and another chain behind its address."""

    async def test_an_endpoint_that_misbehaves_costs_no_answer(self, harness: ChainHarness) -> None:
        """429, HTML, cut, nested or huge answers, and none at all, one after the other."""
        deposit = await harness.deposit(harness.burn_mint, some_shares())
        for mood in Mood:
            for liar in harness.liars:
                liar.mood = mood
            height = (await harness.reader.final_head()).height
            facts = await harness.reader.history(deposit.height, height)
            assert [fact for fact in facts if isinstance(fact, Deposit)] == [deposit]
            again = await harness.reader.deposit_at(deposit.location, deposit.height)
            assert list(again) == [deposit]
            assert (await harness.reader.snapshots())[0].height >= deposit.height

    async def test_an_endpoint_of_another_chain_is_told_by_name(
        self, harness: ChainHarness
    ) -> None:
        """Its proof fails with what it serves; the true ones go on."""
        for prove in harness.provers:
            await prove()
        for liar in harness.liars:
            liar.stranger = True
        with pytest.raises(WrongChain, match=r"serves .*, not "):
            await harness.provers[0]()
        assert (await harness.reader.final_head()).height > 0
