"""Time as a parameter."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall clock in seconds since the epoch, and waiting."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends it."""
