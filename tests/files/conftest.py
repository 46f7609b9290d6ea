"""One local world for all tests of files, and a way to run the relayer over a state directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from relayer.devnet.world import LocalWorld, WorldOptions


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalWorld]:
    directory: Path = tmp_path_factory.mktemp("world")
    async with LocalWorld(directory, WorldOptions(users=3)) as world:
        yield world
