"""A devnet for each test, with its clock stopped: tests make the blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio

from relayer.devnet.solana import SolanaDevnet, SolanaDevnetConfig
from tests.devnet.solana.stage import Stage


class ChainTime:
    """The time that blocks carry; tests set it as they like."""

    def __init__(self) -> None:
        self.now = 1_795_370_000.0

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.now


@pytest.fixture
def chain_time() -> ChainTime:
    """The clock of the devnet."""
    return ChainTime()


@pytest.fixture
def config() -> SolanaDevnetConfig:
    """Settings as close to the recorded node as possible: it skipped no slot."""
    return SolanaDevnetConfig(confirmed_lag_slots=0, finalized_lag_slots=31, skip_every=0)


@pytest_asyncio.fixture
async def stage(
    config: SolanaDevnetConfig, chain_time: Callable[[], float]
) -> AsyncIterator[Stage]:
    """A running devnet that makes no block by itself."""
    net = SolanaDevnet(config, clock=chain_time)
    net.faults.stall()
    async with net, aiohttp.ClientSession() as session:
        yield Stage(net, session)
