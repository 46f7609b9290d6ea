"""What the instruction parsers share: their result, and readers of packed fields."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey


class Unparsable(Exception):
    """The parser does not know these bytes; the node then writes them undecoded."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed instruction: its type and its named fields."""

    type: str
    info: dict[str, Any]


class Fields:
    """A cursor over packed instruction data; running past the end raises Unparsable."""

    def __init__(self, data: bytes) -> None:
        """Begin at the start of `data`."""
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        piece = self._data[self._at : self._at + size]
        if len(piece) < size:
            raise Unparsable
        self._at += size
        return piece

    def rest(self) -> bytes:
        """Return what is left."""
        piece = self._data[self._at :]
        self._at = len(self._data)
        return piece

    def u8(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Return the next four bytes as an unsigned integer."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Return the next eight bytes as an unsigned integer."""
        return int.from_bytes(self.take(8), "little")

    def i64(self) -> int:
        """Return the next eight bytes as a signed integer."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def f64(self) -> float:
        """Return the next eight bytes as a float."""
        value: float = struct.unpack("<d", self.take(8))[0]
        return value

    def key(self) -> str:
        """Return the next 32 bytes as an address."""
        return str(Pubkey.from_bytes(self.take(32)))

    def nullable_key(self) -> str | None:
        """Return the next 32 bytes as an address, None for all zeros."""
        data = self.take(32)
        return str(Pubkey.from_bytes(data)) if any(data) else None

    def option_key(self) -> str | None:
        """Return an address behind a flag byte, None where the flag is 0."""
        return self.key() if self.u8() else None

    def text(self, size: int) -> str:
        """Return the next `size` bytes as text."""
        return self.take(size).decode(errors="replace")


def float_text(value: float) -> str:
    """Return a multiplier as the node writes it: no `.0` behind whole numbers."""
    text = repr(value)
    return text.removesuffix(".0")
