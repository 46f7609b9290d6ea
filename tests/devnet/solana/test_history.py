"""Blocks, signatures, expiry and purging, against what was recorded of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.devnet.solana import SolanaDevnetConfig
from relayer.devnet.solana.chain import Commitment
from tests.devnet.solana.instructions import (
    create_table,
    extend_table,
    memo,
    pay,
)
from tests.devnet.solana.recorded import answer_shape, exchange, exchanges
from tests.devnet.solana.stage import Stage

CONFIRMED: dict[str, Any] = {"commitment": "confirmed"}
READABLE: dict[str, Any] = {**CONFIRMED, "maxSupportedTransactionVersion": 0}


@pytest.fixture
def payer(stage: Stage) -> Keypair:
    """A wallet with final lamports."""
    key = Keypair()
    stage.fund(key.pubkey())
    return key


async def _six_in_one_slot(stage: Stage, payer: Keypair) -> list[str]:
    sent = []
    for number in range(6):
        step = pay(payer.pubkey(), payer.pubkey(), number + 1)
        answer = await stage.send(stage.build([step, memo(f"m{number}", payer.pubkey())], [payer]))
        sent.append(answer["result"])
    stage.blocks(1)
    return sent


async def test_signatures_come_newest_first_and_page_like_the_recorded_ones(
    stage: Stage, payer: Keypair
) -> None:
    """Order within a slot, both cursors, the memo field and every recorded refusal."""
    sent = await _six_in_one_slot(stage, payer)
    two = await stage.land([memo("one", payer.pubkey()), memo("two", payer.pubkey())], payer)
    key = str(payer.pubkey())

    found = await stage.result("getSignaturesForAddress", key, CONFIRMED)

    newest_first = [two, *reversed(sent)]
    assert [one["signature"] for one in found][:7] == newest_first
    assert found[0]["memo"] == "[3] one; [3] two"
    assert [one["transactionIndex"] for one in found[1:7]] == [5, 4, 3, 2, 1, 0]
    recorded = exchange("signatures-for-address", "all, confirmed")["response"]["result"]
    assert found[0].keys() == recorded[0].keys()
    middle = {**CONFIRMED, "before": sent[3], "until": sent[0]}
    page = await stage.result("getSignaturesForAddress", key, middle)
    assert [one["signature"] for one in page] == [sent[2], sent[1]]


@pytest.mark.parametrize(
    "note",
    [
        "before = unknown signature",
        "until = unknown signature",
        "finalized, before = a signature only confirmed so far",
        "finalized, until = a signature only confirmed so far",
        "processed",
        "minContextSlot not reached",
    ],
)
async def test_a_bad_question_about_signatures_gets_the_recorded_refusal(
    stage: Stage, payer: Keypair, note: str
) -> None:
    """Unknown cursors, cursors of another commitment, processed and a future slot."""
    signature = await stage.land([pay(payer.pubkey(), payer.pubkey(), 1)], payer)
    recorded = exchange("signatures-for-address", note)
    options = dict(recorded["request"]["params"][1])
    for name in ("before", "until"):
        if name in options and "only confirmed" in note:
            options[name] = signature

    answer = await stage.call("getSignaturesForAddress", str(payer.pubkey()), options)

    assert answer_shape(answer) == answer_shape(recorded["response"])


async def test_a_block_is_written_as_recorded_at_every_level_of_detail(
    stage: Stage, payer: Keypair
) -> None:
    """Full, accounts, signatures and none have the recorded members."""
    signature = await stage.land([memo("in a block", payer.pubkey())], payer)
    status = (await stage.result("getSignatureStatuses", [signature]))["value"][0]
    for recorded in exchanges("get-block")[:4]:
        options = recorded["request"]["params"][1]

        block = await stage.result("getBlock", status["slot"], options)

        real = recorded["response"]["result"]
        assert block.keys() == real.keys()
        if "transactions" in real:
            (mine,), (theirs,) = block["transactions"], real["transactions"]
            assert mine.keys() == theirs.keys()
            assert mine["meta"].keys() == theirs["meta"].keys()
            assert mine["transaction"].keys() == theirs["transaction"].keys()


@pytest.mark.parametrize(
    "index", [i for i, one in enumerate(exchanges("get-block")) if i > 6 and "request" in one]
)
async def test_slots_and_ranges_are_answered_as_recorded(stage: Stage, index: int) -> None:
    """Blocks not there yet, ranges of every kind, times: the recorded answer, moved in slots."""
    stage.blocks(60)
    processed, finalized, early = 60, 29, 10
    recorded = exchanges("get-block")[index]
    request = recorded["request"]
    moved = [
        _moved(one, processed=processed, finalized=finalized, early=early)
        for one in request.get("params") or []
    ]

    answer = await stage.call(request["method"], *moved)

    if request["method"] in ("getBlocks", "getBlocksWithLimit") and "result" in answer:
        assert bool(answer["result"]) == bool(recorded["response"]["result"])
        return
    if request["method"] == "getBlockProduction":
        assert answer["result"]["value"]["range"]["lastSlot"] == finalized
        return
    assert answer_shape(answer) == answer_shape(recorded["response"])


def _moved(value: Any, *, processed: int, finalized: int, early: int) -> Any:
    # The recorder noted its own slots: processed 234, finalized 203, an early block at 85.
    if not isinstance(value, int) or value < 85 or value > 10**7 or value == 500_001:
        return value
    if value >= 234:
        return value - 234 + processed
    return value - 203 + finalized if value > 150 else value - 85 + early


async def test_a_transaction_can_land_one_block_after_its_last_valid_height(
    stage: Stage, payer: Keypair
) -> None:
    """As recorded: preflight refuses from lastValid - 5, landing ends at lastValid + 1."""
    latest = await stage.result("getLatestBlockhash", {"commitment": "processed"})
    last = latest["value"]["lastValidBlockHeight"]
    late = [stage.build([pay(payer.pubkey(), payer.pubkey(), n)], [payer]) for n in range(1, 5)]
    node = stage.net.node

    stage.blocks(last - 6 - node.chain.height)
    accepted = await stage.send(late[0])
    stage.blocks(1)
    refused = await stage.send(late[1])
    stage.blocks(5)
    await stage.send(late[2], skip_preflight=True)
    valid = await stage.result("isBlockhashValid", latest["value"]["blockhash"], CONFIRMED)
    stage.blocks(1)
    await stage.send(late[3], skip_preflight=True)
    stage.blocks(1)

    assert "result" in accepted
    assert refused["error"]["data"]["err"] == "BlockhashNotFound"
    assert valid["value"] is True
    landed = [node.ledger.find(str(one.signatures[0])) for one in late]
    assert [one and one.height - last for one in landed] == [-5, None, 1, None]


async def test_a_transaction_never_lands_twice(stage: Stage, payer: Keypair) -> None:
    """Sent five times around its landing, and again after its history was purged."""
    transaction = stage.build([pay(payer.pubkey(), payer.pubkey(), 7)], [payer])
    for _ in range(2):
        await stage.send(transaction)
    stage.blocks(1)
    again = await stage.send(transaction)
    await stage.send(transaction, skip_preflight=True)
    stage.blocks(1)
    stage.net.purge_history(stage.net.node.chain.tip_slot(Commitment.PROCESSED) + 1)
    await stage.send(transaction, skip_preflight=True)
    stage.blocks(1)

    assert again["error"]["data"]["err"] == "AlreadyProcessed"
    assert stage.net.node.ledger.find(str(transaction.signatures[0])) is None
    assert stage.net.node.ledger.count == 2


async def test_purged_history_looks_as_if_it_had_never_been(stage: Stage, payer: Keypair) -> None:
    """Only getBlock tells; the rest is null, empty or shortened, as recorded."""
    signature = await stage.land([memo("long ago", payer.pubkey())], payer)
    slot = (await stage.result("getSignatureStatuses", [signature]))["value"][0]["slot"]
    stage.blocks(40)
    key, history = str(payer.pubkey()), {"searchTransactionHistory": True}

    stage.net.purge_history(slot + 5)

    assert await stage.result("getFirstAvailableBlock") == slot + 5
    block = await stage.call("getBlock", slot, READABLE)
    recorded = exchanges("edge-cleaned-up")[3]
    assert answer_shape(block) == answer_shape(recorded["response"])
    assert await stage.result("getTransaction", signature, READABLE) is None
    statuses = await stage.result("getSignatureStatuses", [signature], history)
    assert statuses["value"] == [None]
    assert await stage.result("getSignaturesForAddress", key) == []
    assert (await stage.result("getBlocks", 0, slot + 6, CONFIRMED))[0] == slot + 5
    cursor = await stage.call("getSignaturesForAddress", key, {"until": signature})
    assert cursor["error"]["code"] == -32020


async def test_lookup_tables_are_resolved_as_recorded(stage: Stage, payer: Keypair) -> None:
    """A table, a transaction through it, its entries too new, and a table that is not there."""
    first, second = Keypair().pubkey(), Keypair().pubkey()
    stage.fund(first, second)
    table, creation = create_table(payer.pubkey(), await stage.result("getSlot"))
    await stage.land([creation], payer)
    await stage.land([extend_table(table, payer.pubkey(), [first, second])], payer)
    through = AddressLookupTableAccount(table, [first, second])
    ghost = AddressLookupTableAccount(Keypair().pubkey(), [first])
    steps = [pay(payer.pubkey(), first, 7), pay(payer.pubkey(), second, 8)]

    too_new = await stage.send(stage.build(steps, [payer], [through]))
    missing = await stage.send(stage.build(steps[:1], [payer], [ghost]))
    stage.blocks(1)
    sent = await stage.send(stage.build(steps, [payer], [through]))
    stage.blocks(1)

    recorded = {one.get("note"): one["response"] for one in exchanges("lookup-table")}
    assert answer_shape(too_new) == answer_shape(
        recorded["used in the slot after (may still be too new)"]
    )
    assert answer_shape(missing) == answer_shape(recorded["table that does not exist"])
    read = await stage.result("getTransaction", sent["result"], {**READABLE, "encoding": "json"})
    assert set(read["meta"]["loadedAddresses"]["writable"]) == {str(first), str(second)}
    parsed = {**READABLE, "encoding": "jsonParsed"}
    keys = (await stage.result("getTransaction", sent["result"], parsed))["transaction"]
    sources = [one["source"] for one in keys["message"]["accountKeys"]]
    assert sources.count("lookupTable") == 2
    found = await stage.result("getSignaturesForAddress", str(first), CONFIRMED)
    assert found[0]["signature"] == sent["result"]


class TestSkippedSlots:
    """A devnet that leaves slots without blocks, as mainnet does."""

    @pytest.fixture
    def config(self) -> SolanaDevnetConfig:
        """Every fifth slot has no block."""
        return SolanaDevnetConfig(skip_every=5)

    async def test_a_skipped_slot_is_no_block(self, stage: Stage) -> None:
        """Heights fall behind slots, and the skipped slot says -32007 as recorded."""
        stage.blocks(9)

        assert await stage.result("getSlot", {"commitment": "processed"}) == 11
        assert await stage.result("getBlockHeight", {"commitment": "processed"}) == 9
        assert await stage.result("getBlocks", 3, 7, CONFIRMED) == [3, 4, 6, 7]
        skipped = await stage.call("getBlock", 5, READABLE)
        note = "before cleanup: slot 300"
        recorded = next(
            one for one in exchanges("edge-skipped-and-cleaned") if one.get("note") == note
        )
        assert answer_shape(skipped) == answer_shape(recorded["response"])
        after = await stage.result("getBlock", 6, READABLE)
        assert (after["parentSlot"], after["blockHeight"]) == (4, 5)


async def test_a_batch_is_answered_in_order(stage: Stage) -> None:
    """Several requests in one body get their answers in one array."""
    calls = [("getSlot", 1), ("getBlockHeight", "two"), ("getHealth", 3)]
    body = [{"jsonrpc": "2.0", "id": ident, "method": method} for method, ident in calls]

    _, text = await stage.post(json.dumps(body))

    assert [one["id"] for one in json.loads(text)] == [1, "two", 3]


async def test_an_address_that_never_was_has_no_history(stage: Stage) -> None:
    """An unknown address answers with an empty list, not with an error."""
    assert await stage.result("getSignaturesForAddress", str(Pubkey.new_unique())) == []
