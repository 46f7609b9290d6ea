"""How a command that has started other processes ends, whichever signal asks it to."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

ASKING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that would end a process at once, and leave behind what it has started."""


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Let the first such signal leave the block as an exit does, with code 128 + its number.

    What the block has begun is ended on the way out; further ones change nothing.
    """
    before = {number: signal.signal(number, _leave) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    for other in ASKING:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)
