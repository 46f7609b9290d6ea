"""The conformance suite on Solana: the devnet, or the node that the environment names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from relayer.chains.solana.drafter import SolanaDrafter
from relayer.chains.solana.identity import prove
from relayer.chains.solana.reader import SolanaReader
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.writer import SolanaWriter
from relayer.domain.transfer import Deposit
from tests.chains.books import Books
from tests.chains.conformance import ChainConformance
from tests.chains.forging import Part, rewriting
from tests.chains.harness import ChainHarness, some_shares
from tests.chains.liars import liar, lie_of_solana
from tests.chains.misbehaving import Misbehaving
from tests.chains.reading import Reading
from tests.chains.several import ActingThroughThree, through_three
from tests.chains.solana_world import (
    BNB,
    BNB_GATEWAY,
    SolanaWorld,
    solana_world,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[SolanaWorld]:
    """One bridge for all tests of this file."""
    async with solana_world() as made:
        yield made


class TestSolana(ChainConformance):
    """What every chain promises, with BNB Smart Chain as the peer."""

    @pytest.fixture
    def harness(self, world: SolanaWorld) -> ChainHarness:
        """A fresh adapter on the same bridge."""
        return world.harness(BNB, BNB_GATEWAY)


class TestSolanaThroughThreeEndpoints(Reading, ActingThroughThree, Books, Misbehaving):
    """What is read, drafted and sent through three endpoints, one of which lies at every other question."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def harness(self, world: SolanaWorld) -> AsyncIterator[ChainHarness]:
        """The first endpoint is the liar."""
        config = world.config
        async with liar(config.url, lie_of_solana) as lying:
            rpcs = [SolanaRpc(url) for url in (lying.url, config.url, config.url)]
            provers = [partial(prove, rpc, config.chain) for rpc in rpcs]
            readers = [SolanaReader(config, rpc) for rpc in rpcs]
            drafters = [SolanaDrafter(config, rpc) for rpc in rpcs]
            writers = [SolanaWriter(config, rpc, world.payer) for rpc in rpcs]
            ports = readers, drafters, writers
            made = world.harness(BNB, BNB_GATEWAY)
            async with through_three(made, [lying], provers, ports) as several:
                yield several

    @pytest.mark.parametrize("part", Part)
    async def test_a_rewritten_deposit_is_denied(
        self, harness: ChainHarness, world: SolanaWorld, part: Part
    ) -> None:
        """One endpoint that changes what a transaction says is believed alone, and outvoted by two."""
        [lying] = harness.liars
        lying.lie = rewriting(part)
        deposit = await harness.deposit(harness.burn_mint, some_shares())
        rpc = SolanaRpc(lying.url)
        alone = [
            one
            for _ in range(2)
            for one in await SolanaReader(world.config, rpc).deposit_at(
                deposit.location, deposit.height
            )
        ]
        assert sum(one == deposit for one in alone) == 1
        assert {one.id for one in alone} == {deposit.id}
        height = (await harness.reader.final_head()).height
        for _ in range(2):
            told = await harness.reader.history(deposit.height, height)
            assert [fact for fact in told if isinstance(fact, Deposit)] == [deposit]
            assert list(await harness.reader.deposit_at(deposit.location, deposit.height)) == [
                deposit
            ]
        await rpc.close()
