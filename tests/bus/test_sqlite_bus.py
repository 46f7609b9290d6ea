"""The embedded bus keeps the promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayer.ports.bus import Bus
from tests.bus.crashing import Crashing
from tests.bus.following import Following
from tests.bus.harness import World
from tests.bus.owning import Owning
from tests.bus.serving import Serving
from tests.bus.worlds import SqliteWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SqliteWorld]:
    """An empty file and nothing open."""
    world = SqliteWorld(tmp_path / "bus.db")
    yield world
    await world.clear()


@pytest.fixture
async def bus(world: World) -> Bus:
    """The bus, open."""
    return await world.open()


class TestOwning(Owning):
    """`restore`, `take`, `commit`, `publish`."""


class TestFollowing(Following):
    """`follow`."""


class TestServing(Serving):
    """`serve`."""


class TestCrashing(Crashing):
    """Restarts and kills."""
