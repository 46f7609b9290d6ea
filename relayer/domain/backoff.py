"""How long to wait before an attempt is made again: doubling, bounded, in seconds."""

from __future__ import annotations

from typing import Final

FIRST: Final = 0.5
MOST: Final = 60.0


def wait_before(attempt: int) -> float:
    """Seconds before attempt number ``attempt`` (0 is the first repetition)."""
    return min(MOST, FIRST * 2.0 ** min(attempt, 10))
