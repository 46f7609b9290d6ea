"""An event loop whose time passes only when nothing is left to do: quick, and the same each time."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


_TICK = 1e-6
"""Seconds between two moments: floats that are nearly a deadline would let time stand still."""


class Stuck(RuntimeError):
    """Nothing is left to do, and nothing is waited for that time could bring."""


class _Skipping(selectors.DefaultSelector):
    """Instead of waiting, lets the time of its loop pass."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self.now = began

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Stuck
        if not ready and timeout:
            self.now = math.ceil((self.now + timeout) / _TICK) * _TICK
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` begins where it is told, in seconds.

    Small numbers only: seconds since the epoch are too coarse as floats for the loop's timers.
    """

    def __init__(self, began: float) -> None:
        self._skipping = _Skipping(began)
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now

    def run_in_executor(  # type: ignore[override]  # what it returns is awaited all the same
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Done here and at once: a thread would bring real time in."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
            future.set_exception(error)
        return future


def run(work: Coroutine[Any, Any, T], began: float = 1_000.0) -> T:
    """Run a coroutine in virtual time from ``began`` on."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(began)) as runner:
        return runner.run(work)
