"""A thief who may write to every topic of the embedded bus."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.attacks.robbery import Robberies
from tests.attacks.siege import Siege, on_the_embedded_bus
from tests.attacks.suite import Attacks

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siege(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    """One running bridge for all attacks."""
    async with on_the_embedded_bus(tmp_path_factory.mktemp("siege")) as siege, siege.running():
        await siege.serves()
        yield siege


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def resting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    """A bridge that a test starts and stops."""
    async with on_the_embedded_bus(tmp_path_factory.mktemp("siege")) as siege:
        yield siege


class TestAttacks(Attacks):
    """On SQLite."""


class TestRobberies(Robberies):
    """On SQLite."""
