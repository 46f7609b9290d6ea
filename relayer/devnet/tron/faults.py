"""What can be made to go wrong on the Tron devnet, from outside and at run time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import web

Override = Callable[[dict[str, Any]], "Awaitable[web.Response | None]"]
"""Gets the request's JSON; a response stands in for the node's, None lets the node answer."""


@dataclass(slots=True)
class Faults:
    """Switches of one devnet; all are off at the start. Latency in seconds."""

    latency: float = 0.0
    stalled: bool = False
    overrides: dict[str, Override] = field(default_factory=dict)
    _too_many: int = 0
    _busy: int = 0
    _dropped: int = 0
    _out_of_time: int = 0
    _cold: int = 0
    _reorg: Callable[[int], Awaitable[None]] | None = None

    def connect(self, reorg: Callable[[int], Awaitable[None]]) -> None:
        """Name what undoes blocks; the devnet does it when it starts."""
        self._reorg = reorg

    def too_many_requests(self, count: int) -> None:
        """Answer the next `count` requests with HTTP 429, as providers before a node do."""
        self._too_many = count

    def lack_computing_resources(self, count: int) -> None:
        """Answer the next `count` requests as a node whose limiter gave up."""
        self._busy = count

    def drop_transactions(self, count: int) -> None:
        """Accept the next `count` broadcasts with SUCCESS and forget them."""
        self._dropped = count

    def out_of_time(self, count: int) -> None:
        """Let the next `count` contract calls end OUT_OF_TIME, which burns their whole limit."""
        self._out_of_time = count

    def stall(self) -> None:
        """Make no more blocks until `resume`."""
        self.stalled = True

    def resume(self) -> None:
        """Make blocks again; the slots in between stay missed."""
        self.stalled = False

    async def reorg(self, blocks: int) -> None:
        """Undo the newest blocks, never a solid one; their transactions and the pool vanish."""
        if self._reorg is None:
            message = "the devnet is not running"
            raise RuntimeError(message)
        await self._reorg(blocks)

    def cold(self, count: int) -> None:
        """Let the next `count` constant calls time out, as on a node that has just started."""
        self._cold = count

    def take_too_many(self) -> bool:
        """Tell whether this request is to be refused, and count it."""
        taken, self._too_many = self._too_many > 0, max(0, self._too_many - 1)
        return taken

    def take_busy(self) -> bool:
        """Tell whether this request meets a node without resources, and count it."""
        taken, self._busy = self._busy > 0, max(0, self._busy - 1)
        return taken

    def take_dropped(self) -> bool:
        """Tell whether this broadcast is to be forgotten, and count it."""
        taken, self._dropped = self._dropped > 0, max(0, self._dropped - 1)
        return taken

    def take_out_of_time(self) -> bool:
        """Tell whether this contract call is to end OUT_OF_TIME, and count it."""
        taken, self._out_of_time = self._out_of_time > 0, max(0, self._out_of_time - 1)
        return taken

    def take_cold(self) -> bool:
        """Tell whether this constant call is to time out, and count it."""
        taken, self._cold = self._cold > 0, max(0, self._cold - 1)
        return taken
