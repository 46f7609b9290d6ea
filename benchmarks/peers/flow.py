"""One flow of messages through a relayer, with or without a break on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from benchmarks.measures import share
from benchmarks.peers.watch import Watch
from relayer.cli.demo.child import Child


class Break(StrEnum):
    """How a relayer is interrupted; it is started again at once."""

    KILLED_BEFORE = "SIGKILL before any arrived"
    KILLED_MIDDLE = "SIGKILL once a quarter arrived"
    STOPPED_MIDDLE = "clean stop once a quarter arrived"


class Bridge(Protocol):
    """A bridge between two local chains whose relayer runs as a process."""

    watch: Watch
    child: Child

    async def send(self, messages: int) -> None:
        """Send so many at once; returns when the source chain has accepted all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What became of a flow; times in seconds, memory in MiB.

    A latency is from the block of the source to the block of the destination.
    """

    messages: int
    delivered: int
    twice: int
    delivered_at_break: int
    seconds: float
    latencies: tuple[float, ...]
    cpu_seconds: float
    peak_mib: float

    @property
    def per_second(self) -> float:
        """Messages per second, first departure to last arrival."""
        return self.delivered / self.seconds if self.seconds else 0.0

    def at(self, part: float) -> float:
        """The latency below which this part of the delivered lies."""
        return share(list(self.latencies), part)


async def flow(
    bridge: Bridge, messages: int, *, broken: Break | None = None, patience: float = 60.0
) -> Flow:
    """Send at once and wait until all have arrived, or nothing has for ``patience`` seconds."""
    watch, child = bridge.watch, bridge.child
    before = await watch.begin()

    def ids() -> set[str]:
        return set(watch.left) - before

    def arrived() -> int:
        return len(ids() & set(watch.arrived))

    child.measure()
    cpu, at_break = child.cpu, messages
    await bridge.send(messages)
    await _until(lambda: len(ids()), messages, patience)
    if broken is not None:
        early = broken is Break.KILLED_BEFORE
        await _until(arrived, 0 if early else messages // 4, patience)
        at_break = arrived()
        await (child.stop() if broken is Break.STOPPED_MIDDLE else child.kill())
        await child.start()
    await _until(arrived, messages, patience)
    child.measure()
    there = ids() & set(watch.arrived)
    took = sorted(watch.arrived[one] - watch.left[one] for one in there)
    begun = min(watch.left[one] for one in ids())
    return Flow(
        messages=len(ids()),
        delivered=len(took),
        twice=await watch.twice(ids()),
        delivered_at_break=at_break,
        seconds=max((watch.arrived[one] for one in there), default=begun) - begun,
        latencies=tuple(took),
        cpu_seconds=child.cpu - cpu,
        peak_mib=child.peak_bytes / 2**20,
    )


async def idle(child: Child, seconds: float = 10.0) -> float:
    """CPU seconds per second of a relayer that has nothing to do."""
    child.measure()
    before = child.cpu
    await asyncio.sleep(seconds)
    child.measure()
    return (child.cpu - before) / seconds


async def _until(count: Callable[[], int], wanted: int, patience: float) -> None:
    last, since = -1, time.monotonic()
    while (now := count()) < wanted and time.monotonic() - since < patience:
        if now != last:
            last, since = now, time.monotonic()
        await asyncio.sleep(0.02)
