"""Batches of records byte by byte, as no client of Kafka would write them."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

GZIP, ZSTD = 1, 4
"""Codecs: aiokafka unpacks the first by itself, without a bound; the other not at all."""

Header = tuple[bytes, bytes]


def record(
    value: bytes, *, key: bytes = b"k", attributes: int = 0, headers: Sequence[Header] = ()
) -> bytes:
    """The first record of a batch; ``attributes`` is a byte that means nothing so far."""
    parts = [bytes([attributes]), _number(0), _number(0), _text(key), _text(value)]
    parts += [_number(len(headers)), *(_text(part) for header in headers for part in header)]
    body = b"".join(parts)
    return _number(len(body)) + body


def batch(records: bytes, *, codec: int = 0) -> bytes:
    """A batch of one record, packed by a codec or not at all."""
    now = int(time.time() * 1000)
    rest = struct.pack(">hiqqqhii", codec, 0, now, now, -1, -1, -1, 1) + records
    return struct.pack(">qiibI", 0, 9 + len(rest), -1, 2, calc_crc32c(rest)) + rest


def in_zstd(data: bytes) -> bytes:
    """A frame of zstd that holds these few bytes as they are."""
    return b"\x28\xb5\x2f\xfd\x00\x58" + (len(data) << 3 | 1).to_bytes(3, "little") + data


async def append(producer: AIOKafkaProducer, topic: str, data: bytes) -> int:
    """Append a batch to the first partition of a topic; the broker's answer, 0 if it took it."""
    await producer.partitions_for(topic)
    client: Any = producer.client
    leader = next(p.leader for p in client.cluster._partitions[topic].values() if not p.partition)
    request = ProduceRequest(
        transactional_id=None, required_acks=-1, timeout=10_000, topics=[(topic, [(0, data)])]
    )
    while (code := _code(await client.send(leader, request))) == NotLeaderForPartitionError.errno:
        await asyncio.sleep(0.02)  # a topic that was made a moment ago
    return code


def _code(answer: Any) -> int:
    code: int = answer.to_object()["topics"][0]["partitions"][0]["error_code"]
    return code


def _text(part: bytes) -> bytes:
    return _number(len(part)) + part


def _number(value: int) -> bytes:
    """A number that is not negative, as records hold it."""
    left, octets = value << 1, bytearray()
    while left > 127:
        octets.append(left & 127 | 128)
        left >>= 7
    return bytes([*octets, left])
