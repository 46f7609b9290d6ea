"""Several processes on Kafka, killed at random: every input once, in order, by whoever is left."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
from asyncio.subprocess import Process

import pytest

from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_topics import create, delete
from tests.architecture.tree import ROOT
from tests.bus.harness import everything, keys, out
from tests.bus.kafka_lanes import LANES, lanes_cluster, lanes_topics
from tests.real_kafka import ADDRESS

SECONDS = 6.0
"""How long inputs arrive and processes are killed."""

KILLS = 4
"""One within the session of the last: two are dead, and not missed yet, at the same time."""


@pytest.mark.timeout(120)
async def test_killed_processes_lose_nothing_and_do_nothing_twice(kafka: str) -> None:
    """Three processes, four lanes, a SIGKILL every 1.5 seconds: each input has one output."""
    session = 6.0 if ADDRESS in os.environ else 2.0  # a cluster's own least is 6 s
    name = f"t{secrets.token_hex(6)}"
    cluster, topics = lanes_cluster(kafka, session), lanes_topics(name)
    await create(cluster, Catalog(topics))
    command = (sys.executable, "-m", "tests.bus.kafka_lanes", kafka, name, str(session))
    async with KafkaBus(cluster, topics) as bus:
        processes = [await _start(command) for _ in range(3)]
        try:
            async with asyncio.TaskGroup() as group:
                published = group.create_task(_publish(bus, f"{name}.in"))
                group.create_task(_kill(processes, command))
            seen = await _drained(bus, f"{name}.out", published.result())
        finally:
            for process in processes:
                await _end(process)
        await delete(cluster, Catalog(topics))

    each = published.result() // LANES
    assert sorted(seen) == sorted(f"{n}/{i}" for n in range(LANES) for i in range(each))


async def _start(command: tuple[str, ...]) -> Process:
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT)


async def _end(process: Process) -> None:
    assert process.returncode is None, "a lane's process ended by itself"
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def _publish(bus: KafkaBus, inbox: str) -> int:
    """Publish numbered inputs to every lane for a while; return how many."""
    loop = asyncio.get_running_loop()
    until, count = loop.time() + SECONDS, 0
    while loop.time() < until:
        await bus.publish([out(inbox, n, f"{n}/{count}") for n in range(LANES)])
        count += 1
        await asyncio.sleep(0.01)
    return count * LANES


async def _kill(processes: list[Process], command: tuple[str, ...]) -> None:
    """Kill one process after the other, and start another in its place."""
    chance = random.Random(5)
    for _ in range(KILLS):
        await asyncio.sleep(SECONDS / KILLS)
        victim = chance.randrange(len(processes))
        await _end(processes[victim])
        processes[victim] = await _start(command)


async def _drained(bus: KafkaBus, topic: str, count: int) -> list[str]:
    """Wait until there are so many outputs, then a little longer for any that is too many."""
    async with asyncio.timeout(60):
        while len(await everything(bus, topic)) < count:
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
    return keys(await everything(bus, topic))
