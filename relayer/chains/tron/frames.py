"""What a new transaction stands on: a solid reference block, an expiration, the price of energy."""

from __future__ import annotations

import time
from collections.abc import Callable

from relayer.chains.tron.codec import Block
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.transaction import Frame

_BLOCK_SECONDS = 3.0
_PRICES_SECONDS = 300.0


class Frames:
    """Makes frames; blocks are asked for once per block interval, prices every few minutes."""

    def __init__(
        self, rpc: TronRpc, expiration_seconds: int, now: Callable[[], float] = time.time
    ) -> None:
        """Expirations are the head's time plus ``expiration_seconds`` of chain time."""
        self._rpc = rpc
        self._lifetime_ms = expiration_seconds * 1000
        self._now = now
        self._blocks: tuple[Block, Block] | None = None
        self._blocks_at = 0.0
        self._prices = (0, 0)
        self._prices_at = 0.0
        self._last_ms = 0

    async def frame(self, fee_limit: int, *, until: int | None = None) -> Frame:
        """A frame with a fee limit in sun. No two are equal, so neither are two transactions.

        It expires at ``until`` (seconds of chain time) at the latest.
        """
        reference, head = await self._newest()
        expiration_ms = head.time_ms + self._lifetime_ms
        if until is not None:
            expiration_ms = min(expiration_ms, until * 1000)
        self._last_ms = max(int(self._now() * 1000), self._last_ms + 1)
        return Frame(
            reference=reference,
            expiration_ms=expiration_ms,
            timestamp_ms=self._last_ms,
            fee_limit=fee_limit,
        )

    async def prices(self) -> tuple[int, int]:
        """Sun for a unit of energy, and for a byte of bandwidth."""
        if not self._prices_at or time.monotonic() - self._prices_at > _PRICES_SECONDS:
            values = await self._rpc.chain_parameters()
            self._prices = values.get("getEnergyFee", 0), values.get("getTransactionFee", 0)
            self._prices_at = time.monotonic()
        return self._prices

    async def _newest(self) -> tuple[Block, Block]:
        if self._blocks is None or time.monotonic() - self._blocks_at > _BLOCK_SECONDS:
            self._blocks = await self._rpc.solid_head(), await self._rpc.head()
            self._blocks_at = time.monotonic()
        return self._blocks
