"""The proof of a demo, read from the chains alone: each deposit delivered once, books equal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relayer.domain.address import ChainId
from relayer.domain.errors import Transient, Unavailable
from relayer.domain.ledger import Ledger
from relayer.domain.supply import Counters, Interval, SupplySnapshot, issued
from relayer.domain.transfer import ChainFact, Delivery, Deposit
from relayer.ports.chain import ChainReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One reading of all chains: K per (asset, chain) with its height, counters and facts."""

    k: Mapping[tuple[str, ChainId], Interval]
    heights: Mapping[ChainId, int]
    facts: Sequence[ChainFact]
    in_flight: Mapping[str, int]
    problems: Sequence[str]

    @property
    def deposits(self) -> list[Deposit]:
        """Every final deposit."""
        return [fact for fact in self.facts if isinstance(fact, Deposit)]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every final delivery."""
        return [fact for fact in self.facts if isinstance(fact, Delivery)]


async def read_books(readers: Sequence[ChainReader]) -> Books:
    """Read every chain whole; Transient if one cannot be read."""
    tasks = await _all_read(readers)
    ledger = Ledger()
    k: dict[tuple[str, ChainId], Interval] = {}
    facts: list[ChainFact] = []
    heights: dict[ChainId, int] = {}
    for task in tasks:
        snapshots, told = task.result()
        chain, height = snapshots[0].chain, snapshots[0].height
        ledger.fold(chain, told, height, snapshots[0].time)
        heights[chain] = height
        facts += told
        for snapshot in snapshots:
            k[snapshot.asset, chain] = issued(snapshot, _counters(snapshot, ledger))
    assets = {asset for asset, _ in k}
    return Books(
        k=k,
        heights=heights,
        facts=facts,
        in_flight={asset: ledger.in_flight(asset) for asset in assets},
        problems=[finding.detail for finding in ledger.findings()],
    )


async def _all_read(readers: Sequence[ChainReader]) -> Sequence[asyncio.Task[_Read]]:
    try:
        async with asyncio.TaskGroup() as group:
            return [group.create_task(_read_chain(reader)) for reader in readers]
    except* Transient as failed:
        first = failed.exceptions[0]
    raise Unavailable(str(first))


_Read = tuple[Sequence[SupplySnapshot], Sequence[ChainFact]]


async def _read_chain(
    reader: ChainReader,
) -> _Read:
    for attempt in range(10):
        try:
            snapshots = await reader.snapshots()
            return snapshots, await reader.history(reader.first_height, snapshots[0].height)
        except Transient:
            if attempt == 9:
                raise
            await asyncio.sleep(0.3)
    raise AssertionError


def _counters(snapshot: SupplySnapshot, ledger: Ledger) -> Counters:
    return snapshot.counters or ledger.counters(snapshot.chain, snapshot.asset)


def delivered_once(books: Books, wanted: int) -> list[str]:
    """What is wrong with the deliveries of so many deposits; empty if nothing is."""
    deposits = {deposit.id for deposit in books.deposits if deposit.flaw is None}
    times = Counter(delivery.id for delivery in books.deliveries)
    wrong = [f"{len(deposits)} deposits are final, not {wanted}"] if len(deposits) != wanted else []
    wrong += [f"{i.hex()} was delivered {n} times" for i, n in times.items() if n != 1]
    wrong += [f"{i.hex()} was not delivered" for i in deposits if i not in times]
    wrong += [f"{i.hex()} was delivered without a deposit" for i in times if i not in deposits]
    return wrong


def unchanged(before: Books, after: Books) -> list[str]:
    """Where K moved between two readings, or a rule is broken; empty if nowhere."""
    wrong = [
        f"K of {asset} on {chain} moved from {before.k[asset, chain]} to {k}"
        for (asset, chain), k in after.k.items()
        if before.k[asset, chain] != k
    ]
    return wrong + list(after.problems)
