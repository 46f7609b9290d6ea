"""What a draft for a gateway fixes beyond the deposit: deadline and epoch, as decimal text."""

from __future__ import annotations

from dataclasses import dataclass

from relayer.domain.errors import DraftRefused
from relayer.domain.wire import Terms

_NAMES = {"deadline", "epoch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTerms:
    """Chain time (seconds) until which an item may run, and the epoch its signatures are of."""

    deadline: int
    epoch: int

    def text(self) -> Terms:
        """The terms as they travel in a draft."""
        return {"deadline": str(self.deadline), "epoch": str(self.epoch)}


def read_terms(terms: Terms) -> GatewayTerms:
    """The terms of a draft; DraftRefused unless they are exactly two plain uint64 numbers."""
    if set(terms) != _NAMES:
        raise DraftRefused(f"the terms of a gateway are {sorted(_NAMES)}, not {sorted(terms)}")
    return GatewayTerms(deadline=_number(terms["deadline"]), epoch=_number(terms["epoch"]))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise DraftRefused(f"{text[:40]!r} is not a number")
    number = int(text)
    if number >= 2**64 or text != str(number):
        raise DraftRefused(f"{text!r} is not a plain 64-bit number")
    return number
