"""Taking up what a lane's former owner has left, however much it is, without holding up the process.

The process must show signs of life meanwhile. One that decodes for longer than its session lasts is
put out of its group, and whoever takes over begins to decode: a lane with enough open Transfers
would never be served again.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from relayer.ports.bus import Partition
from relayer.services.relayer.book import Book

AT_ONCE: Final = 250
"""Values between two chances for everything else; some 10 ms."""


async def restore(book: Book, partition: Partition, place: str) -> None:
    """Own the partition, and fill the book from the state kept there at a place."""
    book.restore({}, place)
    kept = await partition.restore(book.genuine)
    left = iter(kept.items())
    while part := dict(islice(left, AT_ONCE)):
        book.restore(part, place)
        await asyncio.sleep(0)
