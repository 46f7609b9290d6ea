"""What the node takes, what it refuses, in which words: held to the recorded broadcasts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from coincurve import PrivateKey

from relayer.devnet.tron import messages
from relayer.devnet.tron.rendering import render_transaction
from tests.devnet.tron.recorded import Exchange, differences, exchange, exchanges, shape
from tests.devnet.tron.stage import FRESH, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOREIGN = PrivateKey(b"\x05" * 32)
INVALID = [one for one in exchanges("broadcast_validate") if one.path.endswith("/broadcasthex")]
HOUR = 3_600_000
# How much is paid in which way differs, and which opcode met the end of the energy.
OF_FEES = ("fee", "net_fee", "net_usage", "resMessage")


@pytest.mark.parametrize("one", INVALID, ids=lambda one: one.note)
async def test_an_invalid_contract_is_refused_as_recorded(stage: Stage, one: Exchange) -> None:
    """CONTRACT_VALIDATE_ERROR in the words of the actuator that refuses."""
    answer = await stage.broadcast_hex(stage.adapted(one.request["transaction"]))
    assert differences(one.answer, answer) == []


@pytest.mark.parametrize("one", exchanges("broadcast_hex_bad"), ids=lambda one: one.note)
async def test_bad_hex_is_answered_as_recorded(stage: Stage, one: Exchange) -> None:
    """Nothing, no hex, no protobuf."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


async def test_broadcasthex_repeats_the_transaction_as_a_text(stage: Stage) -> None:
    """The answer holds the transaction as JSON in a text with its parameter in hex."""
    one = INVALID[1]
    answer = await stage.broadcast_hex(stage.adapted(one.request["transaction"]))
    recorded, ours = (json.loads(it["transaction"]) for it in (one.answer, answer))
    assert shape(recorded) == shape(ours)


def _no_signature(transaction: Any) -> dict[str, Any]:
    body = render_transaction(transaction, visible=False)
    del body["signature"]
    return body


def _with_signature(
    change: Callable[[str], list[str]],
) -> Callable[[Any], dict[str, Any]]:
    def changed(transaction: Any) -> dict[str, Any]:
        body = render_transaction(transaction, visible=False)
        return body | {"signature": change(body["signature"][0])}

    return changed


def _by_foreign_key(stage: Stage, transaction: Any) -> dict[str, Any]:
    return render_transaction(stage.signed(transaction, FOREIGN), visible=False)


SIGNATURES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "no signature": _no_signature,
    "zero signature": _with_signature(lambda _: ["00" * 65]),
    "64 byte signature": _with_signature(lambda it: [it[:-2]]),
    "the same signature twice": _with_signature(lambda it: [it, it]),
    "two signatures, one foreign": _with_signature(lambda it: [it, "11" * 65]),
}


@pytest.mark.parametrize("note", SIGNATURES)
async def test_a_bad_signature_is_refused_as_recorded(stage: Stage, note: str) -> None:
    """SIGERROR in its variants."""
    body = SIGNATURES[note](stage.transfer(101))
    answer = await stage.post("/wallet/broadcasttransaction", **body)
    assert differences(exchange("broadcast_sigerror", note).answer, answer) == []


async def test_a_foreign_signature_is_named(stage: Stage) -> None:
    """SIGERROR names the signature and who made it, on both routes."""
    body = _by_foreign_key(stage, stage.transfer(102))
    answer = await stage.post("/wallet/broadcasttransaction", **body)
    recorded = exchange("broadcast_sigerror", "signed by another key").answer
    assert differences(recorded, answer) == []
    answer = await stage.broadcast_hex(stage.signed(stage.transfer(103), FOREIGN))
    recorded = exchange("broadcast_sigerror", "hex: signed by another key").answer
    assert differences(recorded, answer) == []


def _v27(signature: str) -> list[str]:
    return [signature[:-2] + f"{int(signature[-2:], 16) + 27:02x}"]


@pytest.mark.parametrize("change", [_v27, lambda it: ["0x" + it]], ids=["v 27/28", "0x"])
async def test_other_forms_of_a_signature_are_taken(
    stage: Stage, change: Callable[[str], list[str]]
) -> None:
    """The last byte may be 27/28 and the hex may begin with 0x."""
    amount = 110 + len(change("00"))
    body = _with_signature(change)(stage.transfer(amount + len(change("00" * 65)[0])))
    answer = await stage.post("/wallet/broadcasttransaction", **body)
    assert differences(exchange("broadcast_signature_v27", "v as 27/28").answer, answer) == []


FIELDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "raw_data_hex wrong": lambda it: it | {"raw_data_hex": "00"},
    "txID wrong": lambda it: it | {"txID": "00" * 32},
    "only raw_data and signature": lambda it: {key: it[key] for key in ("raw_data", "signature")},
    "no raw_data": lambda it: {key: it[key] for key in ("txID", "raw_data_hex", "signature")},
}


@pytest.mark.parametrize("note", FIELDS)
async def test_only_raw_data_and_signature_count(stage: Stage, note: str) -> None:
    """The JSON route builds the transaction from raw_data and looks at nothing else."""
    amount = 200 + list(FIELDS).index(note)
    body = FIELDS[note](render_transaction(stage.transfer(amount), visible=False))
    answer = await stage.post("/wallet/broadcasttransaction", **body)
    assert differences(exchange("broadcast_json_fields", note).answer, answer) == []


@pytest.mark.parametrize("note", ["empty object", "not json"])
async def test_a_body_without_a_transaction_is_answered_as_recorded(
    stage: Stage, note: str
) -> None:
    """Java's own exceptions come out."""
    one = exchange("broadcast_json_fields", note)
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


async def test_a_parameter_in_hex_is_no_contract(stage: Stage) -> None:
    """What broadcasthex shows cannot be sent to broadcasttransaction."""
    one = exchanges("broadcast_validate")[-1]
    assert one.note == "JSON route: balance too low"
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body) == []


def _referring(stage: Stage, amount: int, low: bytes, part: bytes) -> Any:
    transaction = stage.transfer(amount)
    transaction.raw_data.ref_block_bytes = low
    transaction.raw_data.ref_block_hash = part
    return stage.signed(transaction)


async def test_a_reference_to_no_block_here_is_refused(stage: Stage) -> None:
    """TAPOS_ERROR for a hash that does not fit and for a block that is not there."""
    head = stage.net.node.chain.head
    unfit = _referring(stage, 300, head.id[6:8], bytes(8))
    future = _referring(stage, 301, (head.number + 500).to_bytes(2, "big"), head.id[8:16])
    for transaction, note in (
        (unfit, "hash does not fit block"),
        (future, "block number not there yet"),
    ):
        answer = await stage.broadcast_hex(transaction)
        assert differences(exchange("broadcast_tapos", note).answer, answer) == []


@pytest.mark.parametrize("height", ["genesis", "first", "head"])
async def test_any_block_of_the_chain_can_be_referred_to(stage: Stage, height: str) -> None:
    """Genesis and the head are as good as the solid block."""
    chain = stage.net.node.chain
    block = chain.blocks[{"genesis": 0, "first": 1, "head": chain.head.number}[height]]
    amount = 310 + block.number
    answer = await stage.broadcast_hex(_referring(stage, amount, block.id[6:8], block.id[8:16]))
    assert differences(exchange("broadcast_tapos", "ref head").answer, answer) == []


def _expiring(stage: Stage, amount: int, after_head: int) -> Any:
    transaction = stage.transfer(amount)
    transaction.raw_data.expiration = stage.net.node.chain.head.timestamp + after_head
    return stage.signed(transaction)


async def test_expiration_is_judged_against_the_next_slot(stage: Stage) -> None:
    """Refused before the next slot's time and a day after the head, taken from the slot on."""
    slot, taken = stage.net.node.slot_ms, exchange("broadcast_expiration", "10 h").answer
    refused = exchange("broadcast_expiration", "already past by 60 s").answer
    table = {
        -60_000: refused,
        0: refused,
        1: refused,
        slot - 1: refused,
        slot: taken,
        slot + 1: taken,
        10 * HOUR: taken,
        24 * HOUR - 60_000: taken,
        24 * HOUR + 60_000: refused,
    }
    for index, (after_head, recorded) in enumerate(table.items()):
        answer = await stage.broadcast_hex(_expiring(stage, 400 + index, after_head))
        assert differences(recorded, answer) == [], f"{after_head} ms after the head"


@pytest.mark.parametrize("timestamp", [0, 1, 4_000_000_000_000])
async def test_the_timestamp_is_not_checked(stage: Stage, timestamp: int) -> None:
    """A transaction's own timestamp means nothing to the node."""
    transaction = stage.transfer(500)
    transaction.raw_data.timestamp = timestamp
    answer = await stage.broadcast_hex(stage.signed(transaction))
    assert answer["code"] == "SUCCESS"


async def test_a_transaction_above_512000_bytes_is_too_big(stage: Stage) -> None:
    """510,000 bytes of memo are taken, 520,000 are not."""
    answers = []
    for size in (510_000, 520_000):
        transaction = stage.transfer(510)
        transaction.raw_data.data = b"x" * size
        answers.append(await stage.broadcast_hex(stage.signed(transaction)))
    assert answers[0]["code"] == "SUCCESS"
    recorded = exchanges("broadcast_toobig2")[0].answer
    assert differences(recorded, answers[1], ignored=("transaction",)) == []


async def test_errors_of_the_json_route_have_no_result_and_a_hex_message(stage: Stage) -> None:
    """The JSON route words the same refusals in its own shape."""
    too_much = stage.transfer(10**15)
    unfit = _referring(stage, 600, b"\0\0", bytes(8))
    late = _expiring(stage, 601, -1)
    recorded = exchanges("broadcast_json_errors")
    for transaction, one in zip((too_much, unfit, late), recorded, strict=False):
        answer = await stage.broadcast(transaction)
        assert differences(one.answer, answer) == [], one.note


async def test_the_same_transaction_again_is_a_duplicate_until_it_expires(stage: Stage) -> None:
    """DUP in the pool, in a block and when solid; EXPIRATION afterwards, though it is mined."""
    await stage.step()
    transaction = _expiring(stage, 700, 40 * stage.net.node.slot_ms)
    assert (await stage.broadcast(transaction))["result"] is True
    for recorded in exchanges("broadcast_dup"):
        assert differences(recorded.answer, await stage.broadcast(transaction)) == []
        await stage.step(2)
    while stage.net.node.chain.head.timestamp <= transaction.raw_data.expiration:
        await stage.step()
    resent = exchange("resend_after_expiry_of_mined", "again after expiry, though it is mined")
    answer = await stage.broadcast_hex(transaction)
    assert differences(resent.answer, answer) == []
    info = await stage.post("/wallet/gettransactioninfobyid", value=answer["txid"])
    assert info["blockNumber"] > 0


async def test_without_bandwidth_and_without_money_a_transaction_is_refused(
    stage: Stage,
) -> None:
    """BANDWITH_ERROR once the free bytes are used up and the balance is below the fee."""
    recorded = [one for one in exchanges("broadcast_bandwidth") if "transaction" in one.request]
    for one in recorded[:3]:
        answer = await stage.broadcast_hex(stage.adapted(one.request["transaction"]))
        assert differences(one.answer, answer) == [], one.note
    answer = await stage.broadcast(stage.transfer(1, FRESH))
    assert differences(exchanges("broadcast_json_errors")[3].answer, answer) == []


async def test_a_call_that_fails_is_taken_and_shows_its_result_in_the_pool(stage: Stage) -> None:
    """SUCCESS to the broadcast; REVERT, OUT_OF_ENERGY in the pool already; no info before a block."""
    identity = ""
    for one in exchanges("pooled_reverting_call"):
        if one.path.endswith("/broadcasthex"):
            identity = await stage.resend(one)
        else:
            if one.note == "mined":
                await stage.step()
            answer = await stage.ask(one, {"value": identity})
            assert differences(one.answer, answer.body, ignored=OF_FEES) == [], one.note


async def test_a_pooled_transfer_looks_as_recorded(stage: Stage) -> None:
    """Found by id and in the pool's own paths, by no path of the solid node, without info."""
    await stage.step()
    transaction = stage.transfer(800)
    answer = await stage.broadcast(transaction)
    for one in exchanges("tx_lifecycle_transfer")[2:12]:
        recorded = "6effcc9e28474eebe8357c85a2af0cb4f64c117c6c61c4904636b9011888fa1e"
        request = json.loads(json.dumps(one.request).replace(recorded, answer["txid"]))
        ours = await stage.ask(one, request)
        assert differences(one.answer, ours.body) == [], one.note
    await stage.step()
    assert await stage.post("/wallet/gettransactionlistfrompending") == {}


async def test_an_unknown_contract_type_is_refused(stage: Stage) -> None:
    """What the devnet does not know is refused in words, not taken and forgotten."""
    transaction = stage.transfer(900)
    transaction.raw_data.contract[0].type = messages.CONTRACTS["AccountPermissionUpdateContract"]
    answer = await stage.post(
        "/wallet/broadcasthex", transaction=transaction.SerializeToString().hex()
    )
    assert answer["result"] is False
