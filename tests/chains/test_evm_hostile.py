"""The EVM reader behind an endpoint that refuses, lags, prunes or lies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.domain.errors import HistoryPruned, Unavailable
from relayer.domain.transfer import FAR_AHEAD, Deposit, Location
from tests.chains.evm_proxy import Answer, Rule, endpoint
from tests.chains.evm_world import TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import some_shares

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One node with three deposits on it."""
    async with evm_world() as made:
        harness = harness_of(made, TRON, TRON_GATEWAY)
        for _ in range(3):
            await harness.deposit("TSLAx", some_shares())
        yield made


@asynccontextmanager
async def reader_behind(world: World, rule: Rule) -> AsyncIterator[EvmReader]:
    """A reader whose answers a rule changes."""
    async with endpoint(behind=world.config.url, rule=rule) as node:
        reader = EvmReader(replace(world.config, url=node.url), EvmRpc(node.url))
        try:
            yield reader
        finally:
            await reader.close()


async def whole(world: World) -> tuple[int, list[Any]]:
    """The final head, and the true history up to it."""
    reader = EvmReader(world.config, world.rpc)
    last = (await reader.final_head()).height
    return last, list(await reader.history(world.config.first_height, last))


async def read(reader: EvmReader, last: int) -> list[Any]:
    """The history that a reader tells."""
    await reader.final_head()
    return list(await reader.history(reader.first_height, last))


def for_logs(change: Rule) -> Rule:
    """A rule for eth_getLogs alone."""

    def rule(request: Answer, answer: Answer) -> Answer:
        return change(request, answer) if request["method"] == "eth_getLogs" else answer

    return rule


def refused(request: Answer, code: int, words: str) -> Answer:
    """An error in the place of an answer."""
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": words}}


@pytest.mark.parametrize("most", [1, 3, 7])
async def test_narrow_endpoints_tell_the_whole_history(world: World, most: int) -> None:
    """An endpoint that takes few blocks at a time costs more calls, and no fact."""

    def narrow(request: Answer, answer: Answer) -> Answer:
        wanted = request["params"][0]
        width = int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) + 1
        return answer if width <= most else refused(request, -32005, "block range too large")

    last, facts = await whole(world)
    assert sum(isinstance(fact, Deposit) for fact in facts) == 3
    async with reader_behind(world, for_logs(narrow)) as reader:
        assert await read(reader, last) == facts


async def test_pruned_logs_are_not_an_empty_history(world: World) -> None:
    """The node's word for it, and missing headers, both say that the range is gone."""
    last, _ = await whole(world)

    def pruned(request: Answer, _: Answer) -> Answer:
        return refused(request, 4444, "pruned history unavailable")

    async with reader_behind(world, for_logs(pruned)) as reader:
        with pytest.raises(HistoryPruned):
            await read(reader, last)

    def headless(request: Answer, answer: Answer) -> Answer:
        if request["params"] == [hex(world.config.first_height), False]:
            return {**answer, "result": None}
        return {**answer, "result": []} if request["method"] == "eth_getLogs" else answer

    async with reader_behind(world, headless) as reader:
        with pytest.raises(HistoryPruned):
            await read(reader, last)


async def test_a_lagging_backend_is_not_an_empty_history(world: World) -> None:
    """Logs of blocks that the backend does not have yet are not believed to be none."""
    last, _ = await whole(world)

    def lagging(request: Answer, answer: Answer) -> Answer:
        if request["params"] == [hex(last), False]:
            return {**answer, "result": None}
        return {**answer, "result": []} if request["method"] == "eth_getLogs" else answer

    async with reader_behind(world, lagging) as reader:
        with pytest.raises(Unavailable, match="not have block"):
            await read(reader, last)


async def test_a_final_head_never_goes_back(world: World) -> None:
    """A backend behind the others does not undo what was final."""
    old: list[Any] = []

    def backwards(request: Answer, answer: Answer) -> Answer:
        if request["params"] != ["finalized", False]:
            return answer
        old.append(answer["result"])
        number = hex(int(old[0]["number"], 16) - (5 if len(old) > 1 else 0))
        return {**answer, "result": {**old[0], "number": number}}

    async with reader_behind(world, backwards) as reader:
        heads = [await reader.final_head() for _ in range(3)]
        assert len(old) == 3
        assert heads[0] == heads[1] == heads[2]


def with_first_log(**fields: Any) -> Rule:
    """A rule that changes fields of the first log."""

    def change(_: Answer, answer: Answer) -> Answer:
        logs = answer["result"]
        return {**answer, "result": [{**logs[0], **fields}, *logs[1:]] if logs else logs}

    return for_logs(change)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(with_first_log(blockHash="0x" + "11" * 32), id="of a forked block"),
        pytest.param(with_first_log(address="0x" + "22" * 20), id="of another contract"),
        pytest.param(with_first_log(blockNumber="0xffffff"), id="outside the range"),
        pytest.param(with_first_log(removed=True), id="removed"),
        pytest.param(with_first_log(data="0x"), id="without data"),
        pytest.param(with_first_log(data="0x" + "07" * 160), id="with other fields"),
        pytest.param(
            for_logs(lambda _, answer: {**answer, "result": answer["result"] * 2}), id="twice"
        ),
        pytest.param(for_logs(lambda _, answer: {**answer, "result": None}), id="null"),
        pytest.param(for_logs(lambda _, answer: {**answer, "result": {"a": 1}}), id="no list"),
    ],
)
async def test_contradictory_logs_are_not_believed(world: World, rule: Rule) -> None:
    """What contradicts headers, filter or its own id raises, and tells nothing."""
    last, _ = await whole(world)
    async with reader_behind(world, rule) as reader:
        with pytest.raises(Unavailable):
            await read(reader, last)


async def test_logs_out_of_order_are_told_in_chain_order(world: World) -> None:
    """Order is the chain's, whatever the node's."""
    last, facts = await whole(world)

    def shuffled(_: Answer, answer: Answer) -> Answer:
        return {**answer, "result": answer["result"][::-1]}

    async with reader_behind(world, for_logs(shuffled)) as reader:
        assert await read(reader, last) == facts


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"blockHash": "0x" + "11" * 32}, id="of a forked block"),
        pytest.param({"blockNumber": "0xffffff"}, id="not final"),
        pytest.param({"transactionHash": "0x" + "11" * 32}, id="of another transaction"),
        pytest.param({"status": None}, id="without status"),
    ],
)
async def test_contradictory_receipts_are_not_believed(world: World, fields: Answer) -> None:
    """A deposit is re-read only from a receipt that the canonical chain holds."""
    _, facts = await whole(world)
    deposit = next(fact for fact in facts if isinstance(fact, Deposit))

    def rule(request: Answer, answer: Answer) -> Answer:
        if request["method"] != "eth_getTransactionReceipt":
            return answer
        return {**answer, "result": {**answer["result"], **fields}}

    async with reader_behind(world, rule) as reader:
        with pytest.raises(Unavailable):
            await reader.deposit_at(deposit.location, deposit.height)


async def test_a_failed_transaction_holds_no_deposit(world: World) -> None:
    """Logs of a reverted transaction, which only a lying node shows, are none."""
    _, facts = await whole(world)
    deposit = next(fact for fact in facts if isinstance(fact, Deposit))

    def failed(request: Answer, answer: Answer) -> Answer:
        if request["method"] != "eth_getTransactionReceipt":
            return answer
        return {**answer, "result": {**answer["result"], "status": "0x0"}}

    async with reader_behind(world, failed) as reader:
        assert list(await reader.deposit_at(deposit.location, deposit.height)) == []


@pytest.mark.parametrize(
    ("hidden", "error"),
    [
        pytest.param({"receipt"}, HistoryPruned, id="the block lists it all the same"),
        pytest.param({"receipt", "block"}, HistoryPruned, id="the block is gone"),
        pytest.param({"receipt", "head"}, Unavailable, id="the endpoint lags"),
    ],
)
async def test_a_missing_receipt_alone_denies_no_deposit(
    world: World, hidden: set[str], error: type[Exception]
) -> None:
    """Absence takes a final head at the claimed block, and a block that does not list it."""
    _, facts = await whole(world)
    deposit = next(fact for fact in facts if isinstance(fact, Deposit))
    old: list[Answer] = []

    def rule(request: Answer, answer: Answer) -> Answer:
        first = (request["params"] or [None])[0]
        if request["method"] == "eth_getTransactionReceipt" and "receipt" in hidden:
            return {**answer, "result": None}
        if first == hex(deposit.height) and "block" in hidden:
            return {**answer, "result": None}
        if first == "finalized" and "head" in hidden:
            old.append(answer)
            number = hex(deposit.height - 1)
            return {**answer, "result": {**answer["result"], "number": number}}
        return answer

    async with reader_behind(world, rule) as reader:
        with pytest.raises(error):
            await reader.deposit_at(deposit.location, deposit.height)


async def test_a_claim_beyond_all_reason_is_denied(world: World) -> None:
    """A record that names a block a million ahead is made up: it does not wait for that block."""
    reader = EvmReader(world.config, world.rpc)
    head = (await reader.final_head()).height
    nowhere = Location(tx="0x" + "ab" * 32, index=0)
    assert list(await reader.deposit_at(nowhere, head + FAR_AHEAD + 100)) == []
    with pytest.raises(Unavailable):
        await reader.deposit_at(nowhere, head + 1_000)
