"""The time of a running process."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The Clock of a running process."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends it."""
        await asyncio.sleep(seconds)
