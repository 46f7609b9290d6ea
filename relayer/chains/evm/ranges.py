"""How a long range is read in pieces that the endpoint takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from relayer.chains.width import Width
from relayer.domain.errors import Unavailable
from relayer.domain.transfer import ChainFact


@dataclass(slots=True)
class RangePlan:
    """Covers [first, last] in order, each height once; a refused piece comes again, narrower.

    ``width`` is blocks per piece, and outlives the plan.
    """

    first: int
    last: int
    width: Width

    @property
    def piece(self) -> tuple[int, int] | None:
        """The next piece, both ends included; None when all is read."""
        if self.first > self.last:
            return None
        return self.first, min(self.last, self.first + self.width.now - 1)

    def took(self) -> None:
        """The piece was read whole: go on behind it."""
        piece = self.piece
        if piece is not None:
            self.first = piece[1] + 1
            self.width.took(piece[1] - piece[0] + 1)

    def refused(self) -> None:
        """The piece was too wide for the endpoint; Unavailable if it was a single block."""
        piece = self.piece
        if piece is None or not self.width.refused(piece[1] - piece[0] + 1):
            raise Unavailable(f"the endpoint refuses the logs of block {self.first} alone")


@dataclass(slots=True)
class Begun:
    """A range half read: what is left of it, and the facts of what is not."""

    plan: RangePlan
    facts: list[ChainFact] = field(default_factory=list)
