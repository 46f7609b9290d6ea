"""The conformance suite on an EVM chain: Anvil, or the node that the environment names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from relayer.chains.evm.drafter import EvmDrafter
from relayer.chains.evm.identity import prove
from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.writer import EvmWriter
from tests.chains.books import Books
from tests.chains.conformance import ChainConformance
from tests.chains.evm_world import SOLANA, TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import ChainHarness
from tests.chains.liars import liar, lie_of_evm
from tests.chains.misbehaving import Misbehaving
from tests.chains.reading import Reading
from tests.chains.several import ActingThroughThree, through_three

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One node for all tests of this file."""
    async with evm_world() as made:
        yield made


class TestEvmWithSolana(ChainConformance):
    """A peer whose deposits are named by their place."""

    @pytest.fixture
    def harness(self, world: World) -> ChainHarness:
        """Deposits go to and come from Solana."""
        return harness_of(world, SOLANA, None)


class TestEvmWithTron(ChainConformance):
    """A peer whose gateway counts its deposits."""

    @pytest.fixture
    def harness(self, world: World) -> ChainHarness:
        """Deposits go to and come from Tron."""
        return harness_of(world, TRON, TRON_GATEWAY)


class TestEvmThroughThreeEndpoints(Reading, ActingThroughThree, Books, Misbehaving):
    """What is read, drafted and sent through three endpoints, one of which lies at every other question."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def harness(self, world: World) -> AsyncIterator[ChainHarness]:
        """The first endpoint is the liar."""
        config = world.config
        async with liar(config.url, lie_of_evm) as lying:
            rpcs = [EvmRpc(url) for url in (lying.url, config.url, config.url)]
            provers = [partial(prove, rpc, config.chain) for rpc in rpcs]
            readers = [EvmReader(config, rpc) for rpc in rpcs]
            drafters = [EvmDrafter(config, rpc) for rpc in rpcs]
            writers = [EvmWriter(config, rpc, world.payer) for rpc in rpcs]
            ports = readers, drafters, writers
            made = harness_of(world, TRON, TRON_GATEWAY)
            async with through_three(made, [lying], provers, ports) as several:
                yield several
