"""How long a lane stands still when its owner leaves, dies, or loses a broker."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from benchmarks.kafka.lane_process import INBOX, LANES, OUTPUT, cluster, topics
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_topics import create
from relayer.devnet.kafka.broker import LocalKafka
from relayer.domain.errors import Transient
from relayer.ports.bus import Out

PROCESSES: Final = 3
EVERY: Final = 0.02
"""Seconds between two inputs of a lane: what a gap is measured in."""

SETTLED: Final = 2.0
"""Seconds for which every lane must have made outputs before the next event."""

STILL: Final = 1.0
"""Seconds without an output after which a lane counts as one that stood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """The longest time without an output, in seconds."""

    event: str
    worst: float
    """Of any lane."""
    lanes: int
    """How many stood for a second or longer."""


@dataclass(slots=True)
class _Field:
    """Lanes with steady inputs, and the moments of their outputs."""

    kafka: LocalKafka
    bus: KafkaBus
    running: list[Process] = field(default_factory=list)
    sent: int = 0
    moments: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in range(LANES)})
    seen: dict[str, int] = field(default_factory=dict)

    async def start(self) -> None:
        command = (sys.executable, "-m", "benchmarks.kafka.lane_process")
        self.running.append(
            await asyncio.create_subprocess_exec(
                *command,
                self.kafka.servers,
                str(self.kafka.count),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )

    async def end(self, number: signal.Signals) -> None:
        """End the process that has run longest."""
        process = self.running.pop(0)
        process.send_signal(number)
        await process.wait()

    async def feed(self) -> None:
        """An input to each lane every now and then; one whose fate is unknown is sent again."""
        while True:
            outs = [
                Out(topic=INBOX, partition=n, key=f"{n}/{self.sent}", value=b"x" * 400)
                for n in range(LANES)
            ]
            try:
                await self.bus.publish(outs)
            except Transient:
                continue
            self.sent += 1
            await asyncio.sleep(EVERY)

    async def watch(self) -> None:
        """Note when outputs appear, by the clock of the brokers, and how often each."""
        async with aclosing(self.bus.follow(OUTPUT, None)) as outputs:
            async for record in outputs:
                self.moments[record.partition].append(record.time)
                self.seen[record.key] = self.seen.get(record.key, 0) + 1

    async def settle(self) -> None:
        """Wait until all lanes go on, and have caught up."""
        async with asyncio.timeout(60):
            while not all(self._goes_on(n) for n in range(LANES)):
                await asyncio.sleep(0.2)

    def _goes_on(self, number: int) -> bool:
        """Whether a lane stood for no second lately, which a busy machine alone does not bring."""
        now, seen = time.time(), self.moments[number]
        recent = [now - SETTLED, *(at for at in seen if at > now - SETTLED), now]
        return max(later - before for before, later in pairwise(recent)) < STILL

    async def standstill(
        self, event: str, happen: Callable[[], Awaitable[None]], after: float
    ) -> Standstill:
        """Let it happen, wait for so long and until all goes on, and look back."""
        await self.settle()
        began = time.time()
        await happen()
        await asyncio.sleep(after)
        await self.settle()
        longest = [
            max(b - a for a, b in pairwise(at for at in self.moments[n] if at > began - 1))
            for n in range(LANES)
        ]
        return Standstill(
            event=event,
            worst=max(longest),
            lanes=sum(one >= STILL for one in longest),
        )


@asynccontextmanager
async def _field(kafka: LocalKafka) -> AsyncIterator[_Field]:
    where = cluster(kafka.servers, kafka.count)
    await create(where, Catalog(topics()))
    async with KafkaBus(where, topics()) as bus:
        lanes = _Field(kafka, bus)
        tasks = [asyncio.create_task(lanes.feed()), asyncio.create_task(lanes.watch())]
        try:
            for _ in range(PROCESSES):
                await lanes.start()
            yield lanes
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            while lanes.running:
                await lanes.end(signal.SIGKILL)


async def measure_takeover() -> list[Standstill]:
    """All events, one after the other, on a cluster of three brokers."""
    kafka = LocalKafka(brokers=3)
    kafka.__enter__()  # here, not on a thread that ends: the brokers live as long as it does
    try:
        async with _field(kafka) as lanes:
            found = await _events(lanes)
            await _proved(lanes)
        return found
    finally:
        kafka.__exit__()


async def _events(lanes: _Field) -> list[Standstill]:
    async def leave() -> None:
        await lanes.end(signal.SIGTERM)

    async def join() -> None:
        await lanes.start()

    async def die() -> None:
        await lanes.end(signal.SIGKILL)

    async def roll() -> None:
        for _ in range(PROCESSES):
            await lanes.start()
            await asyncio.sleep(3)
            await lanes.end(signal.SIGTERM)
            await asyncio.sleep(1)

    async def lose_broker() -> None:
        await asyncio.to_thread(lanes.kafka.kill, 2)

    async def regain_broker() -> None:
        await asyncio.to_thread(lanes.kafka.start, 2)

    return [
        await lanes.standstill("a process joins", join, 6),
        await lanes.standstill("a process leaves (SIGTERM)", leave, 3),
        await lanes.standstill("a process is killed (SIGKILL)", die, 8),
        await lanes.standstill("all are restarted, one after the other", roll, 3),
        await lanes.standstill("a broker of three is killed (SIGKILL)", lose_broker, 8),
        await lanes.standstill("it comes back", regain_broker, 8),
    ]


async def _proved(lanes: _Field) -> None:
    """Every input had its one output; inputs of unknown fate may have been sent twice."""
    until = lanes.sent
    async with asyncio.timeout(30):
        while any(f"{n}/{i}" not in lanes.seen for n in range(LANES) for i in range(until)):
            await asyncio.sleep(0.2)
