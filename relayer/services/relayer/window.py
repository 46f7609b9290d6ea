"""How much each route delivered lately, counted in shares when a delivery is accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from relayer.domain.limits import Limits
from relayer.domain.transfer import Route, TransferId


@dataclass(slots=True)
class Window:
    """A sliding window per route; a Transfer counts once, however often it is accepted."""

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

    def used(self, limits: Mapping[Route, Limits], now: float) -> Mapping[Route, int]:
        """Shares (1e-18) counted per route within its window ending ``now`` (seconds)."""
        for route, entries in self._entries.items():
            oldest = now - (limits[route].window if route in limits else 0.0)
            while entries and entries[0][0] < oldest:
                _, transfer, shares = entries.popleft()
                self._known.discard(transfer)
                self._sums[route] -= shares
        return self._sums
