"""k of n endpoints: what k - 1 liars can not make anybody believe, and who still gets answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.domain.agreement import in_order
from relayer.domain.amount import Shares
from relayer.domain.errors import Transient
from relayer.domain.supply import issued
from relayer.domain.transfer import (
    ChainFact,
    Deposit,
    Location,
    Mode,
    TransferId,
)
from tests.agreement.endpoints import ISSUED, Honest, Liar, Truth, quorum_of
from tests.domain.samples import delivery, deposit, refund
from tests.ports.virtual import run

NOWHERE = Location(tx="0xff", index=9)


def some_deposit(number: int) -> Deposit:
    """A deposit told apart by its number."""
    return deposit(
        id=TransferId(number.to_bytes(32, "big")),
        shares=Shares(1_000 + number),
        nonce=number,
        location=Location(tx=f"0x{number:x}", index=0),
    )


def chain_of(kinds: Sequence[str]) -> list[ChainFact | None]:
    """Facts of these kinds, one per height, each about a transfer of its own."""
    made: dict[str, Callable[[Deposit], ChainFact | None]] = {
        "deposit": lambda one: one,
        "delivery": delivery,
        "refund": refund,
        "nothing": lambda _: None,
    }
    return [made[kind](some_deposit(number)) for number, kind in enumerate(kinds)]


KINDS = st.lists(st.sampled_from(["deposit", "delivery", "refund", "nothing"]), max_size=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Some endpoints, k - 1 of them liars, and how the chain grows between the questions."""

    needed: int
    lags: tuple[int, ...]
    liars: tuple[int, ...]
    seed: int
    grows: tuple[tuple[str, ...], ...]
    mode: Mode
    counted: bool
    pinned: bool


@st.composite
def cases(draw: st.DrawFn, *, honest: Callable[[int], int]) -> Case:
    """K - 1 liars among at least ``honest(k)`` honest endpoints with small lags."""
    needed = draw(st.integers(1, 3))
    lags = draw(st.lists(st.integers(0, 4), min_size=honest(needed), max_size=honest(needed) + 1))
    size = len(lags) + needed - 1
    return Case(
        needed=needed,
        lags=tuple(lags),
        liars=tuple(draw(st.permutations(range(size)))[: needed - 1]),
        seed=draw(st.integers(0, 2**32)),
        grows=tuple(tuple(draw(KINDS)) for _ in range(5)),
        mode=draw(st.sampled_from(Mode)),
        counted=draw(st.booleans()),
        pinned=draw(st.booleans()),
    )


class Trial:
    """A reader over the endpoints of a case, and every question with the check of its answer."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.truth = Truth(mode=case.mode, counted=case.counted)
        lags = iter(case.lags)
        size = len(case.lags) + case.needed - 1
        self.readers: list[Honest] = [
            Liar(self.truth, case.seed)
            if place in case.liars
            else Honest(self.truth, lag=next(lags), pinned=case.pinned)
            for place in range(size)
        ]
        self.quorum = quorum_of(self.readers, case.needed)
        self.best = 0

    @property
    def honest(self) -> list[Honest]:
        return [reader for reader in self.readers if not isinstance(reader, Liar)]

    async def head(self) -> None:
        head = await self.quorum.final_head()
        assert self.best <= head.height <= max(reader.head for reader in self.honest)
        assert head.time <= self.truth.time(head.height)
        self.best = head.height

    async def history(self) -> None:
        last = (await self.quorum.final_head()).height
        told = await self.quorum.history(1, last)
        assert tuple(told) == in_order(self.truth.between(1, last))

    async def deposits(self) -> None:
        made = [fact for fact in self.truth.facts if isinstance(fact, Deposit)]
        for one in made[-2:]:
            assert list(await self.quorum.deposit_at(one.location, one.height)) == [one]

    async def nowhere(self) -> None:
        claimed = max(1, self.truth.head - 6)
        assert list(await self.quorum.deposit_at(NOWHERE, claimed)) == []

    async def receipts(self) -> None:
        ids = [fact.id for fact in self.truth.facts][-5:]
        found = await self.quorum.receipts(ids)
        now = self.truth.receipts(self.truth.head)
        sure = self.truth.receipts(min(reader.head for reader in self.honest))
        assert all(found[one] == now.get(one) for one in found)
        assert {one for one in ids if one in sure} <= set(found)

    async def books(self) -> None:
        books = await self.quorum.snapshots()
        height = books[0].height
        assert height <= max(reader.head for reader in self.honest)
        true = self.truth.books(height)[0]
        assert books[0].time <= true.time
        counters = self.truth.counters(height)
        assert issued(books[0], books[0].counters or counters).low == ISSUED
        if self.case.mode is Mode.LOCK_RELEASE:
            assert (books[0].supply, books[0].held) == (true.supply, true.held)
        assert books[0].counters == true.counters
        assert (books[0].paused, books[0].multiplier) == (False, 10**18)

    async def answered(self, question: Callable[[], Awaitable[None]], looks: int) -> None:
        """Ask until there is an answer; raise what the last look raises."""
        for _ in range(looks - 1):
            try:
                await question()
            except Transient:
                await asyncio.sleep(1)
            else:
                return
        await question()

    @property
    def questions(self) -> list[Callable[[], Awaitable[None]]]:
        """All of them."""
        return [self.head, self.history, self.deposits, self.nowhere, self.receipts, self.books]


@settings(max_examples=settings().max_examples // 3)
@given(case=cases(honest=lambda _: 1))
def test_what_is_told_is_true_whatever_k_minus_1_liars_say(case: Case) -> None:
    """Forged or hidden facts, receipts, books, heads and times: either the truth, or no answer."""

    async def trial() -> None:
        made = Trial(case)
        made.truth.grow(chain_of(["deposit", "nothing", "delivery", "nothing", "nothing"]))
        for grow in case.grows:
            for question in made.questions:
                try:
                    await question()
                except Transient:
                    continue
            made.truth.grow([_renamed(fact, made.truth.head) for fact in chain_of(grow)])
            await asyncio.sleep(3)

    run(trial())


@settings(max_examples=settings().max_examples // 3)
@given(case=cases(honest=lambda k: k))
def test_every_question_is_answered_while_k_honest_endpoints_answer(case: Case) -> None:
    """Liars that lie, hang, or refuse cost time, not answers: three looks are enough."""

    async def trial() -> None:
        made = Trial(case)
        made.truth.grow(chain_of(["deposit", *["nothing"] * 6]))
        goes_on = asyncio.create_task(made.truth.go_on())
        for grow in case.grows:
            made.truth.grow([_renamed(fact, made.truth.head) for fact in chain_of(grow)])
            made.truth.grow([None] * 5)
            for question in made.questions:
                await made.answered(question, looks=4)
        goes_on.cancel()

    run(trial())


def _renamed(fact: ChainFact | None, base: int) -> ChainFact | None:
    """The same fact about a transfer that no other height has."""
    if fact is None:
        return None
    number = int.from_bytes(fact.id, "big") + 1_000 * base + 1
    named = replace(fact, id=TransferId(number.to_bytes(32, "big")))
    if isinstance(named, Deposit):
        return replace(named, nonce=number, location=Location(tx=f"0x{number:x}", index=0))
    return named
