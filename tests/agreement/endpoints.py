"""A chain's truth, and endpoints in memory that tell it: honest, lagging, slow, or lying."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relayer.agreement.endpoints import Endpoint, Endpoints
from relayer.agreement.health import EndpointObserver, Fault, Unwatched
from relayer.agreement.reading import QuorumReader
from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import HistoryPruned, Unavailable, WrongChain
from relayer.domain.supply import Counters, Interval, SupplySnapshot
from relayer.domain.transfer import (
    FAR_AHEAD,
    ChainFact,
    Delivery,
    Deposit,
    Location,
    Mode,
    Receipt,
    ReceiptKind,
    Refund,
    TransferId,
)
from relayer.ports.chain import ChainReader, Head
from tests.domain.samples import BNB, deposit

ISSUED = 10**24
SECONDS = 3
"""Chain time between two heights."""


@dataclass(slots=True)
class Truth:
    """What happened on the chain: at most one fact per height, for ever."""

    facts: list[ChainFact] = field(default_factory=list)
    head: int = 0
    mode: Mode = Mode.BURN_MINT
    counted: bool = False

    def time(self, height: int) -> int:
        """Chain time of a height."""
        return 1_000 + SECONDS * height

    def grow(self, facts: Sequence[ChainFact | None]) -> None:
        """Add one height for each fact or None."""
        for fact in facts:
            self.head += 1
            if fact is not None:
                self.facts.append(replace(fact, height=self.head, time=self.time(self.head)))

    async def go_on(self) -> None:
        """Add an empty height every second, for ever."""
        while True:
            await asyncio.sleep(1)
            self.grow([None])

    def between(self, first: int, last: int) -> list[ChainFact]:
        """The facts of a range."""
        return [fact for fact in self.facts if first <= fact.height <= last]

    def receipts(self, height: int) -> dict[TransferId, Receipt]:
        """Receipts as of a height."""
        done = Receipt(kind=ReceiptKind.DELIVERED, digest=b"\x01" * 32)
        return {f.id: done for f in self.between(0, height) if isinstance(f, Delivery)}

    def counters(self, height: int) -> Counters:
        """The bridge's cumulative shares as of a height."""
        seen = self.between(0, height)
        return Counters(
            deposited=Shares(sum(f.shares for f in seen if isinstance(f, Deposit))),
            delivered=Shares(sum(f.shares for f in seen if isinstance(f, Delivery))),
            refunded=Shares(sum(f.shares for f in seen if isinstance(f, Refund))),
        )

    def books(self, height: int) -> tuple[SupplySnapshot, ...]:
        """The books of the one asset as of a height."""
        counters, burned = self.counters(height), self.mode is Mode.BURN_MINT
        net = counters.deposited - counters.delivered - counters.refunded
        return (
            SupplySnapshot(
                chain=BNB,
                asset="TSLAx",
                mode=self.mode,
                height=height,
                time=self.time(height),
                supply=Interval.exactly(ISSUED - net if burned else ISSUED),
                held=Shares(0 if burned else 10**20 + net),
                inventory=Shares(0 if burned else 10**20),
                counters=counters if self.counted else None,
                multiplier=10**18,
                paused=False,
            ),
        )


@dataclass(slots=True)
class Honest:
    """A ChainReader that tells the truth up to ``lag`` heights below the head.

    ``pruned`` is the oldest height it holds, ``seconds`` what an answer takes, ``fault`` may raise.
    ``pinned``: it tells books of a height that is asked for.
    """

    truth: Truth
    lag: int = 0
    pruned: int = 0
    seconds: float = 0.0
    pinned: bool = False
    fault: Callable[[str], None] = lambda _: None
    serves: ChainId = BNB
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    chain: ChainId = BNB
    first_height: int = 1

    @property
    def head(self) -> int:
        """The newest height it calls final."""
        return max(0, self.truth.head - self.lag)

    async def prove(self) -> None:
        """Refuse to count if it serves another chain."""
        await self._call("identity")
        if self.serves != BNB:
            raise WrongChain(f"serves {self.serves}")

    async def final_head(self) -> Head:
        await self._call("head")
        return Head(height=self.head, time=self.truth.time(self.head))

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        await self._call("history")
        self._check(first, last)
        return self.truth.between(first, last)

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        await self._call("deposit")
        found = [
            f
            for f in self.truth.between(self.pruned, self.head)
            if isinstance(f, Deposit) and f.location == location
        ]
        if not found and height <= self.head + FAR_AHEAD:
            self._check(height, height)
        return found

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        await self._call("receipts")
        return {i: r for i, r in self.truth.receipts(self.head).items() if i in ids}

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        await self._call("refunded")
        seen = self.truth.between(0, self.head)
        return frozenset(f.id for f in seen if isinstance(f, Refund) and f.id in ids)

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        await self._call("snapshots")
        if self.pinned and height is not None:
            self._check(height, height)
            return self.truth.books(height)
        return self.truth.books(self.head)

    async def wakeups(self) -> AsyncIterator[None]:
        while True:
            await self._call("wakeups")
            await asyncio.sleep(1)
            yield

    async def close(self) -> None:
        self.closed = True

    def _check(self, first: int, last: int) -> None:
        if last > self.head:
            raise Unavailable(f"{last} is not final here")
        if first < self.pruned:
            raise HistoryPruned(f"{first} is gone here")

    async def _call(self, name: str) -> None:
        self.asked.append(name)
        await asyncio.sleep(self.seconds)
        self.fault(name)


class Liar(Honest):
    """Tells, at every height anew, a lie or the truth; liars of one seed tell the same.

    That they tell the same is the worst they can do: it makes them ``k - 1`` equal votes.
    """

    def __init__(self, truth: Truth, seed: int) -> None:
        """Choose lies by ``seed``."""
        super().__init__(truth, lag=seed % 3)
        self._seed = seed
        self._choice = random.Random(seed)

    async def final_head(self) -> Head:
        await self._call("head")
        height = self._pick(0, self.head, self.head + 7, 10**12)
        time = self._pick(0, self.truth.time(self.head), self.truth.time(self.head) + 50, 10**12)
        return Head(height=height, time=time)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        await self._call("history")
        facts = self.truth.between(first, last)
        forged = [replace(FORGED, height=last, time=self.truth.time(last))]
        return list(self._pick([], facts[1:], facts + forged, facts[::-1], forged))

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        await self._call("deposit")
        facts = [f for f in self.truth.facts if isinstance(f, Deposit) and f.location == location]
        forged = replace(FORGED, location=location, height=height)
        richer = [replace(f, shares=Shares(f.shares * 9)) for f in facts]
        return list(self._pick([], facts, [forged], richer))

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        await self._call("receipts")
        voided = Receipt(kind=ReceiptKind.VOIDED)
        done = Receipt(kind=ReceiptKind.DELIVERED, digest=b"\x01" * 32)
        return dict(self._pick({}, dict.fromkeys(ids, voided), dict.fromkeys(ids, done)))

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        await self._call("refunded")
        return frozenset(self._pick((), ids))

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        await self._call("snapshots")
        at = self._pick(0, self.head, height or self.head, self.truth.head + 5, 10**12)
        books = self.truth.books(min(at, self.truth.head))[0]
        more = self._pick(-(10**12), 0, 1, 10**20)
        held = Shares(books.held + self._pick(0, 0, more))
        time = self._pick(books.time, 0, 10**12)
        supply = books.supply.plus(more)
        return (replace(books, height=at, time=time, supply=supply, held=held),)

    async def _call(self, name: str) -> None:
        self.asked.append(name)
        self._choice.seed(f"{self._seed} {name} {self.truth.head}")
        await asyncio.sleep(self._pick(0.0, 0.0, 0.3, 40.0))
        self._choice.seed(f"{self._seed} {name} {self.truth.head} mood")
        mood = self._pick("answer", "answer", "answer", "silent", "pruned", "nonsense")
        if mood == "silent":
            raise Unavailable("HTTP 429")
        if mood == "pruned":
            raise HistoryPruned("gone")
        if mood == "nonsense":
            raise KeyError(name)

    def _pick(self, *choices: Any) -> Any:
        return self._choice.choice(choices)


FORGED = deposit(
    id=TransferId(b"\xee" * 32), shares=Shares(10**30), location=Location(tx="0xee", index=0)
)


@dataclass(slots=True)
class Watched(Unwatched):
    """An EndpointObserver that remembers."""

    answered: list[int] = field(default_factory=list)
    failed: list[tuple[int, Fault]] = field(default_factory=list)
    dissented: list[int] = field(default_factory=list)
    lags: dict[int, int] = field(default_factory=dict)

    def endpoint_answered(self, chain: ChainId, endpoint: int, seconds: float) -> None:
        del chain, seconds
        self.answered.append(endpoint)

    def endpoint_failed(self, chain: ChainId, endpoint: int, fault: Fault, words: str) -> None:
        del chain, words
        self.failed.append((endpoint, fault))

    def endpoint_dissented(self, chain: ChainId, endpoint: int, question: str) -> None:
        del chain, question
        self.dissented.append(endpoint)

    def endpoint_behind(self, chain: ChainId, endpoint: int, heights: int) -> None:
        del chain
        self.lags[endpoint] = heights


def quorum_of(
    readers: Sequence[Honest], needed: int, observer: EndpointObserver | None = None
) -> QuorumReader:
    """A QuorumReader over readers in memory."""
    members: list[Endpoint[ChainReader]] = [
        Endpoint(place=place, port=reader, prove=reader.prove)
        for place, reader in enumerate(readers)
    ]
    return QuorumReader(Endpoints(BNB, members, needed, observer or Unwatched()))
