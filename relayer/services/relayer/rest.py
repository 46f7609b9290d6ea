"""When a lane commits: what is waited for at once, all else with it, or after a short while.

A commit is the dearest step of a turn, above all on Kafka, and a transfer comes through several
turns within milliseconds. What is put off is not lost by a crash: its records are taken again,
because their position is in the commit that was put off, and the chains are read again.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

CHANGES: Final = 0.05
"""Seconds that changes wait at most for the result of work that is under way."""

POSITION: Final = 1.0
"""Seconds that a mere position waits: who begins before it takes records that change nothing."""

TICK: Final = 0.001
"""Seconds that are not worth another wait."""


class Rest:
    """The time between two commits of a lane, by the clock of the event loop."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._until = math.inf

    def left(self) -> float:
        """Seconds until a commit is due; infinite if nothing waits for one."""
        return max(0.0, self._until - _now()) if self._until < math.inf else math.inf

    def over(self, *, taken: bool, changed: bool, urgent: bool) -> bool:
        """Whether to commit now, after a turn that has taken records or not."""
        if changed and urgent:
            return True
        if changed:
            self._until = min(self._until, _now() + CHANGES)
        elif taken:
            self._until = min(self._until, _now() + POSITION)
        return self._until - _now() < TICK

    def begin(self) -> None:
        """Everything is committed."""
        self._until = math.inf


def _now() -> float:
    return asyncio.get_running_loop().time()
