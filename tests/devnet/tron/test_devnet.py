"""The devnet's own behaviour: blocks, the solid view, and what can be made to go wrong."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from relayer.devnet.tron import TronDevnet, TronDevnetConfig, addresses, messages
from relayer.devnet.tron.rendering import txid
from tests.devnet.tron.recorded import Exchange, differences, exchanges
from tests.devnet.tron.stage import ABSENT, OWNER, POOR_IN_TOKENS, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "648afbe0927b62d0082611a2655706b2ac3f2350"
BALANCE_OF = "70a08231" + "00" * 12
TRANSFER = "a9059cbb" + "00" * 12


def token_transfer(stage: Stage, amount: int) -> Any:
    inner = messages.new(
        "TriggerSmartContract",
        owner_address=stage.owner,
        contract_address=bytes.fromhex("41" + stage.known[TOKEN]),
        data=bytes.fromhex(TRANSFER + "22" * 20 + f"{amount:064x}"),
    )
    packed = [messages.pack("TriggerSmartContract", inner)]
    raw = messages.new("Raw", contract=packed, fee_limit=100_000_000)
    transaction = messages.new("Transaction", raw_data=raw)
    return stage.adapted(transaction.SerializeToString().hex())


async def token_balance(stage: Stage, path: str) -> int:
    answer = await stage.post(
        f"/{path}/triggerconstantcontract",
        owner_address=stage.owner.hex(),
        contract_address="41" + stage.known[TOKEN],
        data=BALANCE_OF + "22" * 20,
    )
    return int(answer["constant_result"][0], 16)


async def test_the_solid_port_answers_from_the_solid_block(stage: Stage) -> None:
    """A change shows at the head at once, on the solid port when its block is solid."""
    before = await token_balance(stage, "wallet")
    assert (await stage.broadcast(token_transfer(stage, 5)))["result"] is True
    await stage.step()
    views = []
    for _ in range(stage.net.node.chain.solid_lag + 1):
        pair = await token_balance(stage, "wallet"), await token_balance(stage, "walletsolidity")
        views.append((pair[0] - before, pair[1] - before))
        await stage.step()
    assert views == [(5, 0)] * stage.net.node.chain.solid_lag + [(5, 5)]


async def test_balances_lose_what_is_sent_and_what_it_costs(stage: Stage) -> None:
    """A transfer moves its amount, and its fee goes to nobody; the solid port lags."""
    address = {"address": stage.owner.hex()}
    before = await stage.post("/wallet/getaccount", **address)
    answer = await stage.broadcast(stage.transfer(1_000))
    await stage.step()
    info = await stage.post("/wallet/gettransactioninfobyid", value=answer["txid"])
    after = await stage.post("/wallet/getaccount", **address)
    assert before["balance"] - after["balance"] == 1_000 + info.get("fee", 0)
    solid = await stage.post("/walletsolidity/getaccount", **address)
    assert solid["balance"] == before["balance"]


async def test_a_reorg_undoes_unsolid_blocks_and_never_solid_ones(stage: Stage) -> None:
    """Head falls to the solid block; state and transactions above it are gone for good."""
    await stage.step(4)
    chain = stage.net.node.chain
    balance, solid = await token_balance(stage, "wallet"), chain.solid
    sent = token_transfer(stage, 7)
    answer = await stage.broadcast(sent)
    head_bound = stage.transfer(31)
    head_bound.raw_data.ref_block_bytes = chain.head.id[6:8]
    head_bound.raw_data.ref_block_hash = chain.head.id[8:16]
    stage.signed(head_bound)
    await stage.step()
    lost = chain.head.id
    await stage.net.faults.reorg(100)
    assert chain.head.number == solid.number + 1
    assert await stage.post("/wallet/getblockbyid", value=lost.hex()) == {}
    assert await stage.post("/wallet/gettransactionbyid", value=answer["txid"]) == {}
    assert await token_balance(stage, "wallet") == balance
    assert (await stage.broadcast_hex(head_bound))["code"] == "TAPOS_ERROR"
    again = await stage.broadcast_hex(sent)
    assert again["code"] == "SUCCESS"
    await stage.step()
    assert chain.head.id != lost
    info = await stage.post("/wallet/gettransactioninfobyid", value=answer["txid"])
    assert info["receipt"]["result"] == "SUCCESS"
    assert await token_balance(stage, "wallet") == balance + 7


async def test_dropped_transactions_are_taken_and_never_seen(stage: Stage) -> None:
    """SUCCESS for the broadcast and nothing afterwards; the next one is mined."""
    stage.net.faults.drop_transactions(1)
    lost = await stage.broadcast(stage.transfer(41))
    kept = await stage.broadcast(stage.transfer(42))
    assert lost["result"] is kept["result"] is True
    await stage.step()
    assert await stage.post("/wallet/gettransactionbyid", value=lost["txid"]) == {}
    assert await stage.post("/wallet/gettransactioninfobyid", value=kept["txid"]) != {}


async def test_a_call_out_of_time_burns_its_limit(stage: Stage) -> None:
    """OUT_OF_TIME takes the whole fee limit and changes nothing."""
    before = await token_balance(stage, "wallet")
    stage.net.faults.out_of_time(1)
    answer = await stage.broadcast(token_transfer(stage, 9))
    await stage.step()
    info = await stage.post("/wallet/gettransactioninfobyid", value=answer["txid"])
    recorded = [one for one in exchanges("tx_outcomes") if "fee_limit max" in one.note]
    assert differences(recorded[1].answer, info, ignored=("net_fee", "net_usage")) == []
    assert info["receipt"]["energy_fee"] == 100_000_000
    assert await token_balance(stage, "wallet") == before


async def test_an_expired_transaction_leaves_the_pool_without_a_trace(stage: Stage) -> None:
    """After its time every look-up says nothing."""
    chain = stage.net.node.chain
    transaction = stage.transfer(51)
    transaction.raw_data.expiration = chain.head.timestamp + 10 * stage.net.node.slot_ms
    answer = await stage.broadcast_hex(stage.signed(transaction))
    assert answer["code"] == "SUCCESS"
    assert await stage.post("/wallet/gettransactionbyid", value=answer["txid"]) != {}
    await asyncio.sleep(12 * stage.net.node.slot_ms / 1000)
    await stage.step()
    for path in ("gettransactionbyid", "gettransactioninfobyid", "gettransactionfrompending"):
        assert await stage.post(f"/wallet/{path}", value=answer["txid"]) == {}
    again = await stage.broadcast_hex(transaction)
    assert again["code"] == "TRANSACTION_EXPIRATION_ERROR"


async def test_providers_limits_can_be_met(stage: Stage) -> None:
    """HTTP 429 and the node's own words for a limiter that gave up, for as many as asked."""
    one = Exchange("POST", 8090, "/wallet/getnowblock", {}, 200, None, "")
    stage.net.faults.too_many_requests(2)
    assert [(await stage.ask(one)).status for _ in range(3)] == [429, 429, 200]
    stage.net.faults.lack_computing_resources(1)
    answer = (await stage.ask(one)).body
    assert answer == {
        "Error": "class java.lang.IllegalAccessException : lack of computing resources"
    }
    assert "blockID" in (await stage.ask(one)).body


async def test_answers_can_be_replaced_by_path(stage: Stage) -> None:
    """An override sees the request and may answer in the node's place, or let it answer."""

    async def lie(body: dict[str, Any]) -> web.Response | None:
        return web.Response(status=502, text="<html>") if body.get("num") == 1 else None

    path = "/wallet/getblockbynum"
    stage.net.faults.overrides[path] = lie
    one = Exchange("POST", 8090, path, None, 200, None, "")
    statuses = [(await stage.ask(one, {"num": number})).status for number in (1, 2)]
    del stage.net.faults.overrides[path]
    assert statuses == [502, 200]


async def test_latency_delays_every_answer(stage: Stage) -> None:
    """An answer takes at least as long as the latency."""
    stage.net.faults.latency = 0.15
    began = time.monotonic()
    await stage.post("/wallet/getnowblock")
    stage.net.faults.latency = 0.0
    assert time.monotonic() - began >= 0.15


async def test_anybody_can_be_funded(stage: Stage) -> None:
    """Sun out of nothing activates an account; base58 and hex are taken."""
    address = bytes.fromhex("41" + "77" * 20)
    await stage.net.fund(addresses.to_visible(address), 5)
    await stage.net.fund(address.hex(), 6)
    account = await stage.post("/wallet/getaccount", address=address.hex())
    assert account["balance"] == 11


async def test_many_transactions_of_many_senders_fit_one_block(stage: Stage) -> None:
    """Each is mined once, in one block, whoever sent how many."""
    senders = (OWNER, POOR_IN_TOKENS)
    sent = [stage.transfer(2_000 + at, sender) for at in range(20) for sender in senders]
    for transaction in sent:
        assert (await stage.broadcast(transaction))["result"] is True
    await stage.step()
    block = stage.net.node.chain.head
    assert {one.txid for one in block.included} == {txid(one) for one in sent}
    assert [one.index for one in block.included] == list(range(len(sent)))


async def test_an_absent_account_cannot_send(stage: Stage) -> None:
    """A key without an account is refused before anything runs."""
    answer = await stage.broadcast_hex(stage.transfer(1, ABSENT))
    assert "does not exist" in answer["message"]


async def test_blocks_come_at_the_interval_and_none_while_stalled() -> None:
    """Timestamps are multiples of the interval; a stall leaves missed slots, numbers go on."""
    async with TronDevnet(TronDevnetConfig(block_seconds=0.1)) as net:
        await net.wait_for_height(4)
        net.faults.stall()
        await asyncio.sleep(0.15)
        stalled = net.node.chain.head.number
        await asyncio.sleep(0.3)
        assert net.node.chain.head.number == stalled
        net.faults.resume()
        await net.wait_for_height(stalled + 2)
        blocks = [net.node.chain.blocks[number] for number in range(1, stalled + 3)]
    assert all(block.timestamp % 100 == 0 for block in blocks)
    gaps = [later.timestamp - block.timestamp for block, later in itertools.pairwise(blocks)]
    assert min(gaps) >= 100
    assert max(gaps) >= 300


async def test_old_blocks_are_forgotten_but_genesis() -> None:
    """Only as many blocks are kept as the settings say, also after a reorg."""
    config = TronDevnetConfig(block_seconds=0.05, retention_blocks=5)
    async with TronDevnet(config) as net, aiohttp.ClientSession() as session:
        await net.wait_for_height(9)
        kept = set(net.node.chain.blocks)
        async with session.post(net.full_url + "/wallet/getblockbynum", json={"num": 1}) as answer:
            assert await answer.json() == {}
        head = net.node.chain.head.number
        await net.faults.reorg(2)
        await net.wait_for_height(head + 2)
        assert len(net.node.chain.blocks) <= 6
    assert 0 in kept
    assert len(kept) == 6


async def test_what_stops_the_blocks_is_said_where_they_are_awaited() -> None:
    """A devnet whose engine is gone fails loudly, instead of standing still."""
    net = TronDevnet(TronDevnetConfig(block_seconds=0.05))
    with pytest.raises(aiohttp.ClientError):  # noqa: PT012 (the end of the context raises it again)
        async with net:
            pid = net.node.engine.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await net.wait_for_height(1_000)


async def test_the_joined_port_serves_both_families(stage: Stage) -> None:
    """One URL for both paths, as tronpy's solid calls want."""
    async with aiohttp.ClientSession() as session:
        for path, block in (
            ("/wallet/getnowblock", stage.net.node.chain.head),
            ("/walletsolidity/getnowblock", stage.net.node.chain.solid),
        ):
            async with session.post(stage.net.joined_url + path, json={}) as answer:
                assert (await answer.json())["blockID"] == block.id.hex()
