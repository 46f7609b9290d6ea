"""Which partitions this process owns, as the consumer group says; a body runs for each of them.

The group answers that one question and nothing else: that an older owner is really out is the
fence's business. Membership is a consumer whose partitions are paused and which is polled all the
time, since one that is not polled loses its partitions without a word.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener

from relayer.bus.kafka_client import TROUBLE, begin, end
from relayer.bus.kafka_rights import denial

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from relayer.bus.kafka_client import Cluster

POLL: Final = 0.2
"""Seconds that one poll of the membership lasts."""

AGAIN: Final = 1.0
"""Seconds after which a membership that has failed is begun anew."""

_log = structlog.get_logger("relayer.bus")


class Tenures(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """The bodies that run in this process, one for each partition that the group has given it."""

    def __init__(
        self,
        cluster: Cluster,
        state: str,
        count: int,
        body: Callable[[int], Coroutine[None, None, None]],
    ) -> None:
        """Run `body(number)` for those of the `count` partitions of `state` that are ours."""
        self._cluster, self._state, self._count, self._body = cluster, state, count, body
        self._ours: set[int] = set()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._returned: set[int] = set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Take part until every body has returned; raise what a body raises."""
        try:
            while not await self._take_part():
                await asyncio.sleep(AGAIN)
        finally:
            await self._release(self._running, patience=None)

    async def _take_part(self) -> bool:
        """Be a member; True when all is done, False when the membership has failed."""
        consumer = self._cluster.member(f"relayer.{self._state}")
        try:
            consumer.subscribe([self._state], listener=self)
            await begin(consumer)
            return await self._attend(consumer)
        except TROUBLE as error:
            said = denial(self._cluster, error, self._state, "Read")
            _log.warning("bus.membership_lost", topic=self._state, error=said)
            return False
        finally:
            self._ours.clear()
            await self._release(self._running, patience=None)
            await end(consumer.stop(), "member")

    async def _attend(self, consumer: AIOKafkaConsumer) -> bool:
        poll = asyncio.create_task(_poll(consumer))
        try:
            while not self._done:
                self._start_what_is_ours()
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait(
                    [poll, changed, *self._running.values()], return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
                self._collect()
                if poll.done():
                    poll.result()
        finally:
            poll.cancel()
            await asyncio.wait([poll])
        return True

    @property
    def _done(self) -> bool:
        return bool(self._ours) and self._ours <= self._returned and not self._running

    def _start_what_is_ours(self) -> None:
        for number in self._ours - self._returned - set(self._running):
            self._running[number] = asyncio.create_task(self._body(number))

    def _collect(self) -> None:
        """Note which bodies have ended; raise what one of them has raised."""
        raised: list[BaseException] = []
        for number, task in list(self._running.items()):
            if not task.done():
                continue
            del self._running[number]
            if task.cancelled():
                continue
            if (error := task.exception()) is not None:
                raised.append(error)
            else:
                self._returned.add(number)
        if len(raised) > 1:
            raise BaseExceptionGroup("bodies of partitions", raised)
        if raised:
            raise raised[0]

    async def _release(self, tasks: dict[int, asyncio.Task[None]], patience: float | None) -> None:
        """Cancel bodies, each once, and await them, so many seconds at most.

        A second cancellation would break off what the first one made a body do: let go in order.
        """
        for task in tasks.values():
            if not task.cancelling():
                task.cancel()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=patience)

    # Both are called within a rebalance. What they raise would be swallowed.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes all back. Bodies end before others get their partitions.

        A body that takes too long is left to the fence: who waits longer here is put out of the
        group.
        """
        del revoked
        self._ours.clear()
        await self._release(self._running, patience=self._cluster.session / 2)
        self._changed.set()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note; a partition beyond the declared ones is nobody's."""
        self._ours = {where.partition for where in assigned if where.partition < self._count}
        _log.info("bus.partitions_assigned", topic=self._state, partitions=sorted(self._ours))
        self._changed.set()


async def _poll(consumer: Any) -> None:
    while True:
        consumer.pause(*consumer.assignment())
        await consumer.getmany(timeout_ms=int(POLL * 1000))
