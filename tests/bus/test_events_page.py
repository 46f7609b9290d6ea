"""What docs/events.md tells other teams is so, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.domain.records import TRANSFERS, TRANSFERS_TOPIC
from relayer.domain.stage import Stage
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Out, Topic
from tests.architecture.tree import ROOT
from tests.domain.golden import TOLD
from tests.real_kafka import cluster

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
TOPIC = Topic(
    name=f"{TRANSFERS_TOPIC}.{secrets.token_hex(4)}",
    partitions=2,
    retention=timedelta(days=180),
    compacted=False,
)
"""With a name of its own: others may use the same Kafka."""


@pytest.fixture
async def stream(kafka: str) -> AsyncIterator[Cluster]:
    """A Kafka with the public topic and nothing in it."""
    there = cluster(kafka)
    await create(there, Catalog([TOPIC]))
    yield there
    await delete(there, Catalog([TOPIC]))


async def test_the_consumer_on_the_page_reads_the_stream(stream: Cluster, tmp_path: Path) -> None:
    """As it stands there: it prints each delivery that was told, and no other stage."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    script = tmp_path / "consumer.py"
    script.write_text(example.replace(TRANSFERS_TOPIC, TOPIC.name), encoding="utf-8")
    told = [
        replace(TOLD, id=TransferId(bytes([n]) * 32), stage=stage)
        for n, stage in enumerate((Stage.SEEN, Stage.DELIVERED, Stage.PARKED, Stage.DELIVERED))
    ]
    async with KafkaBus(stream, [TOPIC]) as bus:
        await bus.publish(
            [
                Out(topic=TOPIC.name, partition=n % 2, key=t.id.hex(), value=TRANSFERS.encode(t))
                for n, t in enumerate(told)
            ]
        )

    consumer = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stream.servers[0], stdout=asyncio.subprocess.PIPE
    )
    try:
        assert consumer.stdout is not None
        async with asyncio.timeout(50):
            lines = [(await consumer.stdout.readline()).decode().split() for _ in range(2)]
    finally:
        consumer.kill()
        await consumer.wait()

    assert sorted(lines) == sorted(
        [t.id.hex(), str(t.shares), str(t.destination_tx)]
        for t in told
        if t.stage is Stage.DELIVERED
    )


def test_the_record_on_the_page_is_one() -> None:
    """The example decodes, and names every field."""
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    told = TRANSFERS.decode(example.encode())

    assert told.stage is Stage.DELIVERED
    assert json.loads(example).keys() == json.loads(TRANSFERS.encode(told)).keys()
