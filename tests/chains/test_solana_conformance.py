"""The conformance suite on Solana: the devnet, or the node that the environment names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chains.conformance import ChainConformance
from tests.chains.harness import ChainHarness
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
