"""What a message offers for its place in a block: the market's price, more at each attempt, bounded."""

from __future__ import annotations

import time
from typing import Final

from relayer.chains.solana.rpc import SolanaRpc, understood
from relayer.domain.errors import Unavailable

_FRESH_SECONDS: Final = 5.0
_MOST_DOUBLINGS: Final = 10


class Fees:
    """Prices of compute units, in micro-lamports."""

    def __init__(self, rpc: SolanaRpc, floor: int, cap: int) -> None:
        """Never offer less than ``floor`` nor more than ``cap``."""
        self._rpc = rpc
        self._floor = floor
        self._cap = cap
        self._market = 0
        self._looked_at: float | None = None

    async def price(self, attempt: int) -> int:
        """What to offer in attempt number ``attempt`` (0 is the first): twice as much each time."""
        await self._look()
        asked = max(self._floor, self._market) << min(attempt, _MOST_DOUBLINGS)
        return min(asked, self._cap)

    async def _look(self) -> None:
        """Three of four recent blocks took less than the market's price; no answer changes nothing."""
        if self._looked_at is not None and time.monotonic() - self._looked_at < _FRESH_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            answer = await self._rpc.call("getRecentPrioritizationFees")
            with understood("getRecentPrioritizationFees"):
                paid = sorted(int(one["prioritizationFee"]) for one in answer)
        except Unavailable:
            return
        self._market = paid[len(paid) * 3 // 4] if paid else 0
