"""Recent blocks of one node: their hashes, their ages, and how fast they come."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from solders.hash import Hash

from relayer.chains.solana.rpc import NodeError, SolanaRpc, understood
from relayer.chains.solana.terms import BLOCKHASH_BLOCKS
from relayer.domain.errors import Unavailable

_FRESH_SECONDS: Final = 0.5
_WINDOW_SECONDS: Final = 60.0
_LEAST_LOOKS: Final = 3
_SHORTEST_MEASURE: Final = (20, 2.0)
"""Blocks and seconds between two looks from which a pace can be told."""
_SHORTEST_LIFE: Final = 12
"""Blocks; nodes stop forwarding a message about six before its end, and it has to be signed."""
_SKIPPED: Final = frozenset({-32007, -32009})
_TRIES: Final = 8
_CONFIRMED: Final = {"commitment": "confirmed"}
_HEADER: Final = {**_CONFIRMED, "transactionDetails": "none", "rewards": False}
_HEADER_ANY: Final = {**_HEADER, "maxSupportedTransactionVersion": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A confirmed block: slot, height, hash."""

    slot: int
    height: int
    blockhash: bytes

    @property
    def last_valid(self) -> int:
        """The last height at which a message with its hash is surely taken."""
        return self.height + BLOCKHASH_BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The newest confirmed block when it was looked at (seconds since the epoch)."""

    header: Header
    at: float


class Blocks:
    """The confirmed blocks of one node, looked at no more often than needed."""

    def __init__(self, rpc: SolanaRpc, slot_seconds: float, now: Callable[[], float]) -> None:
        """Assume ``slot_seconds`` per block until measured; ``now`` is the wall clock."""
        self._rpc = rpc
        self._assumed = slot_seconds
        self._now = now
        self._looks: deque[tuple[float, int]] = deque()
        self._tip: Tip | None = None
        self._asked_at = 0.0
        self._looking = asyncio.Lock()
        self._headers: OrderedDict[int, Header] = OrderedDict()
        self._asking: dict[int, asyncio.Task[Header | None]] = {}

    async def tip(self) -> Tip:
        """The newest confirmed block, at most half a second old."""
        async with self._looking:
            begun = self._now()
            if self._tip is None or not 0 <= begun - self._asked_at < _FRESH_SECONDS:
                self._tip, self._asked_at = await self._look(), begun
            return self._tip

    async def header(self, slot: int) -> Header | None:
        """The block in a slot, None for a skipped one; Unavailable until the node has it.

        Who asks for a slot that is being asked for hears the same answer: blocks do not change.
        """
        if (known := self._headers.get(slot)) is not None:
            return known
        asking = self._asking.get(slot)
        if asking is None:
            asking = self._asking[slot] = asyncio.create_task(self._ask(slot))
            asking.add_done_callback(lambda task: self._answered(slot, task))
        return await asyncio.shield(asking)

    def _answered(self, slot: int, task: asyncio.Task[Header | None]) -> None:
        del self._asking[slot]
        if not task.cancelled():
            task.exception()  # marks it as seen, should all who asked have given up

    async def _ask(self, slot: int) -> Header | None:
        try:
            answer = await self._rpc.call("getBlock", slot, _HEADER_ANY)
        except NodeError as error:
            if error.code in _SKIPPED:
                return None
            raise
        with understood("getBlock"):
            if answer is None or answer["blockHeight"] is None:
                return None
            blockhash, height = _hash(answer["blockhash"]), int(answer["blockHeight"])
            return self._keep(Header(slot=slot, height=height, blockhash=blockhash))

    async def header_living(self, seconds: float) -> Header:
        """The newest block whose hash dies within ``seconds``; the tip if all do."""
        tip = (await self.tip()).header
        blocks = int(seconds / self.pace) - 1
        if blocks < _SHORTEST_LIFE:
            raise Unavailable(f"{seconds:.1f} s are too short for a message to be signed and land")
        age = BLOCKHASH_BLOCKS - blocks
        if age <= 0:
            return tip
        slot = tip.slot - age
        for _ in range(_TRIES):
            header = await self.header(slot)
            if header is not None and header.height <= tip.height - age:
                return header
            slot -= 1 if header is None else header.height - (tip.height - age)
        raise Unavailable(f"no block found whose hash dies within {seconds:.1f} s")

    async def death_of(self, last_valid: int) -> float:
        """When a message can no longer land, in seconds since the epoch, as far as can be told."""
        tip = await self.tip()
        return tip.at + max(last_valid + 2 - tip.header.height, 0) * self.pace

    @property
    def pace(self) -> float:
        """Seconds per block: measured over the last minute, else assumed."""
        if len(self._looks) < 2:
            return self._assumed
        (began, low), (ended, high) = self._looks[0], self._looks[-1]
        least_blocks, least_seconds = _SHORTEST_MEASURE
        if high - low < least_blocks or ended - began < least_seconds:
            return self._assumed
        return (ended - began) / (high - low)

    async def _look(self) -> Tip:
        answer = await self._rpc.call("getLatestBlockhash", _CONFIRMED)
        at = self._now()
        with understood("getLatestBlockhash"):
            value = answer["value"]
            header = Header(
                slot=answer["context"]["slot"],
                height=value["lastValidBlockHeight"] - BLOCKHASH_BLOCKS,
                blockhash=_hash(value["blockhash"]),
            )
        if self._looks and header.height < self._looks[-1][1]:
            self._looks.clear()
        self._looks.append((at, header.height))
        while len(self._looks) > _LEAST_LOOKS and self._looks[0][0] < at - _WINDOW_SECONDS:
            self._looks.popleft()
        return Tip(header=self._keep(header), at=at)

    def _keep(self, header: Header) -> Header:
        self._headers[header.slot] = header
        while len(self._headers) > 2 * BLOCKHASH_BLOCKS:
            self._headers.popitem(last=False)
        return header


def _hash(text: Any) -> bytes:
    return bytes(Hash.from_string(text))
