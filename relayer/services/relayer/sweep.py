"""The Sweep: final deposits compared with receipts on chain; what has none is open.

The one way to recover, whatever was lost: state, topics, or a listener's cursor. It reads each
source from its mark, the height up to which everything is known to be closed. On the lane's own
chain it also finds the deposits whose void is final and whose refund is not.

A deposit that nobody can close holds the mark back, and anybody can make one. So what is read once
is not read again by the same process: from then on only what is unfinished is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.backoff import wait_before
from relayer.domain.errors import Transient
from relayer.domain.facts import DepositDenied, DepositSeen, HandedOver
from relayer.domain.stage import Transfer
from relayer.domain.transfer import (
    ChainFact,
    Delivery,
    Deposit,
    ReceiptKind,
    Refund,
    TransferId,
)
from relayer.ports.chain import ChainReader
from relayer.ports.clock import Clock

SPAN: Final = 5_000
"""Heights read at once."""

RECEIPTS: Final = 100
"""Receipts asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """The open deposits of one source, and the height up to which all others are closed.

    ``due`` are those whose refund on this source is open work: their void is final.
    """

    source: ChainId
    found: int
    open: tuple[Deposit, ...]
    mark: int
    due: tuple[Deposit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Which deposits are a lane's to deliver or void, and which are its to refund after that."""

    delivers: Callable[[Deposit], bool]
    refunds: Callable[[Deposit], bool]


Sift = Callable[[Sequence[ChainFact]], Awaitable[Sequence[ChainFact]]]
"""What is worth keeping of a piece of history."""


async def _all(facts: Sequence[ChainFact]) -> Sequence[ChainFact]:
    return facts


class Walk:
    """A long range of a chain's history, of which a failure costs no more than the last piece.

    Of each piece only what passes the sieve is kept: a history of years does not fit into memory.
    """

    def __init__(self, reader: ChainReader) -> None:
        """Read through ``reader``; nothing is read yet."""
        self._reader = reader
        self._first = self._next = -1
        self._facts: list[ChainFact] = []
        self.deposits = 0
        """Deposits that were read, kept or not."""

    async def read(self, first: int, last: int, sift: Sift = _all) -> Sequence[ChainFact]:
        """What is kept of [first, last]; goes on where it failed if ``first`` is still the same."""
        if first != self._first:
            self.forget()
            self._first = self._next = first
        while self._next <= last:
            upto = min(self._next + SPAN - 1, last)
            facts = await self._reader.history(self._next, upto)
            self._facts += await sift(facts)
            self.deposits += sum(isinstance(fact, Deposit) for fact in facts)
            self._next = upto + 1
        return [fact for fact in self._facts if fact.height <= last]

    def forget(self) -> None:
        """Let go of what was read: it is not asked for again."""
        self._first, self._facts, self.deposits = -1, [], 0


class Sweep:
    """Compares every source with the receipts of one destination."""

    def __init__(self, readers: Mapping[ChainId, ChainReader], destination: ChainId) -> None:
        """Keep the readers; ``destination`` is one of them."""
        self._readers = readers
        self._destination = destination
        self._walks = {chain: Walk(reader) for chain, reader in readers.items()}
        self._read: dict[ChainId, int] = {}
        self._unfinished: dict[ChainId, tuple[Deposit, ...]] = {}

    async def run(self, marks: Mapping[str, int], owned: Owned) -> list[SweepOutcome]:
        """One outcome per source that could be read; the others keep their mark."""
        async with asyncio.TaskGroup() as group:
            sweeps = [
                group.create_task(self._source(reader, marks.get(chain, 0), owned))
                for chain, reader in self._readers.items()
            ]
        return [outcome for sweep in sweeps for outcome in sweep.result()]

    async def _source(self, reader: ChainReader, mark: int, owned: Owned) -> list[SweepOutcome]:
        try:
            after = self._read.get(reader.chain, mark)
            head = max((await reader.final_head()).height, after)
            walk = self._walks[reader.chain]
            sift = partial(self._unclosed, owned)
            facts = await walk.read(max(after + 1, reader.first_height), head, sift)
            refunded = {fact.id for fact in facts if isinstance(fact, Refund)}
            told = (*self._unfinished.get(reader.chain, ()), *facts)
            deposits = [f for f in told if isinstance(f, Deposit) and f.id not in refunded]
            still_open, away, due = await self._standing(owned, deposits)
        except Transient:
            return []
        looked = walk.deposits + len(self._unfinished.get(reader.chain, ()))
        walk.forget()
        unfinished = (*still_open, *away, *due)
        self._read[reader.chain], self._unfinished[reader.chain] = head, unfinished
        lowest = min((deposit.height for deposit in unfinished), default=head + 1)
        return [
            SweepOutcome(
                source=reader.chain,
                found=looked,
                open=tuple(still_open),
                mark=lowest - 1,
                due=tuple(due),
            )
        ]

    async def _unclosed(self, owned: Owned, facts: Sequence[ChainFact]) -> Sequence[ChainFact]:
        """Of a piece of history the refunds, and those deposits that are not closed by a receipt."""
        deposits = [fact for fact in facts if isinstance(fact, Deposit)]
        still_open, away, due = await self._standing(owned, deposits)
        return [*(fact for fact in facts if isinstance(fact, Refund)), *still_open, *away, *due]

    async def _standing(
        self, owned: Owned, deposits: Sequence[Deposit]
    ) -> tuple[list[Deposit], list[Deposit], list[Deposit]]:
        """Deposits to deliver, those open elsewhere, and those to refund after a void there."""
        still_open = await self._without_receipt([d for d in deposits if owned.delivers(d)])
        away, due = await self._away([d for d in deposits if owned.refunds(d)])
        return still_open, away, due

    async def deliveries(self, after: int, seconds: float, clock: Clock) -> list[Delivery]:
        """The destination's final deliveries above a height and of the last so many ``seconds``.

        Tries until they can be read.
        """
        reader, since, failures = self._readers[self._destination], clock.now() - seconds, 0
        walk = Walk(reader)
        while True:
            try:
                head = await reader.final_head()
                first = max(after + 1, reader.first_height)
                facts = await walk.read(first, head.height, partial(_delivered_since, since))
            except Transient:
                failures += 1
                await clock.sleep(wait_before(failures))
            else:
                return [fact for fact in facts if isinstance(fact, Delivery)]

    async def _without_receipt(self, deposits: Sequence[Deposit]) -> list[Deposit]:
        kinds = await self._kinds(self._destination, [d for d in deposits if d.destination])
        return [deposit for deposit in deposits if deposit.id not in kinds]

    async def _away(self, deposits: Sequence[Deposit]) -> tuple[list[Deposit], list[Deposit]]:
        """Of deposits that went elsewhere, those that are open there, and those voided there."""
        kinds: dict[bytes, ReceiptKind] = {}
        for chain in dict.fromkeys(deposit.destination for deposit in deposits):
            if chain is not None:
                some = [deposit for deposit in deposits if deposit.destination == chain]
                kinds |= await self._kinds(chain, some)
        away = [deposit for deposit in deposits if deposit.id not in kinds]
        return away, [d for d in deposits if kinds.get(d.id) is ReceiptKind.VOIDED]

    async def _kinds(self, chain: ChainId, deposits: Sequence[Deposit]) -> dict[bytes, ReceiptKind]:
        found: dict[bytes, ReceiptKind] = {}
        for start in range(0, len(deposits), RECEIPTS):
            some = [deposit.id for deposit in deposits[start : start + RECEIPTS]]
            receipts = await self._readers[chain].receipts(some)
            found |= {one: receipt.kind for one, receipt in receipts.items()}
        return found


async def _delivered_since(since: float, facts: Sequence[ChainFact]) -> Sequence[ChainFact]:
    return [fact for fact in facts if isinstance(fact, Delivery) and fact.time >= since]


def news(
    outcome: SweepOutcome,
    known: Mapping[TransferId, Transfer],
    lacks: Callable[[TransferId], bool],
    at: float,
) -> tuple[list[DepositDenied], list[DepositSeen | HandedOver]]:
    """What a Sweep tells a lane at ``at`` (seconds): records that it refutes, what it begins.

    Where a record that nothing proves tells otherwise of an id, what was read here is believed: the
    record might be waited for, and would keep the id from beginning as what it is.
    """
    denied: list[DepositDenied] = []
    begun: list[DepositSeen | HandedOver] = []
    for deposit in (*outcome.open, *outcome.due):
        told = known.get(deposit.id)
        belied = told is not None and not told.verified and told.deposit != deposit
        if belied:
            denied.append(DepositDenied(id=deposit.id, at=at))
        if belied or lacks(deposit.id):
            begins = HandedOver if deposit in outcome.due else DepositSeen
            begun.append(begins(deposit=deposit, at=at))
    return denied, begun
