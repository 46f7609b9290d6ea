"""How much each route delivered lately, in shares.

Counted when a delivery is accepted; after a start, counted again from the final deliveries on the
destination and from what was in flight. A mark says from which height on they are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from relayer.domain.limits import Limits, route_of
from relayer.domain.stage import Stage
from relayer.domain.transfer import Delivery, Deposit, Route, TransferId

WINDOW: Final = "window"
"""Names the mark of the height from which on deliveries are counted after a start."""

COMING: Final = frozenset({Stage.DRAFTING, Stage.SIGNING, Stage.READY, Stage.SUBMITTED})
"""Stages of a Transfer that was accepted and is not delivered yet."""


@dataclass(slots=True)
class Window:
    """A sliding window per route; a Transfer counts once, however often it is accepted."""

    ready: bool = False
    """Whether the deliveries before the start have been counted."""
    _heads: deque[tuple[float, int]] = field(default_factory=deque)
    _entries: dict[Route, deque[tuple[float, TransferId, int]]] = field(default_factory=dict)
    _sums: dict[Route, int] = field(default_factory=dict)
    _known: set[TransferId] = field(default_factory=set)

    def use(self, transfer: TransferId, route: Route, shares: int, now: float) -> None:
        """Count shares (1e-18) of a Transfer at ``now`` (seconds)."""
        if transfer in self._known:
            return
        self._known.add(transfer)
        self._entries.setdefault(route, deque()).append((now, transfer, shares))
        self._sums[route] = self._sums.get(route, 0) + shares

    def accept(self, deposit: Deposit, now: float) -> None:
        """Count a deposit whose delivery was accepted at ``now`` (seconds)."""
        route = route_of(deposit)
        if route is not None:
            self.use(deposit.id, route, deposit.shares, now)

    def used(self, limits: Mapping[Route, Limits], now: float) -> Mapping[Route, int]:
        """Shares (1e-18) counted per route within its window ending ``now`` (seconds)."""
        for route, entries in self._entries.items():
            oldest = now - (limits[route].window if route in limits else 0.0)
            while entries and entries[0][0] < oldest:
                _, transfer, shares = entries.popleft()
                self._known.discard(transfer)
                self._sums[route] -= shares
        return self._sums

    def recount(self, deliveries: Iterable[Delivery]) -> None:
        """Count final deliveries of before the start, each at its own time."""
        for one in deliveries:
            if one.source is not None:
                route = Route(source=one.source, destination=one.chain, asset=one.asset)
                self.use(one.id, route, one.shares, float(one.time))
        for route, entries in self._entries.items():
            self._entries[route] = deque(sorted(entries))
        self.ready = True

    def mark(self, height: int, now: float, longest: float) -> int | None:
        """The newest height that was final ``longest`` seconds ago, by those told here so far."""
        self._heads.append((now, height))
        found = None
        while self._heads and self._heads[0][0] <= now - longest:
            found = self._heads.popleft()[1]
        return found


def longest_of(limits: Mapping[Route, Limits]) -> float:
    """Seconds that the longest window lasts."""
    return max((one.window for one in limits.values()), default=0.0)
