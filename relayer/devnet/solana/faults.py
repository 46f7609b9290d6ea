"""Faults that a test switches on: the one seam through which the imitation misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Faults:
    """What goes wrong on purpose; mostly off until set.

    `latency` delays every HTTP answer by so many seconds. `too_many_requests` is how many of the
    next HTTP requests get 429. `overrides` maps a method to a function that turns (method, params,
    true result) into the answer given, a lie; it may raise RpcError. `phantom_logs` is on by default, because real nodes do
    it: finalized logs subscriptions also announce transactions that were only simulated.
    """

    latency: float = 0.0
    too_many_requests: int = 0
    overrides: dict[str, Callable[[str, list[Any], Any], Any]] = field(default_factory=dict)
    stalled: bool = False
    dropping: int = 0
    phantom_logs: bool = True

    def stall(self) -> None:
        """Stop making blocks, while all methods go on answering."""
        self.stalled = True

    def resume(self) -> None:
        """Make blocks again after `stall`."""
        self.stalled = False

    def drop_transactions(self, count: int) -> None:
        """Let the next `count` transactions be accepted and never land."""
        self.dropping = count

    def take_refusal(self) -> bool:
        """Return whether this request gets 429, counting it."""
        if self.too_many_requests > 0:
            self.too_many_requests -= 1
            return True
        return False

    def take_drop(self) -> bool:
        """Return whether this transaction is lost, counting it."""
        if self.dropping > 0:
            self.dropping -= 1
            return True
        return False

    def alter(self, method: str, params: list[Any], result: Any) -> Any:
        """Return `result`, or what the override of `method` makes of it."""
        override = self.overrides.get(method)
        return result if override is None else override(method, params, result)
