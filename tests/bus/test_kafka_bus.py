"""The bus on Kafka keeps the promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayer.ports.bus import Bus
from tests.bus.crashing import Crashing
from tests.bus.following import Following
from tests.bus.harness import World
from tests.bus.owning import Owning
from tests.bus.serving import Serving
from tests.bus.worlds import KafkaWorld


@pytest.fixture
async def world(kafka: str) -> AsyncIterator[KafkaWorld]:
    """Topics that nobody has written to, and nothing open."""
    world = KafkaWorld(kafka)
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
