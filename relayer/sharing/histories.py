"""Ranges of a chain's final history, each read once for all who ask for it.

The lanes of a process begin their Sweeps together and at the same height, so without a past they all
ask for the same ranges, one after the other. What is final does not change: a read under way may
be joined, and the last ones are kept for who comes a little later. A failure is never kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from relayer.domain.transfer import ChainFact
from relayer.sharing.gather import Reads, told

RANGES: Final = 32
"""Ranges that are kept."""

FACTS: Final = 10_000
"""Facts that are kept in all, some 10 MB; a range with more is kept by nobody."""

Range = tuple[int, int]


class Histories(Reads):
    """The reads of one chain's history."""

    def __init__(
        self,
        read: Callable[[int, int], Awaitable[Sequence[ChainFact]]],
        *,
        ranges: int = RANGES,
        facts: int = FACTS,
    ) -> None:
        """Answer by ``read(first, last)``; keep so many ranges with so many facts."""
        super().__init__()
        self._read, self._most_ranges, self._most_facts = read, ranges, facts
        self._under_way: dict[Range, asyncio.Future[tuple[ChainFact, ...]]] = {}
        self._kept: OrderedDict[Range, tuple[ChainFact, ...]] = OrderedDict()
        self._facts = 0

    async def ask(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every fact in [first, last], which must be final; raises what the read raises."""
        wanted = (first, last)
        if (known := self._kept.get(wanted)) is not None:
            self._kept.move_to_end(wanted)
            return known
        answer = self._under_way.get(wanted)
        if answer is None:
            answer = self._under_way[wanted] = asyncio.get_running_loop().create_future()
            self._start(self._tell(wanted, answer))
        return await asyncio.shield(answer)

    async def _tell(self, wanted: Range, answer: asyncio.Future[tuple[ChainFact, ...]]) -> None:
        with told(answer):
            try:
                found = tuple(await self._read(*wanted))
            finally:
                del self._under_way[wanted]
            self._keep(wanted, found)
            answer.set_result(found)

    def _keep(self, wanted: Range, found: tuple[ChainFact, ...]) -> None:
        self._kept[wanted] = found
        self._facts += len(found)
        while len(self._kept) > self._most_ranges or self._facts > self._most_facts:
            _, gone = self._kept.popitem(last=False)
            self._facts -= len(gone)
