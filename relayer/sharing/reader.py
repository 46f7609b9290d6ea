"""One reader for those parts of a process that check: what several ask at once is read once.

What is remembered is only what cannot change: a deposit that was read, final, at its place, and
the ranges of final history that were read last. What can change (a head, a receipt, the absence of
either) is read anew for each who asks, and begins after they asked: a question joins a read that
has not begun yet, never one under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import ChainFact, Deposit, Location, Receipt, TransferId
from relayer.ports.chain import ChainReader, Head
from relayer.sharing.gather import PATIENCE, Gathered, Joined
from relayer.sharing.histories import Histories

KEPT: Final = 5_000
"""Places whose deposits are remembered: more than are under way at once, a few MB."""

IDS_AT_ONCE: Final = 500
"""Receipts or refunds asked for in one read."""


class SharedReader:
    """A ChainReader over another one, for several services of one process."""

    def __init__(
        self, reader: ChainReader, *, kept: int = KEPT, patience: float = PATIENCE
    ) -> None:
        """Ask ``reader``; remember ``kept`` places; gather receipts for ``patience`` seconds."""
        self._reader = reader
        self._kept = kept
        self._deposits: OrderedDict[Location, tuple[Deposit, ...]] = OrderedDict()
        self._places: Joined[tuple[Location, int], tuple[Deposit, ...]] = Joined(
            self._read_deposits
        )
        self._histories = Histories(reader.history)
        self._heads: Joined[None, Head] = Joined(lambda _: reader.final_head())
        self._receipts: Gathered[TransferId, Receipt] = Gathered(
            reader.receipts, at_once=IDS_AT_ONCE, patience=patience
        )
        self._refunds: Gathered[TransferId, bool] = Gathered(
            self._read_refunds, at_once=IDS_AT_ONCE, patience=patience
        )

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._reader.chain

    @property
    def first_height(self) -> int:
        """The height before which the bridge did not exist on this chain."""
        return self._reader.first_height

    async def final_head(self) -> Head:
        """The newest final height, read for all who ask in one turn of the event loop."""
        return await self._heads.ask(None)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every fact in [first, last], which must be final: one read for all who ask for it."""
        return await self._histories.ask(first, last)

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The final deposits at a place: remembered once they are there, else read."""
        known = self._deposits.get(location)
        return known if known is not None else await self._places.ask((location, height))

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The final receipts of those ids that have one; several questions make one read."""
        return await self._receipts.ask(ids) if ids else {}

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made here that are refunded; several questions make one read."""
        return frozenset(await self._refunds.ask(ids)) if ids else frozenset()

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """One snapshot per asset; read each time."""
        return await self._reader.snapshots(height)

    def wakeups(self) -> AsyncIterator[None]:
        """A tick whenever something may have become final."""
        return self._reader.wakeups()

    async def close(self) -> None:
        """Release connections; who still waits is told."""
        parts = (self._places, self._histories, self._heads, self._receipts, self._refunds)
        for part in parts:
            part.close()
        await self._reader.close()

    async def _read_refunds(self, ids: Sequence[TransferId]) -> Mapping[TransferId, bool]:
        return dict.fromkeys(await self._reader.refunded(ids), True)

    async def _read_deposits(self, claim: tuple[Location, int]) -> tuple[Deposit, ...]:
        location, height = claim
        found = tuple(await self._reader.deposit_at(location, height))
        if found:
            self._deposits[location] = found
            while len(self._deposits) > self._kept:
                self._deposits.popitem(last=False)
        return found
