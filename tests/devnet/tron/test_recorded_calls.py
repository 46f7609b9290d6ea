"""Simulated calls and transactions built by the node look as the real node's."""

from __future__ import annotations

import pytest

from tests.devnet.tron.recorded import Exchange, differences, exchanges
from tests.devnet.tron.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Timeouts of the real node name the opcode that met them, and depend on its speed.
TIMEOUTS = ("energy beyond", "long loop", "big loop")
CALLS = [one for one in exchanges("triggerconstant") if not one.note.startswith(TIMEOUTS)]
SLOW = [one for one in exchanges("triggerconstant") if one.note.startswith(TIMEOUTS[0])]
BUILT = [one for one in exchanges("triggersmart") if one.note != "broadcast"]
NODE_BUILT = [one for one in exchanges("node_built_tx_defaults") if "now" not in one.path]
REFUSED = [one for one in exchanges("broadcast_validate") if one.path.endswith("createtransaction")]


@pytest.mark.parametrize("one", CALLS, ids=lambda one: one.note)
async def test_a_constant_call_looks_as_recorded(stage: Stage, one: Exchange) -> None:
    """Success, reverts, no contract, no owner, creation, both ports: words and shape."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


@pytest.mark.parametrize("one", SLOW, ids=lambda one: one.note)
async def test_an_endless_constant_call_times_out(stage: Stage, one: Exchange) -> None:
    """A call beyond the limit is OTHER_ERROR with the words of a timeout."""
    answer = (await stage.ask(one)).body["result"]
    words = bytes.fromhex(answer["message"]).decode()
    assert answer["code"] == one.answer["result"]["code"] == "OTHER_ERROR"
    assert words.startswith("class org.tron.core.vm.program.Program$OutOfTimeException : CPU")


async def test_constant_calls_return_the_recorded_values(stage: Stage) -> None:
    """The same contract gives the same results here, to the bit, where they do not name a caller."""
    exact = {"success via data", "visible", "revert with reason", "assert panic", "revert no data"}
    asked = [one for one in CALLS if one.note in exact]
    assert len(asked) == len(exact)
    for one in asked:
        answer = await stage.ask(one)
        if one.note == "success via data":
            assert len(answer.body["constant_result"][0]) == 64
        else:
            assert answer.body["constant_result"] == one.answer["constant_result"]


@pytest.mark.parametrize("one", exchanges("estimateenergy"), ids=lambda one: one.note)
async def test_an_estimate_looks_as_recorded(stage: Stage, one: Exchange) -> None:
    """An estimate, and the two ways in which it fails."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


@pytest.mark.parametrize("one", [*BUILT, *NODE_BUILT, *REFUSED], ids=lambda one: one.note)
async def test_a_transaction_built_by_the_node_looks_as_recorded(
    stage: Stage, one: Exchange
) -> None:
    """Contract calls and transfers, and what the node refuses to build."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


async def test_the_node_refers_to_the_solid_block_and_gives_a_minute(stage: Stage) -> None:
    """Defaults of built transactions: solid reference, head time plus 60 s."""
    answer = await stage.ask(NODE_BUILT[0])
    chain = stage.net.node.chain
    raw = answer.body["raw_data"]
    assert raw["ref_block_bytes"] == chain.solid.id[6:8].hex()
    assert raw["ref_block_hash"] == chain.solid.id[8:16].hex()
    assert raw["expiration"] == chain.head.timestamp + 60_000


async def test_the_evm_sees_tron(stage: Stage) -> None:
    """Chain id, height and time inside a call are those of the view that was asked."""
    (full, *_), solid = exchanges("evm_probe"), exchanges("evm_probe")[10]
    chain = stage.net.node.chain
    for one, block in ((full, chain.head), (solid, chain.solid)):
        answer = await stage.ask(one)
        result = answer.body["constant_result"][0]
        words = [int(result[at : at + 64], 16) for at in range(0, len(result), 64)]
        assert words[:3] == [stage.net.chain_id, block.number, block.timestamp // 1000]
        assert f"{words[3]:040x}" == stage.translated("ebc56c4579abd0743ef249819483d67e89d6c075")


async def test_the_chain_id_ends_the_id_of_the_genesis_block(stage: Stage) -> None:
    """By which clients find it out; the recorded node says the same of itself."""
    answer = await stage.post("/wallet/getblockbynum", num=0)
    assert int(answer["blockID"][-8:], 16) == stage.net.chain_id
    first = exchanges("block_bynum")[1].answer["blockID"]
    said = exchanges("jsonrpc_basic")[0].answer["result"]
    assert first[-8:] == said.removeprefix("0x")
