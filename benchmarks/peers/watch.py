"""What a user sees of a bridge: a message leaves in a block here and arrives in a block there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from eth_hash.auto import keccak

from relayer.devnet.rpc import RpcClient

PACE = 0.05
"""Seconds between two looks at both chains, which every time measured here is exact to."""


@dataclass(slots=True, kw_only=True)
class Events:
    """The events of one contract whose first indexed value is a message's id."""

    url: str
    contract: str
    event: str
    _rpc: RpcClient = field(init=False)
    _first: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._rpc = RpcClient(self.url)

    async def from_here(self) -> None:
        """Forget the blocks before the newest one."""
        self._first = int(await self._rpc.call("eth_blockNumber"), 16)

    async def ids(self) -> list[str]:
        """The id of each event since then, in chain order."""
        wanted = {
            "address": self.contract,
            "topics": ["0x" + keccak(self.event.encode()).hex()],
            "fromBlock": hex(self._first),
            "toBlock": "latest",
        }
        return [log["topics"][1] for log in await self._rpc.call("eth_getLogs", wanted)]

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()


@dataclass(slots=True, kw_only=True)
class Watch:
    """When each message was first seen in a block of the source, and of the destination.

    Times are those of `time.monotonic`, in seconds.
    """

    source: Events
    destination: Events
    left: dict[str, float] = field(default_factory=dict, init=False)
    arrived: dict[str, float] = field(default_factory=dict, init=False)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at both chains all the time inside this context."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            await self.source.close()
            await self.destination.close()

    async def begin(self) -> frozenset[str]:
        """Begin a flow: the ids that left before it."""
        await self.source.from_here()
        await self.destination.from_here()
        return frozenset(self.left)

    async def twice(self, ids: Iterable[str]) -> int:
        """How many of these messages arrived more than once since the flow began."""
        counts = Counter(await self.destination.ids())
        return sum(counts[one] > 1 for one in ids)

    async def _look(self) -> None:
        while True:
            for events, seen in ((self.source, self.left), (self.destination, self.arrived)):
                for one in await events.ids():
                    seen.setdefault(one, time.monotonic())
            await asyncio.sleep(PACE)
