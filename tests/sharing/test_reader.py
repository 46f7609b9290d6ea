"""What a shared reader remembers, what it reads anew, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

import pytest

from relayer.domain.address import ChainId
from relayer.domain.errors import Unavailable
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import (
    ChainFact,
    Deposit,
    Location,
    Receipt,
    ReceiptKind,
    TransferId,
)
from relayer.ports.chain import Head
from relayer.sharing.histories import Histories
from relayer.sharing.reader import SharedReader
from tests.domain.samples import BNB, deposit

PLACE = Location(tx="0xaa", index=1)
FIRST, SECOND, THIRD = (TransferId(bytes([n]) * 32) for n in (1, 2, 3))
DELIVERED = Receipt(kind=ReceiptKind.DELIVERED)


class Chain:
    """A chain whose reads are written down, and can be made to wait or to fail."""

    chain: ChainId = BNB
    first_height = 1

    def __init__(self) -> None:
        """Begin with a chain that holds nothing and answers at once."""
        self.deposits: list[Deposit] = []
        self.done: dict[TransferId, Receipt] = {}
        self.asked: list[tuple[str, object]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False
        self.closed = False

    async def final_head(self) -> Head:
        """A head that grows with each read."""
        await self._read("head", None)
        return Head(height=len(self.asked), time=0)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every deposit."""
        await self._read("history", (first, last))
        return self.deposits

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The deposits at a place."""
        assert height == 10
        found = [made for made in self.deposits if made.location == location]
        await self._read("deposit", location)
        return found

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The receipts as they are when the read begins."""
        found = {one: self.done[one] for one in ids if one in self.done}
        await self._read("receipts", tuple(ids))
        return found

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those with a receipt, as it is when the read begins."""
        found = frozenset(one for one in ids if one in self.done)
        await self._read("refunded", tuple(ids))
        return found

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """Nothing."""
        await self._read("snapshots", height)
        return []

    async def wakeups(self) -> AsyncIterator[None]:
        """One tick."""
        yield

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    async def _read(self, what: str, about: object) -> None:
        self.asked.append((what, about))
        await self.open.wait()
        if self.broken:
            raise Unavailable("broken")


@pytest.fixture
def chain() -> Chain:
    """A chain."""
    return Chain()


async def turns(count: int = 10) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outcome(asked: Awaitable[object]) -> object:
    """The answer, or the error that came instead."""
    try:
        return await asked
    except Unavailable as error:
        return error


async def together(*asked: Awaitable[object]) -> list[object]:
    """What came of questions that were asked in one turn."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(one)) for one in asked]
    return [task.result() for task in tasks]


async def test_a_deposit_that_was_read_is_never_read_again(chain: Chain) -> None:
    """A final deposit cannot change, so a second question costs no call."""
    chain.deposits = [deposit(location=PLACE)]
    reader = SharedReader(chain)

    first = await reader.deposit_at(PLACE, 10)
    second = await reader.deposit_at(PLACE, 10)

    assert first == second == (chain.deposits[0],)
    assert chain.asked == [("deposit", PLACE)]


async def test_an_absent_deposit_is_looked_for_again(chain: Chain) -> None:
    """Absence is not remembered: what was not final a moment ago may be now."""
    reader = SharedReader(chain)

    absent = await reader.deposit_at(PLACE, 10)
    chain.deposits = [deposit(location=PLACE)]
    present = await reader.deposit_at(PLACE, 10)

    assert (absent, present) == ((), (chain.deposits[0],))


async def test_a_failed_read_is_not_remembered(chain: Chain) -> None:
    """Each who waited hears of the failure, and the next question is read anew."""
    chain.deposits, chain.broken = [deposit(location=PLACE)], True
    reader = SharedReader(chain)

    failed = await together(reader.deposit_at(PLACE, 10), reader.deposit_at(PLACE, 10))
    chain.broken = False

    assert [type(one) for one in failed] == [Unavailable, Unavailable]
    assert await reader.deposit_at(PLACE, 10) == (chain.deposits[0],)
    assert len(chain.asked) == 2


async def test_equal_questions_of_one_turn_are_one_read(chain: Chain) -> None:
    """Three attesters that look at one deposit at once cost one call; so do three heads."""
    chain.deposits = [deposit(location=PLACE)]
    reader = SharedReader(chain)

    await together(*(reader.deposit_at(PLACE, 10) for _ in range(3)))
    await together(*(reader.final_head() for _ in range(3)))

    assert chain.asked == [("deposit", PLACE), ("head", None)]


async def test_a_question_never_joins_a_read_under_way(chain: Chain) -> None:
    """What changed before a question was asked stands in its answer."""
    reader = SharedReader(chain, patience=0.0)
    chain.open.clear()

    early = asyncio.create_task(reader.receipts([FIRST]))
    head = asyncio.create_task(reader.final_head())
    await turns()
    chain.done[FIRST] = DELIVERED
    late = asyncio.create_task(reader.receipts([FIRST]))
    newer = asyncio.create_task(reader.final_head())
    await asyncio.sleep(0.01)
    chain.open.set()

    assert await early == {}
    assert await late == {FIRST: DELIVERED}
    assert await head is not await newer


async def test_receipts_asked_for_during_a_read_travel_together(chain: Chain) -> None:
    """Under load the questions of a round trip become one read, each answered with its own."""
    chain.done = {FIRST: DELIVERED, THIRD: DELIVERED}
    reader = SharedReader(chain, patience=60.0)
    chain.open.clear()

    first = asyncio.create_task(reader.receipts([FIRST]))
    await turns()
    second = asyncio.create_task(reader.receipts([SECOND]))
    await turns()
    both = asyncio.create_task(reader.receipts([SECOND, THIRD]))
    await turns()
    chain.open.set()

    assert await first == {FIRST: DELIVERED}
    assert await second == {}
    assert await both == {THIRD: DELIVERED}
    assert chain.asked == [("receipts", (FIRST,)), ("receipts", (SECOND, THIRD))]


async def test_a_read_that_hangs_holds_up_nobody_else(chain: Chain) -> None:
    """After its patience a question is asked beside the read that does not return."""
    reader = SharedReader(chain, patience=0.01)
    chain.open.clear()

    hanging = asyncio.create_task(reader.receipts([FIRST]))
    await turns()
    other = asyncio.create_task(reader.receipts([SECOND]))
    await asyncio.sleep(0.05)

    assert chain.asked == [("receipts", (FIRST,)), ("receipts", (SECOND,))]
    chain.open.set()
    await together(hanging, other)


async def test_who_gives_up_does_not_end_the_read_of_others(chain: Chain) -> None:
    """Cancelling one of two who wait for one read leaves the other its answer."""
    chain.deposits = [deposit(location=PLACE)]
    reader = SharedReader(chain)
    chain.open.clear()

    impatient = asyncio.create_task(reader.deposit_at(PLACE, 10))
    patient = asyncio.create_task(reader.deposit_at(PLACE, 10))
    await turns()
    impatient.cancel()
    await turns()
    chain.open.set()

    assert await patient == (chain.deposits[0],)
    assert impatient.cancelled()


async def test_only_so_many_deposits_are_remembered(chain: Chain) -> None:
    """Memory is bounded: the oldest place is forgotten, and read again when asked for."""
    places = [Location(tx="0xaa", index=n) for n in range(3)]
    chain.deposits = [deposit(location=place) for place in places]
    reader = SharedReader(chain, kept=2)

    for place in (*places, places[0], places[2]):
        await reader.deposit_at(place, 10)

    assert chain.asked == [("deposit", place) for place in (*places, places[0])]


async def test_refunds_asked_for_during_a_read_travel_together(chain: Chain) -> None:
    """As receipts do; and none is answered by a read that began before it was asked for."""
    reader = SharedReader(chain, patience=60.0)
    chain.open.clear()

    first = asyncio.create_task(reader.refunded([FIRST]))
    await turns()
    chain.done = {FIRST: DELIVERED, THIRD: DELIVERED}
    again = asyncio.create_task(reader.refunded([FIRST]))
    both = asyncio.create_task(reader.refunded([SECOND, THIRD]))
    await turns()
    chain.open.set()

    assert await first == frozenset()
    assert await again == {FIRST}
    assert await both == {THIRD}
    assert chain.asked == [("refunded", (FIRST,)), ("refunded", (FIRST, SECOND, THIRD))]


async def test_snapshots_are_read_each_time(chain: Chain) -> None:
    """They pass through: what they hold moves with the head."""
    reader = SharedReader(chain)

    for _ in range(2):
        await reader.snapshots()

    assert [what for what, _ in chain.asked] == ["snapshots"] * 2


async def test_a_range_of_final_history_is_read_once_for_all_who_ask(chain: Chain) -> None:
    """Together, while the read is under way, or after it; another range is another read."""
    chain.deposits = [deposit()]
    reader = SharedReader(chain)
    chain.open.clear()
    first = asyncio.create_task(reader.history(1, 5_000))
    await turns()
    second = asyncio.create_task(reader.history(1, 5_000))
    await turns()
    first.cancel()
    chain.open.set()

    told = [await second, await reader.history(1, 5_000), await reader.history(5_001, 5_010)]

    assert told == [(deposit(),)] * 3
    assert chain.asked == [("history", (1, 5_000)), ("history", (5_001, 5_010))]


async def test_a_range_that_could_not_be_read_is_read_anew(chain: Chain) -> None:
    """All who waited are told; nothing of it is kept."""
    reader = SharedReader(chain)
    chain.broken = True
    answers = await together(reader.history(1, 9), reader.history(1, 9))
    chain.broken = False
    chain.deposits = [deposit()]

    assert [type(answer) for answer in answers] == [Unavailable] * 2
    assert await reader.history(1, 9) == (deposit(),)
    assert len(chain.asked) == 2


async def test_only_the_last_ranges_are_kept(chain: Chain) -> None:
    """By their number, and by how many facts they hold."""
    asked: list[tuple[int, int]] = []

    async def read(first: int, last: int) -> Sequence[ChainFact]:
        asked.append((first, last))
        return [deposit()] * last

    few = Histories(read, ranges=2, facts=100)
    for last in (1, 2, 3, 1, 99, 101, 101):
        await few.ask(1, last)

    assert asked == [(1, last) for last in (1, 2, 3, 1, 99, 101, 101)]
    await few.ask(1, 99)
    assert asked[-1] == (1, 99)


async def test_who_still_waits_when_it_closes_is_told(chain: Chain) -> None:
    """Closing leaves no task and nobody waiting."""
    reader = SharedReader(chain)
    chain.open.clear()
    waiting = [
        asyncio.create_task(ask)
        for ask in (
            reader.deposit_at(PLACE, 10),
            reader.receipts([FIRST]),
            reader.final_head(),
            reader.history(1, 2),
        )
    ]
    await turns()

    await reader.close()
    answers = await together(*waiting)

    assert [type(answer) for answer in answers] == [Unavailable] * 4
    assert chain.closed
