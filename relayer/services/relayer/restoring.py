"""Taking up what a lane's former owner has left, however much it is, without holding up the process.

The process must show signs of life meanwhile. One that decodes for longer than its session lasts is
put out of its group, and whoever takes over begins to decode: a lane with enough open Transfers
would never be served again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Final

from relayer.services.relayer.book import Book

AT_ONCE: Final = 250
"""Values between two chances for everything else; some 10 ms."""


async def restore(book: Book, kept: Mapping[str, bytes], place: str) -> None:
    """Fill the book from the state kept at a place."""
    left = iter(kept.items())
    book.restore({}, place)
    while part := dict(islice(left, AT_ONCE)):
        book.restore(part, place)
        await asyncio.sleep(0)
