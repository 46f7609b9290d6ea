"""What the EVM adapter takes for granted of nodes and of web3.py, seen on Anvil."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from eth_typing import HexStr
from web3.exceptions import ContractLogicError, TransactionNotFound
from web3.middleware import ExtraDataToPOAMiddleware

from contracts_abi import load
from relayer.chains.evm.codec import data_of, hex_of
from relayer.chains.evm.rpc import NodeRefused
from relayer.chains.evm.sender import EvmSender
from relayer.chains.evm.web3py import web3_over
from relayer.chains.gateway.acts import item_calldata
from relayer.chains.gateway.configure import Call
from relayer.chains.gateway.reads import read_now, snapshot_call
from relayer.chains.gateway.revert import revert_text
from relayer.domain.errors import Rejected
from relayer.domain.transfer import ActKind
from tests.chains.evm_world import TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import some_shares

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One node for all tests of this file."""
    async with evm_world() as made:
        yield made


def ask(world: World, data: bytes, **fields: str) -> dict[str, str]:
    """A call of the gateway."""
    return {"to": hex_of(world.config.place.address), "data": hex_of(data), **fields}


async def test_logs_beyond_the_head_are_an_empty_list(world: World) -> None:
    """The trap that the headers at both ends of a range are read for."""
    wanted = {"fromBlock": hex(10**6), "toBlock": hex(10**6 + 5)}
    logs, header = await world.rpc.batch(
        [("eth_getLogs", [wanted]), ("eth_getBlockByNumber", [hex(10**6 + 5), False])]
    )
    assert header is None
    assert logs == [] or isinstance(logs, NodeRefused)


async def test_the_finalized_block_is_behind_the_newest(world: World) -> None:
    """The tag is served, and means less than the head."""
    calls = [("eth_getBlockByNumber", [tag, False]) for tag in ("finalized", "latest")]
    final, newest = await world.rpc.batch(calls)
    assert int(final["number"], 16) < int(newest["number"], 16)


async def test_a_call_at_finalized_sees_that_very_block(world: World) -> None:
    """Inside contracts block.number and block.timestamp are the final block's."""
    answer, header = await world.rpc.batch(
        [
            ("eth_call", [ask(world, snapshot_call()), "finalized"]),
            ("eth_getBlockByNumber", ["finalized", False]),
        ]
    )
    now = read_now(data_of(answer))
    same = await world.rpc.call("eth_getBlockByNumber", [hex(now.height), False])
    assert abs(now.height - int(header["number"], 16)) <= 1
    assert now.time == int(same["timestamp"], 16)


async def test_the_gateway_can_be_asked_in_its_own_name(world: World) -> None:
    """eth_call takes a contract as sender: how one item is simulated, with its skip code."""
    harness = harness_of(world, TRON, TRON_GATEWAY)
    deposit = harness.peer_deposit("TSLAx", some_shares(), harness.recipient())
    act = await harness.act(ActKind.DELIVER, deposit)
    gateway = hex_of(world.config.place.address)
    good = ask(world, item_calldata(world.config.place, act), **{"from": gateway})
    assert await world.rpc.call("eth_call", [good, "latest"]) == "0x"
    await harness.submit(act)
    with pytest.raises(NodeRefused) as refused:
        await world.rpc.call("eth_call", [good, "latest"])
    assert refused.value.data is not None
    assert revert_text(refused.value.data) == "AlreadyDone"


async def test_only_the_gateway_may_run_an_item(world: World) -> None:
    """Anyone else is told so: the simulation's trick opens nothing."""
    harness = harness_of(world, TRON, TRON_GATEWAY)
    deposit = harness.peer_deposit("TSLAx", some_shares(), harness.recipient())
    act = await harness.act(ActKind.DELIVER, deposit)
    stranger = ask(
        world, item_calldata(world.config.place, act), **{"from": hex_of(world.user.public)}
    )
    with pytest.raises(NodeRefused) as refused:
        await world.rpc.call("eth_call", [stranger, "latest"])
    assert refused.value.data is not None
    assert revert_text(refused.value.data) == "OnlySelf()"


async def test_equal_fees_are_taken_and_paid_at_most(world: World) -> None:
    """A transaction whose two fees are equal is mined, at no more than was offered."""
    sender = EvmSender(world.rpc, world.payer)
    (tx,) = await sender.send(Call(to=world.payer.public, data=b""), gas=21_000)
    await sender.mined(tx)
    told, receipt = await world.rpc.batch(
        [("eth_getTransactionByHash", [tx]), ("eth_getTransactionReceipt", [tx])]
    )
    assert told["maxFeePerGas"] == told["maxPriorityFeePerGas"]
    assert int(receipt["effectiveGasPrice"], 16) <= int(told["maxFeePerGas"], 16)


async def test_the_log_index_counts_in_the_block(world: World) -> None:
    """The logIndex in a receipt and in eth_getLogs is the same number, and counts a block's logs."""
    harness = harness_of(world, TRON, TRON_GATEWAY)
    deposit = await harness.deposit("TSLAx", some_shares())
    receipt = await world.rpc.call("eth_getTransactionReceipt", [deposit.location.tx])
    block = {"fromBlock": hex(deposit.height), "toBlock": hex(deposit.height)}
    logs = await world.rpc.call("eth_getLogs", [block])
    assert [int(log["logIndex"], 16) for log in logs] == list(range(len(logs)))
    mine = {int(log["logIndex"], 16) for log in receipt["logs"]}
    assert deposit.location.index in mine


async def test_web3_raises_for_reverts_with_their_data(world: World) -> None:
    """ContractLogicError carries the revert data as 0x text, from which the words are read."""
    sender = EvmSender(world.rpc, world.user)
    minting = Call(
        to=world.config.place.token("TSLAx"),
        data=bytes.fromhex("40c10f19") + bytes(31) + b"\1" + bytes(31) + b"\1",
    )
    with pytest.raises(Rejected, match="Only minter") as refused:
        await sender.ask(minting)
    cause = refused.value.__cause__
    assert isinstance(cause, ContractLogicError)
    assert str(cause.data).startswith("0x08c379a0")


async def test_web3_raises_for_unknown_transactions(world: World) -> None:
    """TransactionNotFound is what `EvmSender.mined` waits through."""
    with pytest.raises(TransactionNotFound):
        await web3_over(world.rpc).eth.get_transaction_receipt(HexStr("0x" + "12" * 32))


async def test_web3_reads_this_chains_blocks(world: World) -> None:
    """The middleware for long extraData is in place, and a block decodes."""
    onion = web3_over(world.rpc).middleware_onion.middleware
    assert any(layer is ExtraDataToPOAMiddleware for layer, _ in onion)
    block = await web3_over(world.rpc).eth.get_block("latest")
    assert block["number"] > 0


async def test_the_deployed_gateway_is_the_artifact(world: World) -> None:
    """What stands on the chain has the artifact's length of code (immutables differ)."""
    code = await world.rpc.call("eth_getCode", [hex_of(world.config.place.address), "latest"])
    assert len(data_of(code)) == len(load("Gateway").deployed_bytecode)
