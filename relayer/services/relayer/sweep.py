"""The Sweep: final deposits compared with receipts on chain; what has none is open.

The one way to recover, whatever was lost: state, topics, or a listener's cursor. It reads each
source from its mark, the height up to which everything is known to be closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.errors import Transient
from relayer.domain.transfer import Deposit
from relayer.ports.chain import ChainReader

SPAN: Final = 5_000
"""Heights read at once."""

RECEIPTS: Final = 100
"""Receipts asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """The open deposits of one source, and the height up to which all others are closed."""

    source: ChainId
    found: int
    open: tuple[Deposit, ...]
    mark: int


class Sweep:
    """Compares every source with the receipts of one destination."""

    def __init__(self, readers: Mapping[ChainId, ChainReader], destination: ChainId) -> None:
        """Keep the readers; ``destination`` is one of them."""
        self._readers = readers
        self._destination = destination

    async def run(
        self, marks: Mapping[str, int], mine: Callable[[Deposit], bool]
    ) -> list[SweepOutcome]:
        """One outcome per source that could be read; the others keep their mark."""
        async with asyncio.TaskGroup() as group:
            sweeps = [
                group.create_task(self._source(reader, marks.get(chain, 0), mine))
                for chain, reader in self._readers.items()
            ]
        return [outcome for sweep in sweeps for outcome in sweep.result()]

    async def _source(
        self, reader: ChainReader, mark: int, mine: Callable[[Deposit], bool]
    ) -> list[SweepOutcome]:
        try:
            head = await reader.final_head()
            deposits = await self._deposits(reader, max(mark + 1, reader.first_height), head.height)
            ours = [deposit for deposit in deposits if mine(deposit)]
            still_open = await self._without_receipt(ours)
        except Transient:
            return []
        lowest = min((deposit.height for deposit in still_open), default=head.height + 1)
        return [
            SweepOutcome(
                source=reader.chain, found=len(ours), open=tuple(still_open), mark=lowest - 1
            )
        ]

    async def _deposits(self, reader: ChainReader, first: int, last: int) -> list[Deposit]:
        found: list[Deposit] = []
        while first <= last:
            upto = min(first + SPAN - 1, last)
            facts = await reader.history(first, upto)
            found += [fact for fact in facts if isinstance(fact, Deposit)]
            first = upto + 1
        return found

    async def _without_receipt(self, deposits: Sequence[Deposit]) -> list[Deposit]:
        found: list[Deposit] = []
        for start in range(0, len(deposits), RECEIPTS):
            some = deposits[start : start + RECEIPTS]
            receipts = await self._readers[self._destination].receipts([d.id for d in some])
            found += [deposit for deposit in some if deposit.id not in receipts]
        return found
