"""The conformance suite on an EVM chain: Anvil, or the node that the environment names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chains.conformance import ChainConformance
from tests.chains.evm_world import SOLANA, TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import ChainHarness

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
