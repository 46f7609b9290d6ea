"""How much an endpoint takes at once, learned from what it refuses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Width:
    """Blocks, calls or entries asked for at once: halves with a refusal, grows slowly back.

    Limits differ by provider and plan, change with load, and are seldom documented.
    """

    widest: int
    now: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the most."""
        self.now = self.widest

    def took(self, asked: int) -> None:
        """So many came; only where that is all that is dared, more is tried next time."""
        if asked >= self.now:
            self.now = min(self.widest, self.now + max(1, self.now // 8))

    def refused(self, asked: int) -> bool:
        """So many were too much; False if it was a single one: then there is nothing narrower.

        Others may have learned meanwhile: a width already below what was asked is left alone.
        """
        if asked > 1:
            self.now = max(1, min(self.now, asked // 2))
        return asked > 1
