"""Multipliers around a corporate action: which of them a reserve statement may be meant for.

Shares never change; stock required = shares x multiplier does. Chains activate a multiplier at
moments of their own, and the custodian states stock anew at another one, so for a while nobody can
tell which multiplier a statement is meant for. A lease then asks for the most stock that any of
them requires, and only a shortage under each of them is proven.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

_TOLERANCE: Final = 10**12
_FORGET_SECONDS: Final = 7 * 86_400


def agree(multipliers: Collection[int]) -> bool:
    """Whether multipliers are one value within 1e-12 (Solana stores a 64-bit float)."""
    return (max(multipliers) - min(multipliers)) * _TOLERANCE <= max(multipliers)


def distinct(multipliers: Collection[int]) -> frozenset[int]:
    """The multipliers, those that agree counted once: the lowest of them, as it is no rise."""
    kept: list[int] = []
    for one in sorted(multipliers):
        if not kept or not agree({kept[-1], one}):
            kept.append(one)
    return frozenset(kept)


@dataclass(slots=True)
class MultiplierHistory:
    """When each multiplier (1e18 = 1) of one asset was last seen in force on any chain."""

    _seen: dict[int, float] = field(default_factory=dict)

    def fold(self, multipliers: Collection[int], at: float) -> None:
        """Take one reading of the chains, made at ``at`` (seconds)."""
        for one in multipliers:
            self._seen[one] = max(at, self._seen.get(one, at))
        self._seen = {m: seen for m, seen in self._seen.items() if at - seen < _FORGET_SECONDS}

    def meant(self, stated_at: float, grace: float) -> frozenset[int]:
        """The multipliers that a statement made at ``stated_at`` may be meant for.

        All that were in force at that time or less than ``grace`` seconds before, or since.
        """
        return frozenset(one for one, seen in self._seen.items() if seen + grace > stated_at)
