"""A thief who may write to every topic of a real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.attacks.siege import Siege, on_kafka
from tests.attacks.suite import Attacks

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siege(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> AsyncIterator[Siege]:
    """One running bridge for all attacks."""
    async with on_kafka(tmp_path_factory.mktemp("siege"), kafka) as (siege, raw), siege.running():
        siege.raw = raw
        await siege.serves()
        yield siege


class TestAttacks(Attacks):
    """On Kafka."""
