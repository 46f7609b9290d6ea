"""The faults that tests of the relayer switch on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from solders.keypair import Keypair

from relayer.devnet.solana import RpcError, SolanaDevnet, SolanaDevnetConfig
from tests.devnet.solana.instructions import memo, pay
from tests.devnet.solana.stage import Stage

PROCESSED = {"commitment": "processed"}
CONFIRMED = {"commitment": "confirmed"}


async def test_a_late_answer_takes_its_time(stage: Stage) -> None:
    """Latency delays each answer by so many seconds."""
    stage.net.faults.latency = 0.2
    started = time.monotonic()

    await stage.result("getSlot")

    assert time.monotonic() - started >= 0.2


async def test_so_many_requests_are_refused_with_429(stage: Stage) -> None:
    """The next two requests get 429, the third an answer."""
    stage.net.faults.too_many_requests = 2

    answers = [await stage.post('{"jsonrpc":"2.0","id":1,"method":"getSlot"}') for _ in range(3)]

    assert [status for status, _ in answers] == [429, 429, 200]


async def test_a_lying_method_answers_what_it_is_told(stage: Stage) -> None:
    """An override sees the parameters and the truth, and decides the answer."""
    seen: list[Any] = []

    def lie(method: str, params: list[Any], result: Any) -> Any:
        seen.append((method, params))
        return {**result, "value": result["value"] + 1}

    stage.net.faults.overrides["getBalance"] = lie
    key = str(Keypair().pubkey())

    answer = await stage.result("getBalance", key)

    assert answer["value"] == 1
    assert seen == [("getBalance", [key])]


async def test_a_dropped_transaction_is_accepted_and_never_lands(stage: Stage) -> None:
    """Its signature comes back as ever, its status stays null, and the next one lands."""
    payer = Keypair()
    stage.fund(payer.pubkey())
    stage.net.faults.drop_transactions(1)

    lost = await stage.send(stage.build([memo("lost", payer.pubkey())], [payer]))
    kept = await stage.send(stage.build([memo("kept", payer.pubkey())], [payer]))
    stage.blocks(2)

    statuses = await stage.result("getSignatureStatuses", [lost["result"], kept["result"]])
    assert [one is None for one in statuses["value"]] == [True, False]


async def test_a_stalled_node_makes_no_slots_and_still_answers() -> None:
    """Slots stand still until it resumes."""
    config = SolanaDevnetConfig(slot_seconds=0.005, skip_every=0)
    async with SolanaDevnet(config) as net:
        net.faults.stall()
        stalled = net.node.chain.height
        await asyncio.sleep(0.1)
        still = net.node.chain.height
        net.faults.resume()
        await asyncio.sleep(0.2)

        assert still == stalled
        assert net.node.chain.height > stalled


async def test_a_taken_port_is_refused_and_leaves_nothing_behind() -> None:
    """Starting on a port in use raises OSError, and the first devnet goes on."""
    async with SolanaDevnet(SolanaDevnetConfig()) as net:
        port = int(net.url.rsplit(":", 1)[1])

        with pytest.raises(OSError, match="in use"):
            await SolanaDevnet(SolanaDevnetConfig(port=port)).__aenter__()


def test_commitments_must_keep_their_order() -> None:
    """Finalized may not run ahead of confirmed."""
    with pytest.raises(ValueError, match="finalized"):
        SolanaDevnetConfig(confirmed_lag_slots=5, finalized_lag_slots=4)


def test_history_is_bounded() -> None:
    """Beyond what is kept, the oldest transactions go, and with them their addresses."""
    net = SolanaDevnet(SolanaDevnetConfig(kept_transactions=20))
    keys = [Keypair().pubkey() for _ in range(60)]
    for key in keys:
        net.node.airdrop(key, 10**9)
        net.node.produce()

    kept = [
        bool(net.node.ledger.of_address(key, before=None, until=None, height=10**9, limit=1))
        for key in keys
    ]

    assert kept == sorted(kept)
    assert 20 <= sum(kept) <= 22
    assert net.node.ledger.count == 60


async def test_a_reorg_takes_back_what_was_not_final(stage: Stage) -> None:
    """Balance, status and history go back, the slot is skipped, and the same bytes land again."""
    payer, target = Keypair(), Keypair().pubkey()
    stage.fund(payer.pubkey())
    transaction = stage.build([pay(payer.pubkey(), target, 10**7)], [payer])
    signature = (await stage.send(transaction))["result"]
    stage.blocks(3)
    before = await stage.result("getSlot", PROCESSED)
    old_hash = (await stage.result("getLatestBlockhash", PROCESSED))["value"]["blockhash"]

    dropped = stage.net.reorg(3)

    assert dropped == 3
    assert (await stage.result("getBalance", str(target), PROCESSED))["value"] == 0
    assert (await stage.result("getSignatureStatuses", [signature]))["value"] == [None]
    assert await stage.result("getSignaturesForAddress", str(target), CONFIRMED) == []
    stage.blocks(1)
    assert await stage.result("getSlot", PROCESSED) == before + 1
    assert (await stage.call("getBlock", before, CONFIRMED))["error"]["code"] == -32007
    assert (await stage.result("isBlockhashValid", old_hash, PROCESSED))["value"] is False
    again = await stage.send(transaction)
    stage.blocks(1)
    assert again["result"] == signature
    assert (await stage.result("getBalance", str(target), PROCESSED))["value"] == 10**7


async def test_a_reorg_never_takes_back_what_is_final(stage: Stage) -> None:
    """However deep it is asked to be, the finalized block and its state stay."""
    key = Keypair().pubkey()
    stage.fund(key)
    final = await stage.result("getSlot")

    dropped = stage.net.reorg(10_000)

    assert dropped == 31
    assert await stage.result("getSlot") == final
    assert (await stage.result("getBalance", str(key)))["value"] == 1_000 * 10**9
    stage.blocks(1)
    assert await stage.result("getSlot") == final


async def test_a_cut_connection_ends_its_subscriptions(stage: Stage) -> None:
    """The client sees its WebSocket close."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stage.net.ws_url) as socket,
    ):
        await socket.send_str('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}')
        await socket.receive_str()

        await stage.net.cut_subscriptions()

        assert (await socket.receive()).type in {
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
        }


async def test_an_override_may_fail_as_a_node_does(stage: Stage) -> None:
    """An RpcError raised by an override becomes the answer."""

    def behind(_method: str, _params: list[Any], _result: Any) -> Any:
        raise RpcError(-32005, "Node is behind by 42 slots", {"numSlotsBehind": 42})

    stage.net.faults.overrides["getHealth"] = behind

    answer = await stage.call("getHealth")

    assert answer["error"] == {
        "code": -32005,
        "message": "Node is behind by 42 slots",
        "data": {"numSlotsBehind": 42},
    }
