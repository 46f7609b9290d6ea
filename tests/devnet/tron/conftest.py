"""The stage on which recorded requests are asked again: one for each module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from tests.devnet.tron.stage import Stage, set_up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """A devnet at the point where the recordings were made."""
    config = TronDevnetConfig(block_seconds=0.02, solid_lag_blocks=3)
    net = TronDevnet(config)
    net.faults.stall()
    async with net, aiohttp.ClientSession() as session:
        ready = Stage(net, session)
        await set_up(ready)
        yield ready
