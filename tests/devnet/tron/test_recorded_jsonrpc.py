"""`/jsonrpc` on both views: results, gaps and error words are those of the real node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.devnet.tron.recorded import Exchange, differences, exchanges
from tests.devnet.tron.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = (
    "jsonrpc_basic",
    "jsonrpc_blocks",
    "jsonrpc_calls",
    "jsonrpc_errors",
    "jsonrpc_logs",
    "jsonrpc_tx",
)
# The private net's genesis has transactions; how much energy, which index and
# which event is of the run.
OF_THE_RUN = ("transactionIndex", "logIndex", "gas", "gasUsed", "gasLimit", "size", "data")
# The real node serves this on ports of its own; here both views have it beside their paths.
OWN_PORT = "jsonrpc on the wallet port 8090"
# The last of these asks for the newest blocks, which hold logs here.
OTHERWISE = ("timeout on", "1001 subtopics", "from finalized on")


def asked() -> list[Any]:
    return [
        pytest.param(one, id=f"{case}: {one.note}")
        for case in CASES
        for one in exchanges(case)
        if one.note != OWN_PORT and not one.note.startswith(OTHERWISE)
    ]


def at_our_heights(stage: Stage, request: Any) -> Any:
    """Return a recorded request with this chain's heights and ids in it."""
    chain = stage.net.node.chain
    (outcomes,) = [b.number for b in chain.blocks.values() if len(b.included) > 10]
    text = json.dumps(stage.translated(request))
    heights = {"0x56": outcomes, "0xb7": chain.head.number, "0x50": outcomes - 1, "86": outcomes}
    for recorded, ours in heights.items():
        digits = hex(ours) if recorded.startswith("0x") else str(ours)
        text = text.replace(f'"{recorded}"', f'"{digits}"')
    return json.loads(text.replace('"0x0056"', f'"0x{outcomes:04x}"'))


@pytest.mark.parametrize("one", asked())
async def test_json_rpc_answers_as_recorded(stage: Stage, one: Exchange) -> None:
    """Blocks, calls, logs, receipts and their errors on the full and on the solid view."""
    answer = await stage.ask(one, at_our_heights(stage, one.request))
    assert answer.status == one.status
    if answer.status == 405:
        assert "<title>Error 405 " in answer.body
        return
    recorded, ours = _trimmed(one.answer), _trimmed(answer.body)
    assert differences(recorded, ours, ignored=_ignored(one)) == []


def _ignored(one: Exchange) -> tuple[str, ...]:
    if "earliest" in one.note:
        return ("transactions", "miner")
    return (*OF_THE_RUN, "transactions") if "eth_getBlockByNumber" in one.note else OF_THE_RUN


def _trimmed(answer: Any) -> Any:
    """Take as many rows of a list as the shortened recording has, logs without their topics."""
    if isinstance(answer, dict) and isinstance(answer.get("result"), list):
        rows = [row for row in answer["result"][:2] if isinstance(row, dict)]
        return answer | {"result": [{**row, "topics": []} for row in rows]}
    return answer


async def test_logs_are_found_by_their_topics_and_places(stage: Stage) -> None:
    """A filter by address, topic and block returns exactly the logs of the receipts."""
    block = max(stage.net.node.chain.blocks.values(), key=lambda one: len(one.included))
    places = {"fromBlock": hex(block.number), "toBlock": hex(block.number)}
    found = await rpc(stage, "eth_getLogs", places)
    receipts = [
        await rpc(stage, "eth_getTransactionReceipt", one.txid.hex()) for one in block.included
    ]
    assert found == [log for receipt in receipts for log in receipt["logs"]]
    assert [int(log["logIndex"], 16) for log in found] == list(range(len(found)))
    topic = found[0]["topics"][0]
    narrowed = await rpc(stage, "eth_getLogs", {**places, "topics": [topic]})
    assert narrowed == [log for log in found if log["topics"][0] == topic] != found


async def test_too_many_subtopics_are_refused(stage: Stage) -> None:
    """More than a thousand alternatives of one topic are an error."""
    topics = [["0x" + f"{number:064x}" for number in range(1001)]]
    answer = await call(stage, "eth_getLogs", {"fromBlock": "0x1", "topics": topics})
    recorded = [one for one in exchanges("jsonrpc_logs") if one.note == "1001 subtopics on 8545"]
    assert answer == recorded[0].answer


async def test_filters_report_what_is_new(stage: Stage) -> None:
    """Block and log filters begin at the next block and forget nothing; unknown ones are errors."""
    blocks, logs = await rpc(stage, "eth_newBlockFilter"), await rpc(stage, "eth_newFilter", {})
    assert await rpc(stage, "eth_getFilterChanges", blocks) == []
    first = stage.net.node.chain.head.number
    await stage.step(2)
    changes = await rpc(stage, "eth_getFilterChanges", blocks)
    kept = stage.net.node.chain.blocks
    assert changes == ["0x" + kept[first + at].id.hex() for at in (1, 2)]
    assert await rpc(stage, "eth_getFilterChanges", logs) == []
    assert await rpc(stage, "eth_uninstallFilter", logs) is True
    unknown = next(one for one in exchanges("jsonrpc_filters") if one.note.startswith("unknown"))
    assert await call(stage, "eth_getFilterChanges", logs) == unknown.answer


async def test_a_range_longer_than_the_limit_is_refused(stage: Stage) -> None:
    """The limit counts up to the head only."""
    node = stage.net.node
    node.max_block_range = 3
    try:
        assert "result" in await call(stage, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x4"})
        refused = await call(stage, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x5"})
        future = await call(stage, "eth_getLogs", {"fromBlock": "0xffff1", "toBlock": "0xfffff"})
    finally:
        node.max_block_range = 5000
    assert refused["error"] == {
        "code": -32602,
        "message": "exceed max block range: 3",
        "data": "{}",
    }
    assert future["result"] == []


async def test_the_two_views_differ_by_the_lag(stage: Stage) -> None:
    """`latest` of the solid view is the solid block, its `finalized` lags once more."""
    chain = stage.net.node.chain
    full = Exchange("POST", 8545, "/jsonrpc", None, 200, None, "")
    solid = Exchange("POST", 8555, "/jsonrpc", None, 200, None, "")
    asking = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
    heights = []
    for view, tag in (
        (full, "latest"),
        (full, "finalized"),
        (solid, "latest"),
        (solid, "finalized"),
    ):
        answer = await stage.ask(view, {**asking, "params": [tag, False]})
        heights.append(int(answer.body["result"]["number"], 16))
    head, lag = chain.head.number, chain.solid_lag
    assert heights == [head, head - lag, head - lag, head - 2 * lag]


async def call(stage: Stage, method: str, *params: Any) -> Any:
    return await stage.post("/jsonrpc", jsonrpc="2.0", id=1, method=method, params=params)


async def rpc(stage: Stage, method: str, *params: Any) -> Any:
    return (await call(stage, method, *params))["result"]
