"""Three brokers, of which one dies under load: whoever coordinated through it goes on elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.client import CoordinationType

from relayer.devnet.kafka.broker import LocalKafka
from relayer.ports.bus import Bus, Partition
from tests.bus.harness import LANES, everything, keys, out
from tests.bus.worlds import KafkaWorld


@pytest.fixture(scope="module")
def brokers(kafka: str) -> Iterator[LocalKafka]:
    """Start three of our own, where there is a Kafka at all: a given one is nobody's to kill."""
    with LocalKafka(brokers=3) as cluster:
        yield cluster


@pytest.fixture
async def world(brokers: LocalKafka) -> AsyncIterator[KafkaWorld]:
    """Topics with three replicas, of which two acknowledge."""
    world = KafkaWorld(brokers.servers)
    world.cluster = dataclasses.replace(world.cluster, replication=3, min_insync=2)
    yield world
    await world.clear()


@pytest.mark.timeout(240)
async def test_lanes_go_on_when_a_broker_dies_and_comes_back(
    world: KafkaWorld, brokers: LocalKafka
) -> None:
    """The coordinator of a lane's transactions is killed under load: each input once all the same."""
    bus = await world.open()
    async with world.own(world.inbox, world.state, 0) as first:
        await first.restore()  # the cluster has chosen a coordinator
    assert bus._publisher is not None
    client = bus._publisher.client
    victim = await client.coordinator_lookup(CoordinationType.TRANSACTION, f"{world.state}.0")

    async def lane(partition: Partition) -> None:
        count = int((await partition.restore()).get("count", b"0"))
        while True:
            for record in await partition.take(10, 5, asyncio.Event()):
                right = record.key == f"{partition.number}/{count}"
                count += 1
                done = out(world.stream, 0, record.key if right else f"WRONG {record.key}")
                await partition.commit([done], {"count": str(count).encode()})

    serving = asyncio.ensure_future(bus.serve(world.inbox, world.state, lane))
    async with asyncio.TaskGroup() as group:
        over = asyncio.Event()
        published = group.create_task(_publish(bus, world, over))
        await asyncio.sleep(1)
        # The thread that starts a broker must outlive it: this one lasts as long as the loop.
        await asyncio.to_thread(brokers.kill, victim)
        await asyncio.to_thread(brokers.start, victim)
        await asyncio.sleep(1)
        over.set()
    async with asyncio.timeout(90):
        while len(seen := keys(await everything(bus, world.stream))) < published.result():
            await asyncio.sleep(0.3)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving

    each = published.result() // LANES
    assert sorted(seen) == sorted(f"{n}/{i}" for n in range(LANES) for i in range(each))


async def _publish(bus: Bus, world: KafkaWorld, over: asyncio.Event) -> int:
    """Publish numbered inputs, one lane after the other, until all is over; return how many."""
    count = 0
    while not over.is_set():
        for number in range(LANES):
            await bus.publish([out(world.inbox, number, f"{number}/{count}")])
        count += 1
        await asyncio.sleep(0.05)
    return count * LANES
