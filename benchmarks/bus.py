"""How fast the embedded bus commits: `python -m benchmarks.bus [--seconds 3]`.

One commit changes one key of state (800 bytes), writes one output (400 bytes) and the position.
Three ways to wait for the disk are compared: the bus as it is, everything on the event loop,
everything on a thread, each with an idle event loop and beside work that keeps it busy.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from relayer.bus.sqlite import SqliteBus
from relayer.ports.bus import Out, Partition, Topic

LANES = 4


def topics() -> list[Topic]:
    """Return an inbox, its state and a stream."""
    return [
        Topic(name="in", partitions=LANES, retention=timedelta(days=3), compacted=False),
        Topic(name="state", partitions=LANES, retention=None, compacted=True),
        Topic(name="stream", partitions=1, retention=timedelta(days=90), compacted=False),
    ]


async def measure(
    commits: list[Callable[[int], Awaitable[None]]], seconds: float, *, busy: bool
) -> str:
    """Let every lane commit as fast as it can and return what was seen."""
    taken: list[float] = []
    stalls: list[float] = []
    end = time.perf_counter() + seconds

    async def lane(commit: Callable[[int], Awaitable[None]]) -> None:
        number = 0
        while time.perf_counter() < end:
            began = time.perf_counter()
            await commit(number)
            taken.append(time.perf_counter() - began)
            number += 1

    async def heart() -> None:
        while time.perf_counter() < end:
            began = time.perf_counter()
            if busy:
                sum(range(20_000))  # about half a millisecond of somebody else's work
            await asyncio.sleep(0 if busy else 0.001)
            stalls.append(time.perf_counter() - began - (0 if busy else 0.001))

    processor = time.process_time()
    async with asyncio.TaskGroup() as group:
        group.create_task(heart())
        for commit in commits:
            group.create_task(lane(commit))
    processor = time.process_time() - processor
    taken.sort()
    stalls.sort()
    return (
        f"{len(taken) / seconds:7.0f} commits/s   p50 {_at(taken, 0.5)}   p99 {_at(taken, 0.99)}   "
        f"loop p99 {_at(stalls, 0.99)}   cpu {processor / len(taken) * 1e3:5.2f} ms/commit"
    )


def _at(values: list[float], share: float) -> str:
    return f"{values[int(len(values) * share)] * 1e3:6.2f} ms"


def outs(number: int) -> list[Out]:
    """Return what one commit writes beside the state."""
    return [Out(topic="stream", partition=0, key=str(number), value=b"o" * 400)]


async def through_the_bus(lanes: int, seconds: float, *, busy: bool) -> str:
    """Measure the bus: commits of restored partitions."""
    with tempfile.TemporaryDirectory() as directory:
        async with AsyncExitStack() as stack:
            bus = await stack.enter_async_context(SqliteBus(Path(directory) / "b.db", topics()))
            partitions = [
                await stack.enter_async_context(bus.own("in", "state", n)) for n in range(lanes)
            ]
            for partition in partitions:
                await partition.restore()

            def commit(partition: Partition) -> Callable[[int], Awaitable[None]]:
                async def act(number: int) -> None:
                    state = {f"{partition.number}/{number % 5000}": b"s" * 800}
                    await partition.commit(outs(number), state)

                return act

            return await measure([commit(p) for p in partitions], seconds, busy=busy)


async def by_hand(lanes: int, seconds: float, *, busy: bool, threaded: bool) -> str:
    """Measure the same three statements without the bus, whole on the loop or whole on a thread."""
    with tempfile.TemporaryDirectory() as directory:
        file = sqlite3.connect(
            Path(directory) / "b.db", isolation_level=None, check_same_thread=False
        )
        file.executescript(
            "pragma journal_mode=wal; pragma synchronous=full; create table log(o integer primary "
            "key, v); create table kept(k primary key, v) without rowid; create table pos(p)"
        )
        file.execute("insert into pos values(0)")

        def transact(number: int) -> None:
            file.execute("begin immediate")
            file.execute("update pos set p = ?", (number,))
            file.execute("insert into log(v) values(?)", (b"o" * 400,))
            file.execute(
                "insert or replace into kept values(?, ?)", (str(number % 5000), b"s" * 800)
            )
            file.execute("commit")

        with ThreadPoolExecutor(max_workers=1) as pool:

            async def commit(number: int) -> None:
                if threaded:
                    await asyncio.get_running_loop().run_in_executor(pool, transact, number)
                else:
                    transact(number)
                    await asyncio.sleep(0)

            line = await measure([commit] * lanes, seconds, busy=busy)
        file.close()
        return line


async def main(seconds: float) -> None:
    """Print the table."""
    for busy in (False, True):
        print(f"\n{'beside a busy event loop' if busy else 'idle event loop'}")
        for lanes in (1, LANES):
            print(
                f"  bus           {lanes} lanes", await through_the_bus(lanes, seconds, busy=busy)
            )
            for threaded in (False, True):
                name = "whole on thread" if threaded else "whole on loop  "
                line = await by_hand(lanes, seconds, busy=busy, threaded=threaded)
                print(f"  {name} {lanes} lanes", line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    asyncio.run(main(parser.parse_args().seconds))
