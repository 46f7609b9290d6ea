"""tronpy and web3.py work against the devnet as they come, beyond what the relayer calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tronpy import AsyncTron, Tron
from tronpy.async_contract import AsyncContract
from tronpy.contract import Contract
from tronpy.exceptions import AddressNotFound, TransactionNotFound, TvmError, ValidationError
from tronpy.keys import PrivateKey, to_hex_address
from tronpy.providers import AsyncHTTPProvider, HTTPProvider
from web3 import AsyncHTTPProvider as Web3HTTPProvider
from web3 import AsyncWeb3

from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from tests.devnet.tron.recorded import exchanges

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = exchanges("contract_get")[0].answer
SUPPLY = 1_000_000
QUICK = {"interval": 0.05}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net() -> AsyncIterator[TronDevnet]:
    async with TronDevnet(TronDevnetConfig(block_seconds=0.1)) as running:
        await running.wait_for_height(3)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tron(net: TronDevnet) -> AsyncIterator[AsyncTron]:
    async with AsyncTron(AsyncHTTPProvider(net.joined_url)) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def token(net: TronDevnet, tron: AsyncTron) -> Any:
    """The recorded token, deployed by tronpy."""
    owner = PrivateKey(net.keys[0])
    address = owner.public_key.to_base58check_address()
    contract = AsyncContract(
        bytecode=_code(),
        name="Token",
        abi=TOKEN["abi"]["entrys"],
        owner_address=address,
        origin_address=address,
        client=tron,
    )
    building = tron.trx.deploy_contract(address, contract).fee_limit(1_000_000_000)
    sent = await (await building.build()).sign(owner).broadcast()
    info = await sent.wait(**QUICK)
    assert info["receipt"]["result"] == "SUCCESS"
    return await tron.get_contract(info["contract_address"])


def _code() -> str:
    """The recorded bytecode with another supply as its argument, the last word."""
    return str(TOKEN["bytecode"])[:-64] + f"{SUPPLY:064x}"


def key(net: TronDevnet, index: int) -> tuple[PrivateKey, str]:
    private = PrivateKey(net.keys[index])
    return private, private.public_key.to_base58check_address()


async def test_tronpy_moves_trx(net: TronDevnet, tron: AsyncTron) -> None:
    """Balances, a transfer, its info now and when solid, accounts that are not there."""
    (owner, sender), (_, receiver) = key(net, 1), key(net, 2)
    before = await tron.get_account_balance(receiver)
    building = await tron.trx.transfer(sender, receiver, 1_500_000).build()
    sent = await building.sign(owner).inspect().broadcast()
    assert (await sent.wait(**QUICK))["id"] == sent.txid
    assert await tron.get_account_balance(receiver) - before == pytest.approx(1.5)
    solid = await sent.wait(solid=True, **QUICK)
    assert solid["blockNumber"] <= net.node.chain.solid.number
    assert (await tron.get_transaction(sent.txid))["ret"] == [{"contractRet": "SUCCESS"}]
    with pytest.raises(AddressNotFound):
        await tron.get_account(PrivateKey(b"\x09" * 32).public_key.to_base58check_address())
    with pytest.raises(TransactionNotFound):
        await tron.get_transaction_info("00" * 32)


async def test_tronpy_calls_a_contract_and_reads_events(
    net: TronDevnet, tron: AsyncTron, token: Any
) -> None:
    """View calls, a transfer of tokens, its event, the energy it took."""
    (owner, sender), (_, receiver) = key(net, 0), key(net, 1)
    assert await token.functions.balanceOf(sender) == SUPPLY
    assert await token.functions.symbol() == "TST" or await token.functions.name()
    calling = await token.functions.transfer(receiver, 77)
    sent = (
        await (await calling.with_owner(sender).fee_limit(50_000_000).build())
        .sign(owner)
        .broadcast()
    )
    info = await sent.wait(**QUICK)
    assert await sent.result(**QUICK) is True
    (event,) = token.events.Transfer.process_receipt(info)
    assert event["args"] == {"from": sender, "to": receiver, "value": 77}
    assert await token.functions.balanceOf(receiver) == 77
    assert info["receipt"]["energy_usage_total"] > 10_000
    assert await tron.get_estimated_energy(
        sender,
        token.contract_address,
        "transfer(address,uint256)",
        "00" * 12 + "11" * 20 + "00" * 31 + "01",
    )


async def test_tronpy_sees_a_call_fail(net: TronDevnet, token: Any) -> None:
    """A revert is taken into a block and its reason comes out of `result`."""
    (poor, sender), (_, receiver) = key(net, 3), key(net, 1)
    calling = await token.functions.transfer(receiver, 1)
    sent = (
        await (await calling.with_owner(sender).fee_limit(50_000_000).build())
        .sign(poor)
        .broadcast()
    )
    assert (await sent.wait(**QUICK))["receipt"]["result"] == "REVERT"
    with pytest.raises(TvmError, match="balance too low"):
        await sent.result(**QUICK)


async def test_tronpy_sees_a_broadcast_refused(net: TronDevnet, tron: AsyncTron) -> None:
    """A refusal of the node becomes tronpy's error, with the node's words."""
    (owner, sender), (_, receiver) = key(net, 1), key(net, 2)
    building = await tron.trx.transfer(sender, receiver, 10**18).build()
    with pytest.raises(ValidationError, match="balance is not sufficient"):
        await building.sign(owner).broadcast()


async def test_tronpy_reads_blocks_and_the_node(net: TronDevnet, tron: AsyncTron) -> None:
    """Blocks by number and id, solid heights, parameters, resources, contracts, witnesses."""
    latest = await tron.get_latest_block_number()
    block = await tron.get_block(latest - 1)
    assert (await tron.get_block(block["blockID"]))["block_header"] == block["block_header"]
    assert await tron.get_latest_solid_block_number() <= latest + 1
    assert len(await tron.get_latest_block_id()) == 64
    parameters = {row["key"]: row.get("value") for row in await tron.get_chain_parameters()}
    assert parameters["getEnergyFee"] == 100
    _, address = key(net, 0)
    assert (await tron.get_account_resource(address))["freeNetLimit"] == 600
    assert await tron.get_bandwidth(address) <= 600
    assert (await tron.list_witnesses())[0]["isJobs"] is True
    assert (await tron.get_node_info())["configNodeInfo"]["codeVersion"] == "4.8.0"


async def test_tronpy_builds_offline(net: TronDevnet, tron: AsyncTron, token: Any) -> None:
    """The id computed without the node is the id that the node computes."""
    (owner, sender), (_, receiver) = key(net, 0), key(net, 2)
    calling = await token.functions.transfer(receiver, 5)
    reference = net.node.chain.solid.id.hex()
    building = await calling.with_owner(sender).build(offline=True, ref_block_id=reference)
    answer = await tron.broadcast(building.sign(owner))
    assert answer["txid"] == building.txid


async def test_the_synchronous_tronpy_works_too(net: TronDevnet) -> None:
    """The same client without asyncio, in a thread: transfer, deployment, call, event."""
    result = await asyncio.to_thread(_synchronous_tour, net)
    assert result == (SUPPLY, 9)


def _synchronous_tour(net: TronDevnet) -> tuple[int, int]:
    (owner, sender), (_, receiver) = key(net, 4), key(net, 5)
    provider = HTTPProvider(net.joined_url)
    client = Tron(provider)
    client.trx.transfer(sender, receiver, 1).build().sign(owner).broadcast().wait(**QUICK)
    contract = Contract(
        bytecode=_code(),
        name="Token",
        abi=TOKEN["abi"]["entrys"],
        owner_address=sender,
        origin_address=sender,
        client=client,
    )
    building = client.trx.deploy_contract(sender, contract).fee_limit(1_000_000_000)
    info = building.build().sign(owner).broadcast().wait(**QUICK)
    token = client.get_contract(info["contract_address"])
    calling = token.functions.transfer(receiver, 9).with_owner(sender).fee_limit(50_000_000)
    receipt = calling.build().sign(owner).broadcast().wait(**QUICK)
    (event,) = token.events.Transfer.process_receipt(receipt)
    before = token.functions.balanceOf(sender) + event["args"]["value"]
    provider.sess.close()
    return before, event["args"]["value"]


async def test_web3_reads_the_json_rpc(net: TronDevnet, token: Any) -> None:
    """Heights, blocks, balances in sun, code, calls, logs and receipts through web3.py."""
    provider = Web3HTTPProvider(net.jsonrpc_url)
    w3 = AsyncWeb3(provider)
    address = w3.to_checksum_address("0x" + _hex_of(token.contract_address))
    assert await w3.eth.chain_id == net.chain_id
    latest = await w3.eth.get_block("latest")
    assert latest["number"] >= 3
    assert len(latest["hash"]) == 32
    assert len(await w3.eth.get_code(address)) > 100
    holder = w3.to_checksum_address("0x" + _hex_of(key(net, 0)[1]))
    assert 0 < await w3.eth.get_balance(holder) <= net.config.key_sun
    logs = await w3.eth.get_logs({"address": address, "fromBlock": 0, "toBlock": "latest"})
    receipt = await w3.eth.get_transaction_receipt(logs[0]["transactionHash"])
    assert receipt["status"] == 1
    assert receipt["contractAddress"] == address
    transaction = await w3.eth.get_transaction(logs[-1]["transactionHash"])
    assert transaction["blockNumber"] == logs[-1]["blockNumber"]
    supply = await w3.provider.make_request(
        "eth_call", [{"to": address, "data": "0x18160ddd"}, "latest"]
    )
    assert int(supply["result"], 16) == SUPPLY
    await provider.disconnect()


def _hex_of(address: str) -> str:
    return str(to_hex_address(address))[2:]
