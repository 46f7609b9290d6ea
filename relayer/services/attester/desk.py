"""Who is answered next: requests that the relayer vouches for first, the others by few places.

A request costs reads of two chains. So that no flood of them, and no chain that hangs, keeps an
honest one waiting, each route has its own queue and its own places, and all that nobody vouches
for shares one small queue. What does not fit is refused; a lane asks again by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.distrust import Decline
from relayer.domain.draft import SigningRequest

AT_ONCE: Final = 64
"""Requests of one route that are checked at the same time."""

STRANGERS: Final = 4
"""Requests that nobody vouches for that are checked at the same time."""

QUEUE: Final = 512
"""Vouched requests of one route that wait: more than its lanes have open at once."""

STRANGE_QUEUE: Final = 32
"""Requests that nobody vouches for that wait."""

_Route = tuple[ChainId, ChainId] | None
Answer = Callable[[SigningRequest], Awaitable[None]]


@dataclass(slots=True)
class _Line:
    places: int
    room: int
    busy: int = 0
    waiting: deque[SigningRequest] = field(default_factory=deque)


class Desk:
    """The queues of one attester."""

    def __init__(self, answer: Answer, group: asyncio.TaskGroup) -> None:
        """Answer each request in a task of ``group``."""
        self._answer, self._group = answer, group
        self._strangers = _Line(STRANGERS, STRANGE_QUEUE)
        self._lines: dict[_Route, _Line] = {None: self._strangers}
        self._under_way: set[tuple[_Route, bytes]] = set()

    @property
    def crowded(self) -> bool:
        """Whether no request can wait any more that nobody vouches for."""
        return len(self._strangers.waiting) >= self._strangers.room

    def admit(self, request: SigningRequest, *, vouched: bool) -> Decline | None:
        """Put a request into its queue; why not, if it is not put there."""
        route = (request.deposit.source, request.draft.chain) if vouched else None
        line = self._lines.setdefault(route, _Line(AT_ONCE, QUEUE))
        if (route, _question(request)) in self._under_way:
            return Decline.REPEATED
        if len(line.waiting) >= line.room:
            return Decline.CROWDED
        self._under_way.add((route, _question(request)))
        line.waiting.append(request)
        self._start(route, line)
        return None

    def _start(self, route: _Route, line: _Line) -> None:
        while line.waiting and line.busy < line.places:
            line.busy += 1
            self._group.create_task(self._serve(route, line, line.waiting.popleft()))

    async def _serve(self, route: _Route, line: _Line, request: SigningRequest) -> None:
        try:
            await self._answer(request)
        finally:
            line.busy -= 1
            self._under_way.discard((route, _question(request)))
        self._start(route, line)


def _question(request: SigningRequest) -> bytes:
    """What makes two requests the same: the draft, and the order under which it is asked for."""
    return request.draft.digest + (request.order.signature if request.order else b"")
