"""Who is asked, when, and who rests: the endpoints of a chain beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from relayer.agreement.health import Fault
from relayer.domain.address import ChainId
from relayer.domain.errors import Disagreement, HistoryPruned, Unavailable
from relayer.domain.supply import Interval
from relayer.domain.transfer import FAR_AHEAD, Mode
from tests.agreement.endpoints import FORGED, Honest, Truth, Watched, quorum_of
from tests.agreement.test_reading import NOWHERE, chain_of, some_deposit
from tests.ports.virtual import run


def grown(**more: Any) -> Truth:
    """A chain with a deposit at height 1 and nine heights above it."""
    truth = Truth(**more)
    truth.grow(chain_of(["deposit", *["nothing"] * 9]))
    return truth


def virtual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test in virtual time."""

    def made() -> None:
        run(test())

    made.__doc__ = test.__doc__
    return made


class Late(Truth):
    """A liar's chain, whose time has run far ahead."""

    def time(self, height: int) -> int:
        """Years from now."""
        return 10**12 + height


def raising(error: Exception) -> Callable[[str], None]:
    """A fault that always raises."""

    def fault(_: str) -> None:
        raise error

    return fault


@virtual
async def test_the_fast_ones_are_asked() -> None:
    """The k fastest answer; a silent one costs no more than the usual time, once."""
    truth = grown()
    readers = [Honest(truth, seconds=seconds) for seconds in (3.0, 0.1, 0.1)]
    quorum, loop = quorum_of(readers, 2), asyncio.get_running_loop()
    begun = loop.time()
    await quorum.history(1, 5)
    assert loop.time() - begun < 1.5
    for reader in readers:
        reader.asked.clear()
    for _ in range(5):
        await quorum.history(1, 5)
    assert [reader.asked.count("history") for reader in readers] == [0, 5, 5]


@virtual
async def test_another_chain_never_counts() -> None:
    """An endpoint of another chain is refused by name and asked nothing else."""
    truth, watched = grown(), Watched()
    stranger = Honest(truth, serves=ChainId("eip155:1"))
    quorum = quorum_of([stranger, Honest(truth), Honest(truth)], 2, watched)
    assert (await quorum.final_head()).height == 10
    assert len(await quorum.history(1, 10)) == 1
    assert (0, Fault.WRONG_CHAIN) in watched.failed
    assert set(stranger.asked) == {"identity"}
    alone = quorum_of([stranger, Honest(truth)], 2)
    with pytest.raises(Unavailable, match="eip155:1"):
        await alone.history(1, 5)


@virtual
async def test_a_failure_calls_for_a_new_proof() -> None:
    """After a failure something else may answer behind the same URL."""
    truth = grown()
    reader = Honest(truth)
    quorum = quorum_of([reader], 1)
    await quorum.history(1, 5)
    await quorum.history(1, 5)
    assert reader.asked.count("identity") == 1
    reader.fault = raising(Unavailable("gone for a moment"))
    with pytest.raises(Unavailable):
        await quorum.history(1, 5)
    reader.fault, reader.serves = lambda _: None, ChainId("eip155:1")
    with pytest.raises(Unavailable, match="eip155:1"):
        await quorum.history(1, 5)


@virtual
async def test_a_proof_is_renewed() -> None:
    """Every five minutes an endpoint proves its chain again."""
    reader = Honest(grown())
    quorum = quorum_of([reader], 1)
    await quorum.history(1, 5)
    await asyncio.sleep(301)
    await quorum.history(1, 5)
    assert reader.asked.count("identity") == 2


@virtual
async def test_who_fails_rests_and_is_tried_again() -> None:
    """Longer each time in a row, and once more when it is well."""
    truth, watched = grown(), Watched()
    readers = [Honest(truth, fault=raising(KeyError("cut"))), Honest(truth), Honest(truth)]
    quorum = quorum_of(readers, 2, watched)
    for _ in range(50):
        await quorum.history(1, 5)
        await asyncio.sleep(1)
    assert 3 <= len(watched.failed) <= 9
    assert {fault for _, fault in watched.failed} == {Fault.UNREADABLE}
    readers[0].fault = lambda _: None
    await asyncio.sleep(61)
    for _ in range(10):
        await quorum.history(1, 5)
    assert 0 in watched.answered


@virtual
async def test_a_dissenter_is_counted_and_named() -> None:
    """Those who agree go on; where too few do, the error says who said what."""
    truth, watched = grown(), Watched()
    forger = Honest(Truth(facts=[FORGED], head=10))
    quorum = quorum_of([forger, Honest(truth), Honest(truth)], 2, watched)
    assert len(await quorum.history(1, 10)) == 1
    assert watched.dissented == [0]
    with pytest.raises(Disagreement, match="endpoint 0: 1 found"):
        await quorum_of([forger, Honest(truth)], 2).history(1, 10)


@virtual
async def test_history_that_too_few_hold_is_not_empty() -> None:
    """Endpoints without the range abstain, they do not vote for nothing."""
    truth = grown()
    with pytest.raises(HistoryPruned):
        await quorum_of([Honest(truth, pruned=5) for _ in range(3)], 2).history(1, 10)
    one_holds = [Honest(truth, pruned=5), Honest(truth), Honest(truth, pruned=5)]
    with pytest.raises(HistoryPruned, match="endpoint 1: 1 found"):
        await quorum_of(one_holds, 2).history(1, 10)


@virtual
async def test_who_is_below_the_claimed_height_denies_nothing() -> None:
    """Two that lag can not deny what the third one would have to know."""
    truth = grown()
    lagging = [Honest(truth, lag=9), Honest(truth, lag=9), Honest(truth)]
    quorum, made = quorum_of(lagging, 2), some_deposit(0)
    assert len(await quorum.deposit_at(made.location, 1)) == 1
    with pytest.raises(Unavailable):
        await quorum.deposit_at(NOWHERE, 10)
    assert list(await quorum.deposit_at(NOWHERE, 11 + FAR_AHEAD)) == []


@virtual
async def test_one_late_time_does_not_date_the_head() -> None:
    """A liar with a true height and a late time is outvoted on the time."""
    truth = grown()
    late = Honest(Late(head=10), lag=1)
    quorum = quorum_of([late, Honest(truth), Honest(truth)], 2)
    head = await quorum.final_head()
    assert (head.height, head.time) == (10, truth.time(10))


@virtual
async def test_books_of_different_heights_meet() -> None:
    """What the bridge moved between two heights is set off, to the last unit."""
    truth = grown(mode=Mode.LOCK_RELEASE)
    truth.grow(chain_of(["deposit", "delivery"]))
    quorum = quorum_of([Honest(truth), Honest(truth, lag=1), Honest(truth, lag=2)], 2)
    going = asyncio.create_task(truth.go_on())
    books = await quorum.snapshots()
    going.cancel()
    true = truth.books(books[0].height)[0]
    assert (books[0].supply, books[0].held) == (Interval.exactly(true.supply.low), true.held)


@virtual
async def test_one_endpoint_alone_fails_at_once() -> None:
    """There is nobody to wait for."""
    truth = grown()
    quorum = quorum_of([Honest(truth, fault=raising(Unavailable("down")))], 1)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable, match="down"):
        await quorum.history(1, 5)
    with pytest.raises(Unavailable, match="down"):
        await quorum.snapshots()
    assert asyncio.get_running_loop().time() == begun


@virtual
async def test_a_deaf_endpoint_keeps_nobody_asleep() -> None:
    """Another one is listened to, and closing closes all."""
    truth = grown()
    deaf = Honest(truth, seconds=10**6)
    quorum = quorum_of([deaf, Honest(truth), Honest(truth)], 2)
    ticks = quorum.wakeups()
    for _ in range(5):
        await anext(ticks)
    await quorum.close()
    assert deaf.closed


@virtual
async def test_an_endpoint_that_ends_at_once_does_not_keep_the_loop_busy() -> None:
    """Its ticks come with a pause: whoever else runs in the process gets a turn."""
    quorum = quorum_of([Ending(grown())], 1)
    begun, ticks = asyncio.get_running_loop().time(), quorum.wakeups()
    for _ in range(20):
        await anext(ticks)
    assert asyncio.get_running_loop().time() - begun >= 4


class Ending(Honest):
    """A reader whose wake-ups end before the first."""

    async def wakeups(self) -> AsyncIterator[None]:
        for _ in ():
            yield
