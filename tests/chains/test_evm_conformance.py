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
from relayer.ports.quorum import QuorumReader
from relayer.ports.quorum_acts import QuorumDrafter, QuorumWriter
from tests.chains.books import Books
from tests.chains.conformance import ChainConformance
from tests.chains.evm_world import SOLANA, TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import ChainHarness
from tests.chains.liars import liar, lie_of_evm
from tests.chains.reading import Reading
from tests.chains.several import two_of

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


class TestEvmThroughThreeEndpoints(Reading, Books):
    """What is read, drafted and sent through three endpoints, one of which lies at every other question."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def harness(self, world: World) -> AsyncIterator[ChainHarness]:
        """The first endpoint is the liar."""
        async with liar(world.config.url, lie_of_evm) as lying:
            rpcs = [EvmRpc(url) for url in (lying.url, world.config.url, world.config.url)]
            made, config = harness_of(world, TRON, TRON_GATEWAY), world.config
            of = partial(
                two_of, config.chain, provers=[partial(prove, r, config.chain) for r in rpcs]
            )
            made.reader = QuorumReader(of(ports=[EvmReader(config, r) for r in rpcs]))
            made.drafter = QuorumDrafter(of(ports=[EvmDrafter(config, r) for r in rpcs]))
            writers = [EvmWriter(config, r, world.payer) for r in rpcs]
            made.writer = QuorumWriter(of(ports=writers))
            try:
                yield made
            finally:
                for port in (made.reader, made.writer):
                    await port.close()
            assert lying.lies > 0 or not lying.told
