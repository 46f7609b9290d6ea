"""A process that serves lanes on Kafka until it is killed: each input makes one output.

The fold notices whatever is wrong with its inputs and says so in the output: a gap, a repetition.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from datetime import timedelta

from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.ports.bus import Partition, Topic
from tests.bus.harness import out
from tests.real_kafka import cluster

LANES = 4


def lanes_cluster(servers: str, session: float) -> Cluster:
    """Return the cluster as all processes of the test use it."""
    return dataclasses.replace(cluster(servers), session=session)


def lanes_topics(name: str) -> list[Topic]:
    """Return the topics of the lanes."""
    days = timedelta(days=1)
    return [
        Topic(name=f"{name}.in", partitions=LANES, retention=days, compacted=False),
        Topic(name=f"{name}.state", partitions=LANES, retention=None, compacted=True),
        Topic(name=f"{name}.out", partitions=LANES, retention=days, compacted=False),
    ]


async def main(servers: str, name: str, session: str) -> None:
    """Serve until killed."""

    async def lane(partition: Partition) -> None:
        number = partition.number
        count = int((await partition.restore()).get("count", b"0"))
        while True:
            records = await partition.take(20, 5, asyncio.Event())
            outs = []
            for record in records:
                right = record.key == f"{number}/{count}"
                outs.append(out(f"{name}.out", number, record.key if right else f"WRONG {count}"))
                count += 1
            if records:
                await partition.commit(outs, {"count": str(count).encode()})

    async with KafkaBus(lanes_cluster(servers, float(session)), lanes_topics(name)) as bus:
        await bus.serve(f"{name}.in", f"{name}.state", lane)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
