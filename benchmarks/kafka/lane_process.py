"""A process that owns lanes on Kafka until SIGTERM: each input makes one output in its commit.

``python -m benchmarks.kafka.lane_process SERVERS REPLICATION``
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from typing import Final

from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.ports.bus import Out, Partition, Topic

LANES: Final = 4
INBOX, STATE, OUTPUT = "lanes.in", "lanes.state", "lanes.out"


def cluster(servers: str, replication: int) -> Cluster:
    """The cluster with the session that brokers allow at least."""
    return Cluster(
        servers=tuple(servers.split(",")),
        replication=replication,
        min_insync=min(2, replication),
        session=6.0,
    )


def topics() -> list[Topic]:
    """What the lanes need."""
    day = timedelta(days=1)
    return [
        Topic(name=INBOX, partitions=LANES, retention=day, compacted=False),
        Topic(name=STATE, partitions=LANES, retention=None, compacted=True),
        Topic(name=OUTPUT, partitions=LANES, retention=day, compacted=False),
    ]


async def lane(partition: Partition) -> None:
    """Take, count, commit."""
    count = int((await partition.restore()).get("count", b"0"))
    while True:
        records = await partition.take(256, 5, asyncio.Event())
        if records:
            count += len(records)
            number = partition.number
            outs = [Out(topic=OUTPUT, partition=number, key=r.key, value=r.value) for r in records]
            await partition.commit(outs, {"count": str(count).encode()})


async def main(servers: str, replication: str) -> None:
    """Serve until SIGTERM."""
    async with KafkaBus(cluster(servers, int(replication)), topics()) as bus:
        serving = asyncio.create_task(bus.serve(INBOX, STATE, lane))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        await asyncio.wait([serving])
        if not serving.cancelled():
            serving.result()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
