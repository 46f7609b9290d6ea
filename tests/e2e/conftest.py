"""One world for all tests of a module: three chains, the bridge, and how to reach them.

The chains are local, save those in the file of nodes that XSTOCKS_TEST_NODES names.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from relayer.devnet import given
from relayer.devnet.world import LocalWorld, WorldOptions


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalWorld]:
    directory: Path = tmp_path_factory.mktemp("world")
    path = os.environ.get("XSTOCKS_TEST_NODES")
    nodes = given.load(Path(path)) if path else given.Given()
    async with LocalWorld(directory, WorldOptions(users=3, given=nodes)) as world:
        yield world
