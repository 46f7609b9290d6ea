"""Reading a topic of the embedded bus without owning it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from relayer.bus.sqlite_log import Log
    from relayer.ports.bus import Record

CHUNK: Final = 256
"""Records read from one partition at a time."""


class Followed(Protocol):
    """What a follower asks of the bus that it reads."""

    @property
    def log(self) -> Log:
        """The open file. Raises `Fatal` when closed."""

    @property
    def closed(self) -> bool:
        """Whether the bus was closed, or not opened yet."""

    def now(self) -> float:
        """Return the time that records are stamped with, in seconds since the epoch."""

    def bell(self, topic: str) -> asyncio.Event:
        """Return a new event, set after each commit to the topic for as long as it is held."""


class SqliteFollower:
    """See `relayer.ports.bus.Follower`."""

    def __init__(self, bus: Followed, topic: str, since: timedelta | None) -> None:
        """Begin at the first `__anext__`."""
        self.caught_up = asyncio.Event()
        self._bus, self._topic, self._since = bus, topic, since
        self._bell = bus.bell(topic)
        self._read: deque[Record] = deque()
        self._next: dict[int, int] | None = None
        self._behind: dict[int, int] = {}
        self._closed = False

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Record:
        """Wait for the next record."""
        while not self._read and not self._ended:
            self._bell.clear()  # before reading: a commit from here on rings again
            self._fill()
            if self._read:
                await asyncio.sleep(0)  # a long replay must not starve the others
            else:
                await self._bell.wait()
        if self._ended:
            raise StopAsyncIteration
        return self._read.popleft()

    async def aclose(self) -> None:
        """Stop; whoever waits in `__anext__` gets the end."""
        self._closed = True
        self._bell.set()

    @property
    def _ended(self) -> bool:
        return self._closed or self._bus.closed

    def _fill(self) -> None:
        positions = self._begin() if self._next is None else self._next
        self._mark_progress(positions)
        for number, end in self._bus.log.ends(self._topic).items():
            if (position := positions.get(number, 0)) >= end:
                continue
            found = self._bus.log.read(self._topic, number, position, CHUNK)
            if found:
                positions[number] = found[-1].offset + 1
            else:  # what was there has expired or been replaced
                positions[number] = end
                self._behind.pop(number, None)
            self._read.extend(found)
        if not self._read:
            self.caught_up.set()

    def _begin(self) -> dict[int, int]:
        log = self._bus.log
        self._behind = log.ends(self._topic)
        self._next = {}
        if self._since is not None:
            since = self._bus.now() - self._since.total_seconds()
            self._next = {n: log.first_since(self._topic, n, since) for n in self._behind}
        return self._next

    def _mark_progress(self, positions: dict[int, int]) -> None:
        for number, end in list(self._behind.items()):
            if positions.get(number, 0) >= end:
                del self._behind[number]
        if not self._behind:
            self.caught_up.set()
