from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from relayer.bus.kafka_client import end
from relayer.bus.ownership import keep
from relayer.ports.bus import Lost, Partition


async def test_a_body_that_is_cancelled_while_it_ends_as_lost_does_not_begin_again() -> None:
    """A task group that winds down swallows the cancellation; its owner must let go all the same."""
    begun, ending, over = [], asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ending.set()
            await over.wait()

    async def body(partition: Partition) -> None:
        begun.append(partition)
        async with asyncio.TaskGroup() as group:
            group.create_task(slow_to_end())
            await asyncio.sleep(0)
            raise Lost

    owner = asyncio.create_task(keep(_nothing, body))
    await ending.wait()
    owner.cancel()
    await asyncio.sleep(0)
    over.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await owner

    assert len(begun) == 1


async def test_a_client_that_swallows_cancellations_does_not_swallow_its_owners() -> None:
    """As aiokafka's clients do when they stop: the client ends in order, then the owner ends."""
    stopping, ended = asyncio.Event(), []

    async def stop() -> None:
        stopping.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
        ended.append("client")

    async def owner() -> None:
        await end(stop(), "client")
        ended.append("owner went on")

    task = asyncio.create_task(owner())
    await stopping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == ["client"]


@contextlib.asynccontextmanager
async def _nothing() -> AsyncIterator[Partition]:
    """A partition that the body does not use."""
    yield object()  # type: ignore[misc]
