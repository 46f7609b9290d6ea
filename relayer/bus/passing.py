"""A bus that passes everything on: what stands before one says only what it does otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Self

from relayer.ports.bus import (
    Bus,
    Finding,
    Follower,
    Genuine,
    Out,
    Partition,
    Record,
    unasked,
)


class PassingBus:
    """All as the bus behind it does, and says, and raises."""

    def __init__(self, inner: Bus) -> None:
        """Stand before ``inner``."""
        self._inner = inner

    def partitions(self, topic: str) -> int:
        """As the bus says."""
        return self._inner.partitions(topic)

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        """As the bus does."""
        await self._inner.serve(inbox, state, body)

    def follow(self, topic: str, since: timedelta | None) -> Follower:
        """As the bus does."""
        return self._inner.follow(topic, since)

    async def publish(self, outs: Sequence[Out]) -> None:
        """As the bus does."""
        await self._inner.publish(outs)

    async def check(self) -> Sequence[Finding]:
        """As the bus does."""
        return await self._inner.check()


class PassingPartition:
    """All as the partition behind it does."""

    def __init__(self, inner: Partition) -> None:
        """Stand before ``inner``."""
        self._inner = inner

    @property
    def number(self) -> int:
        """As the partition says."""
        return self._inner.number

    async def restore(self, genuine: Genuine = unasked) -> Mapping[str, bytes]:
        """As the partition does."""
        return await self._inner.restore(genuine)

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - the port's own
        """As the partition does."""
        return await self._inner.take(limit, timeout, wake)

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        """As the partition does."""
        await self._inner.commit(outs, state)

    async def behind(self) -> int:
        """As the partition says."""
        return await self._inner.behind()


class PassingFollower:
    """All as the follower behind it does."""

    def __init__(self, inner: Follower) -> None:
        """Stand before ``inner``."""
        self._inner = inner
        self.caught_up = inner.caught_up

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Record:
        """As the follower does."""
        return await anext(self._inner)

    async def aclose(self) -> None:
        """As the follower does."""
        await self._inner.aclose()
