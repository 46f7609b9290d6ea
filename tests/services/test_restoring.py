"""A lane with very many open transfers is taken over while the process goes on living."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from relayer.domain.facts import DepositSeen
from relayer.domain.keep import Keeper
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Genuine, Partition
from relayer.services.relayer.book import Book
from relayer.services.relayer.outbox import Spread
from relayer.services.relayer.restoring import AT_ONCE, restore
from tests.domain.samples import BNB, SOLANA, deposit

SPREAD = Spread(requests=1, transfers=1, lanes={BNB: 1, SOLANA: 1})
PARTS = 4


@dataclass
class _Partition:
    """A partition that keeps this state."""

    kept: Mapping[str, bytes]

    async def restore(self, genuine: Genuine) -> Mapping[str, bytes]:
        return {key: value for key, value in self.kept.items() if genuine(key, value)}


def _of(kept: Mapping[str, bytes]) -> Partition:
    return cast("Partition", _Partition(kept))


def _kept(count: int) -> dict[str, bytes]:
    book = Book(Keeper(b"secret"), SPREAD)
    book.restore({}, "lane")
    for number in range(count):
        one = deposit(id=TransferId(number.to_bytes(32, "big")))
        book.fold([DepositSeen(deposit=one, at=1.0)])
    return {key: value for key, value in book.changes().state.items() if value is not None}


async def test_others_get_their_turns_while_a_lane_is_restored() -> None:
    """A heartbeat that beats at each chance beats once a part at least; nothing is left out."""
    book, kept, beats = Book(Keeper(b"secret"), SPREAD), _kept(PARTS * AT_ONCE), 0

    async def heart() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    beating = asyncio.create_task(heart())
    await restore(book, _of(kept), "lane")
    seen = beats
    beating.cancel()

    assert (len(book.transfers), book.forged) == (PARTS * AT_ONCE, 0)
    assert seen >= PARTS - 1


async def test_an_empty_lane_keeps_at_its_own_place() -> None:
    """Nothing was kept: what the lane keeps from now on opens there, and nowhere else."""
    book = Book(Keeper(b"secret"), SPREAD)
    await restore(book, _of({}), "lane")
    book.fold([DepositSeen(deposit=deposit(), at=1.0)])
    kept = {key: value for key, value in book.changes().state.items() if value is not None}
    here, elsewhere = Book(Keeper(b"secret"), SPREAD), Book(Keeper(b"secret"), SPREAD)
    await restore(here, _of(kept), "lane")
    await restore(elsewhere, _of(kept), "another lane")

    assert (len(here.transfers), here.forged) == (1, 0)
    assert (len(elsewhere.transfers), elsewhere.forged) == (0, 1)
