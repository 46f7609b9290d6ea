"""A bus whose topics have other names in the cluster: several worlds share one Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from relayer.bus.kafka import KafkaBus
from relayer.bus.passing import PassingFollower, PassingPartition
from relayer.ports.bus import Finding, Follower, Out, Partition, Record


class Prefixed:
    """The port over a Kafka bus, with a prefix before every topic's name."""

    def __init__(self, bus: KafkaBus, prefix: str) -> None:
        self._bus, self._prefix = bus, prefix

    def partitions(self, topic: str) -> int:
        return self._bus.partitions(self._prefix + topic)

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        async def inner(partition: Partition) -> None:
            await body(_Partition(partition, self._prefix))

        there = None if inbox is None else self._prefix + inbox
        await self._bus.serve(there, self._prefix + state, inner)

    def follow(self, topic: str, since: timedelta | None) -> Follower:
        return _Follower(self._bus.follow(self._prefix + topic, since), self._prefix)

    async def publish(self, outs: Sequence[Out]) -> None:
        await self._bus.publish(_there(outs, self._prefix))

    async def check(self) -> Sequence[Finding]:
        return await self._bus.check()


class _Partition(PassingPartition):
    def __init__(self, partition: Partition, prefix: str) -> None:
        super().__init__(partition)
        self._prefix = prefix

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - the port's
        records = await super().take(limit, timeout, wake)
        return [_here(record, self._prefix) for record in records]

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        await super().commit(_there(outs, self._prefix), state)


class _Follower(PassingFollower):
    def __init__(self, follower: Follower, prefix: str) -> None:
        super().__init__(follower)
        self._prefix = prefix

    async def __anext__(self) -> Record:
        return _here(await super().__anext__(), self._prefix)


def _there(outs: Sequence[Out], prefix: str) -> list[Out]:
    return [replace(out, topic=prefix + out.topic) for out in outs]


def _here(record: Record, prefix: str) -> Record:
    return replace(record, topic=record.topic.removeprefix(prefix))
