"""Reading Solana through nodes that forget, lag, refuse and lie."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from relayer.chains.solana.reader import SolanaReader
from relayer.chains.solana.rpc import NodeError, SolanaRpc
from relayer.devnet.solana.rpcerror import RpcError
from relayer.devnet.solana.server import SolanaDevnet
from relayer.domain.errors import HistoryPruned, Unavailable
from relayer.domain.transfer import FAR_AHEAD, ChainFact, Deposit
from tests.chains.harness import fresh_account, some_shares
from tests.chains.solana_world import BNB, SolanaWorld, solana_devnet

pytestmark = pytest.mark.asyncio(loop_scope="module")

World = tuple[SolanaDevnet, SolanaWorld, Sequence[Deposit]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past() -> AsyncIterator[World]:
    """A bridge with seven deposits in its history."""
    async with solana_devnet() as (devnet, world):
        harness = world.harness(BNB, None)
        made = [
            await harness.deposit(asset, some_shares())
            for asset in ("TSLAx", "AAPLx", "TSLAx", "TSLAx", "AAPLx", "TSLAx", "TSLAx")
        ]
        yield devnet, world, made


@pytest.fixture
def honest(past: World) -> World:
    """The same, with all faults off again."""
    past[0].faults.overrides.clear()
    return past


async def whole(reader: SolanaReader) -> Sequence[ChainFact]:
    """All that a reader tells up to its final head."""
    return await reader.history(reader.first_height, (await reader.final_head()).height)


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8, 1000])
async def test_pages_of_any_size_tell_the_same_history(honest: World, page: int) -> None:
    """No deposit is lost where one page ends and the next begins."""
    _, world, made = honest
    reader = SolanaReader(replace(world.config, page=page), world.rpc)
    assert list(await whole(reader)) == list(made)


async def test_a_history_read_from_the_end_is_the_same(honest: World) -> None:
    """Ranges asked for newest first, each below what is known, leave nothing out."""
    _, world, made = honest
    reader = SolanaReader(replace(world.config, page=2), world.rpc)
    high = (await reader.final_head()).height
    told: list[ChainFact] = []
    while high >= reader.first_height:
        low = max(high - 4, reader.first_height)
        told = [*await reader.history(low, high), *told]
        high = low - 1
    assert told == list(made)


async def test_what_is_known_is_not_asked_again(honest: World) -> None:
    """A range read twice costs no transaction and no page the second time."""
    _, world, made = honest
    asked: Counter[str] = Counter()
    rpc = SolanaRpc(world.config.url, observe=lambda method, _seconds, _ok: asked.update([method]))
    try:
        reader = SolanaReader(world.config, rpc)
        first = await whole(reader)
        before = dict(asked)
        last = max(deposit.height for deposit in made)
        assert list(await reader.history(reader.first_height, last)) == list(first)
        assert dict(asked) == before
        assert before["getTransaction"] >= len(made)
    finally:
        await rpc.close()


async def test_a_small_memory_changes_nothing(honest: World) -> None:
    """A reader that may remember one signature and one transaction tells all the same."""
    _, world, made = honest
    config = replace(world.config, kept_signatures=1, kept_transactions=1, batch_calls=2)
    reader = SolanaReader(config, world.rpc)
    assert list(await whole(reader)) == list(made)
    assert list(await whole(reader)) == list(made)


async def test_purged_history_is_never_taken_for_empty(honest: World) -> None:
    """A node that holds only newer blocks says nothing about older ones, and is not believed."""
    devnet, world, made = honest
    oldest = made[-1].height + 1
    devnet.faults.overrides["getFirstAvailableBlock"] = lambda *_: oldest
    devnet.faults.overrides["getSignaturesForAddress"] = lambda *_: []
    devnet.faults.overrides["getTransaction"] = lambda *_: None
    reader = world.reader()
    with pytest.raises(HistoryPruned):
        await whole(reader)
    with pytest.raises(HistoryPruned):
        await reader.deposit_at(made[0].location, made[0].height)
    head = await reader.final_head()
    assert list(await reader.history(oldest, head.height)) == []


async def test_an_endpoint_behind_a_deposit_does_not_deny_it(honest: World) -> None:
    """Not to know a transaction means nothing before the slot where it is said to stand."""
    devnet, world, made = honest
    devnet.faults.overrides["getTransaction"] = lambda *_: None
    reader = world.reader()
    head = await reader.final_head()
    with pytest.raises(Unavailable):
        await reader.deposit_at(made[0].location, head.height + 500)
    assert list(await reader.deposit_at(made[0].location, head.height)) == []
    assert list(await reader.deposit_at(made[0].location, head.height + 2 * FAR_AHEAD)) == []


async def test_a_cursor_that_was_purged_is_dropped(honest: World) -> None:
    """When the node forgets the newest signature we know, the walk begins anew."""
    devnet, world, made = honest
    reader = world.reader()
    await whole(reader)
    forgotten = made[-1].location.tx

    def refuse(_method: str, params: list[Any], result: Any) -> Any:
        if params[1].get("until") == forgotten:
            raise RpcError(-32020, f"Transaction {forgotten} not found")
        return result

    devnet.faults.overrides["getSignaturesForAddress"] = refuse
    head = (await reader.final_head()).height
    while (await reader.final_head()).height == head:
        await asyncio.sleep(0.05)
    assert list(await whole(reader)) == list(made)


async def test_a_listed_transaction_that_is_not_there_is_no_answer(honest: World) -> None:
    """The list and the transactions must come from the same history."""
    devnet, world, _ = honest
    devnet.faults.overrides["getTransaction"] = lambda *_: None
    with pytest.raises(Unavailable):
        await whole(world.reader())


@pytest.mark.parametrize("method", ["getTransaction", "getAccountInfo", "getSignaturesForAddress"])
@pytest.mark.parametrize("answer", [{}, [], {"value": {}}, "cut", 7, [{"slot": "x"}]])
async def test_nonsense_is_unavailable(honest: World, method: str, answer: Any) -> None:
    """An answer of another shape is never an exception of ours, nor an empty history."""
    devnet, world, made = honest
    devnet.faults.overrides[method] = lambda *_: answer
    try:
        assert list(await whole(world.reader())) != list(made)
    except Unavailable:
        return
    assert (method, answer) == ("getSignaturesForAddress", [])


async def test_a_node_behind_its_own_head_is_unavailable(honest: World) -> None:
    """Several nodes behind one address: the one that lags must not shorten the history."""
    devnet, world, _ = honest

    def lag(*_: Any) -> Any:
        raise RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": 1})

    devnet.faults.overrides["getSignaturesForAddress"] = lag
    with pytest.raises(Unavailable, match="behind"):
        await whole(world.reader())


async def test_calls_of_one_turn_travel_together(honest: World) -> None:
    """One refused request refuses all calls that were in it, and none that came after."""
    devnet, world, _ = honest
    devnet.faults.too_many_requests = 1
    calls = [asyncio.ensure_future(world.rpc.call("getSlot")) for _ in range(5)]
    await asyncio.wait(calls)
    assert all(isinstance(call.exception(), Unavailable) for call in calls)
    assert await world.rpc.call("getSlot") > 0


async def test_a_refusal_hits_only_its_own_call(honest: World) -> None:
    """In one request a good call is answered beside a bad one."""
    _, world, _ = honest
    good = asyncio.ensure_future(world.rpc.call("getSlot"))
    bad = asyncio.ensure_future(world.rpc.call("getNothing"))
    await asyncio.wait([good, bad])
    assert good.result() > 0
    error = bad.exception()
    assert isinstance(error, NodeError)
    assert error.code == -32601


async def test_a_closed_connection_leaves_nobody_waiting(honest: World) -> None:
    """Calls under way when the connection closes end as Unavailable."""
    devnet, world, _ = honest
    devnet.faults.latency = 5.0
    try:
        rpc = SolanaRpc(world.config.url)
        call = asyncio.ensure_future(rpc.call("getSlot"))
        await asyncio.sleep(0.1)
        await rpc.close()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(call, 2.0)
    finally:
        devnet.faults.latency = 0.0


async def test_a_deposit_wakes_the_reader_up(honest: World) -> None:
    """The subscription says that something happened long before the next poll is due."""
    _, world, _ = honest
    reader = SolanaReader(replace(world.config, poll_seconds=30.0), world.rpc)
    async with aclosing(reader.wakeups()) as ticks:
        await anext(ticks)
        waiting = asyncio.ensure_future(anext(ticks))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await world.harness(BNB, None).depositor.deposit(
            "TSLAx", some_shares(), BNB, fresh_account(BNB)
        )
        await asyncio.wait_for(waiting, 5.0)
