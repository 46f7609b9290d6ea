"""What a thief writes without end, and how long honest transfers take meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from relayer.domain.authority import Role, Signed
from relayer.domain.distrust import Distrust
from relayer.domain.draft import SigningRequest
from relayer.domain.gate import CONTROL_RECORDS, MONITOR_WORDS, SUPPLY_RECORDS
from relayer.domain.records import (
    CONTROL,
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    SUPPLY,
    TRANSFERS_TOPIC,
    inbox,
)
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Out
from tests.attacks.gates import a_halt, a_reading
from tests.attacks.questions import asked
from tests.attacks.siege import Siege
from tests.domain.samples import SOLANA
from tests.services.bridge import MONITOR

SIZE: Final = 300_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 10_000
LANE: Final = inbox(SOLANA)
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Flood:
    """``records`` are written as quickly as the bus takes them, under many keys."""

    name: str
    topic: str
    reason: Distrust
    records: Callable[[Siege], Awaitable[Iterator[bytes]]]
    count: int = SIZE

    async def write(self, siege: Siege) -> None:
        """Write all of it."""
        values = await self.records(siege)
        batch: list[Out] = []
        for number, value in zip(range(self.count), values, strict=False):
            batch.append(Out(topic=self.topic, partition=0, key=f"k{number}", value=value))
            if len(batch) >= max(1, min(BATCH, 4_000_000 // max(1, len(value)))):
                await siege.bus.publish(batch)
                batch = []
        await siege.bus.publish(batch)

    def counted(self, siege: Siege) -> float:
        """How many of its records were refused."""
        name = "relayer_records_refused_total"
        return siege.counted(name, topic=self.topic, reason=self.reason)


async def _garbage(_: Siege) -> Iterator[bytes]:
    return (b"{%d" % number for number in range(SIZE))


async def _large(_: Siege) -> Iterator[bytes]:
    return (b"x" * 990_000 for _ in range(SIZE))


async def _claims(siege: Siege) -> Iterator[bytes]:
    """Deposits of blocks to come: nobody can deny them, each is looked at again and again."""
    claim = INBOX.encode(siege.new(height=900_000))
    known = siege.new().id.hex().encode()
    return (claim.replace(known[:48], b"%048x" % number) for number in range(1, SIZE + 1))


async def _requests(siege: Siege) -> Iterator[bytes]:
    """Well-formed requests for deposits that nobody made, each good for a read of a chain."""
    made = siege.new(height=1)
    request = await asked(siege, made, seconds=60)

    def one(number: int) -> SigningRequest:
        name, digest = TransferId(number.to_bytes(32, "big")), number.to_bytes(32, "little")
        draft = replace(request.draft, id=name, digest=digest)
        return replace(request, deposit=replace(made, id=name), draft=draft)

    return (REQUESTS.encode(one(number)) for number in range(2**200, 2**200 + SIZE))


async def _readings(_: Siege) -> Iterator[bytes]:
    """In the monitor's name and under its key: each costs the check of a signature."""
    body = MONITOR_WORDS.encode(a_reading()).decode()
    forged = Signed(role=Role.MONITOR, key=MONITOR.public, body=body, signature=bytes(64))
    return (
        SUPPLY_RECORDS.encode(replace(forged, signature=number.to_bytes(64, "big")))
        for number in range(SIZE)
    )


async def _halts(_: Siege) -> Iterator[bytes]:
    return (CONTROL_RECORDS.encode(a_halt(name=f"EVIL{n}")) for n in range(SIZE))


FLOODS: Final = (
    Flood("garbage", LANE, Distrust.UNREADABLE, _garbage),
    Flood("a million bytes each", LANE, Distrust.TOO_LARGE, _large, SIZE // 500),
    Flood("claims of blocks to come", LANE, Distrust.CROWDED, _claims, SIZE // 4),
    Flood("made-up requests", SIGNING_REQUESTS, Distrust.CROWDED, _requests, SIZE // 4),
    Flood("readings with forged signatures", SUPPLY, Distrust.NOT_AUTHENTIC, _readings, SIZE // 4),
    Flood("halts of made-up assets", CONTROL, Distrust.NOT_SERVED, _halts, SIZE // 4),
    Flood("garbage as facts", TRANSFERS_TOPIC, Distrust.UNREADABLE, _garbage, SIZE // 4),
)


async def longest_wait(siege: Siege, flood: Flood) -> float:
    """Seconds of the slowest honest transfer from before the flood until it is refused whole."""
    writing = asyncio.create_task(flood.write(siege))
    waits: list[float] = []
    while not writing.done() or not waits:
        begun = time.monotonic()
        await siege.serves()
        waits.append(time.monotonic() - begun)
    await writing
    waits.append(await siege.serves())
    return max(waits)
