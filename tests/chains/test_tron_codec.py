"""Decoding of Tron: a gateway's transactions and the other answers of a real java-tron node."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed
from hypothesis import given
from hypothesis import strategies as st
from tronpy.proto import tron_pb2
from tronpy.proto.transaction import calculate_txid_from_raw_data

from relayer.chains.gateway.events import fact_of, skipped_of
from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.reads import read_receipts, read_snapshots
from relayer.chains.tron.codec import (
    Block,
    block_from,
    constant_result_from,
    infos_from,
    is_txid,
    refusal_in,
    tron_address,
    tx_info_from,
)
from relayer.chains.tron.reader import gateway_logs
from relayer.chains.tron.transaction import Frame, Sealed, seal_call, seal_gift
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import WAD, Shares
from relayer.domain.supply import Counters, Interval, issued
from relayer.domain.transfer import (
    ChainFact,
    Delivery,
    Deposit,
    Location,
    Mode,
    ReceiptKind,
    Refund,
    TokenPlace,
    Void,
    counted_id,
)
from relayer.signing.local import Secp256k1Signer

RECORDINGS = Path(__file__).parents[1] / "recordings"
GATEWAY: dict[str, Any] = json.loads((RECORDINGS / "tron-codec" / "gateway.json").read_text())
BNB = ChainId("eip155:56")
SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
TOKENS = {asset: Account(bytes.fromhex(token)) for asset, token in GATEWAY["tokens"].items()}
PLACE = GatewayPlace(
    chain=ChainId(GATEWAY["chain"]),
    gateway=Account(bytes.fromhex(GATEWAY["gateway"])),
    tokens=(
        TokenPlace(asset="TSLAx", token=TOKENS["TSLAx"], mode=Mode.BURN_MINT),
        TokenPlace(asset="AAPLx", token=TOKENS["AAPLx"], mode=Mode.LOCK_RELEASE),
    ),
    peers=(BNB, SOLANA),
    attesters=(),
    quorum=0,
)
USER = Account(bytes.fromhex(GATEWAY["user"]))
PEER_GATEWAY = bytes.fromhex(GATEWAY["peer_gateway"])
RECIPIENT = Account(bytes(12) + b"\x33" * 20)


def facts_in(name: str) -> list[ChainFact]:
    """The facts of a recorded transaction."""
    logs = gateway_logs(tx_info_from(GATEWAY[name]), PLACE.address)
    return [fact for fact in (fact_of(PLACE, log) for log in logs) if fact is not None]


def recorded(name: str) -> list[dict[str, Any]]:
    """The exchanges of one recording."""
    text = (RECORDINGS / "tron" / f"{name}.json").read_text()
    exchanges: list[dict[str, Any]] = json.loads(text)["exchanges"]
    return exchanges


def noted(name: str, note: str) -> Any:
    """The answer to the recorded exchange with this note."""
    return next(one["response"] for one in recorded(name) if one["note"] == note)


def test_a_recorded_burn_is_read_whole() -> None:
    """Every field of a deposit, behind four logs of the token in the same transaction."""
    answer = GATEWAY["deposit_burn"]
    assert facts_in("deposit_burn") == [
        Deposit(
            id=counted_id(PLACE.chain, PLACE.gateway, BNB, 0),
            source=PLACE.chain,
            destination=BNB,
            asset="TSLAx",
            shares=Shares(WAD * 3 // 2),
            sender=USER,
            refund_to=USER,
            recipient=RECIPIENT,
            gateway=PLACE.gateway,
            nonce=0,
            location=Location(tx=answer["id"], index=4),
            height=answer["blockNumber"],
            time=answer["blockTimeStamp"] // 1000,
        )
    ]


def test_a_recorded_lock_goes_to_solana() -> None:
    """A deposit of the lock-release token stands behind fewer logs, and names Solana."""
    [deposit] = facts_in("deposit_lock")
    assert isinstance(deposit, Deposit)
    assert (deposit.destination, deposit.asset) == (SOLANA, "AAPLx")
    assert (deposit.shares, deposit.recipient) == (2 * WAD, b"\x77" * 32)


def test_recorded_deliveries_voids_and_refunds_are_told() -> None:
    """What the gateway emitted, with ids, recipients in Tron's form, and shares."""
    [delivery], [void], [refund] = map(facts_in, ("deliver", "void", "refund"))
    assert isinstance(delivery, Delivery)
    assert delivery.id == counted_id(BNB, PEER_GATEWAY, PLACE.chain, 7)
    assert delivery.recipient == bytes(11) + b"\x41" + b"\x44" * 20
    assert (delivery.asset, delivery.shares, delivery.source) == ("TSLAx", 10**16, BNB)
    assert isinstance(void, Void)
    assert void.id == counted_id(BNB, PEER_GATEWAY, PLACE.chain, 9)
    assert isinstance(refund, Refund)
    [deposit] = facts_in("deposit_burn")
    assert (refund.id, refund.recipient, refund.shares) == (deposit.id, USER, WAD * 3 // 2)


def test_a_skipped_item_is_told_apart_from_the_delivered_one() -> None:
    """A batch with an item that was already done delivers the other and names the first."""
    logs = gateway_logs(tx_info_from(GATEWAY["deliver_again"]), PLACE.address)
    skipped = [skip for skip in map(skipped_of, logs) if skip is not None]
    assert skipped == [(counted_id(BNB, PEER_GATEWAY, PLACE.chain, 7), "AlreadyDone")]
    [delivery] = facts_in("deliver_again")
    assert isinstance(delivery, Delivery)
    assert delivery.id == counted_id(BNB, PEER_GATEWAY, PLACE.chain, 8)


def test_a_block_tells_what_its_transaction_told() -> None:
    """The outcomes of a block and of a transaction in it are the same."""
    height = GATEWAY["deliver"]["blockNumber"]
    assert tx_info_from(GATEWAY["deliver"]) in infos_from(GATEWAY["block"], height)
    header = block_from(GATEWAY["header"])
    assert (header.number, header.empty) == (height, False)
    assert header.time_ms == GATEWAY["deliver"]["blockTimeStamp"]


def test_the_recorded_books_balance() -> None:
    """K of both modes is what the issuer created, with traffic in both directions."""
    answer = constant_result_from(GATEWAY["snapshot"])
    assert answer.reverted is None
    books = {one.asset: one for one in read_snapshots(PLACE, answer.data)}
    assert books["TSLAx"].counters == Counters(
        deposited=Shares(WAD * 3 // 2), delivered=Shares(10**16), refunded=Shares(WAD * 3 // 2)
    )
    known = {asset: one.counters for asset, one in books.items() if one.counters is not None}
    ks = {asset: issued(books[asset], counters) for asset, counters in known.items()}
    assert ks == {"TSLAx": Interval.exactly(1000 * WAD), "AAPLx": Interval.exactly(1500 * WAD)}
    assert books["AAPLx"].inventory == 500 * WAD


def test_recorded_receipts_are_read() -> None:
    """Two delivered, one voided, one open."""
    ids = [counted_id(BNB, PEER_GATEWAY, PLACE.chain, nonce) for nonce in (7, 8, 9, 10)]
    found = read_receipts(ids, constant_result_from(GATEWAY["receipts"]).data)
    kinds = [found[one].kind if one in found else None for one in ids]
    assert kinds == [ReceiptKind.DELIVERED, ReceiptKind.DELIVERED, ReceiptKind.VOIDED, None]


@pytest.mark.parametrize(
    ("note", "succeeded", "outcome"),
    [
        ("success with log", True, "SUCCESS"),
        ("REVERT with reason", False, "REVERT: Token: balance too low"),
        ("assert (Panic)", False, "REVERT: Panic(0x1)"),
        ("REVERT no data", False, "REVERT: REVERT opcode executed"),
        ("OUT_OF_ENERGY by fee_limit 20 TRX", False, "OUT_OF_ENERGY: Not enough energy"),
        ("heavy keccak 2000x4KB", False, "OUT_OF_TIME: Already Time Out"),
        ("TRX transfer with memo", False, ""),
    ],
)
def test_a_recorded_outcome_is_judged(note: str, succeeded: bool, outcome: str) -> None:  # noqa: FBT001
    """Only a contract call whose receipt says SUCCESS succeeded; the rest keeps its reason."""
    info = tx_info_from(noted("tx_outcomes", f"info: {note}"))
    assert info.succeeded is succeeded
    assert info.outcome.startswith(outcome)
    assert (info.outcome == outcome) or outcome.startswith("OUT_OF_ENERGY")


def test_a_reverted_constant_call_is_no_answer() -> None:
    """The node says ``result: true`` of a revert too; the reason is in the data."""
    answer = constant_result_from(noted("triggerconstant", "revert with reason"))
    assert answer.reverted == "Token: balance too low"
    assert constant_result_from(noted("triggerconstant", "success balanceOf")).reverted is None


@pytest.mark.parametrize(
    ("note", "word"),
    [
        ("plain account as contract", "CONTRACT_VALIDATE_ERROR: Smart contract is not exist."),
        ("long loop, expo 40000: time limit?", "OTHER_ERROR: class org.tron.core.vm.program"),
    ],
)
def test_a_call_that_was_not_run_says_why(note: str, word: str) -> None:
    """No contract there, or out of time: not an answer of any contract."""
    refusal = refusal_in(noted("triggerconstant", note))
    assert refusal is not None
    assert refusal.startswith(word)


def test_outcomes_of_another_block_are_refused() -> None:
    """A node that answers for a wrong block is not believed."""
    with pytest.raises(ValueError, match="asked for block 1"):
        infos_from(GATEWAY["block"], 1)


def test_a_header_whose_id_is_not_its_own_is_refused() -> None:
    """The first 8 bytes of a block's id are its number."""
    answer = json.loads(json.dumps(GATEWAY["header"]))
    answer["block_header"]["raw_data"]["number"] += 1
    with pytest.raises(ValueError, match="has the id"):
        block_from(answer)


@pytest.mark.parametrize("text", ["", "0x" + "ab" * 31, "AB" * 32, "ab" * 31, "zz" * 32])
def test_what_is_no_txid_is_told(text: str) -> None:
    """64 lower-case hex digits and nothing else."""
    assert not is_txid(text)
    assert is_txid("ab" * 32)


FRAME = Frame(
    reference=Block(number=0x12345, id=bytes(5) + bytes(range(27)), time_ms=0, empty=True),
    expiration_ms=1_795_368_985_002,
    timestamp_ms=1_795_368_925_002,
    fee_limit=77_000_000,
)
SIGNER = Secp256k1Signer(b"\x11" * 32)


async def test_a_built_call_has_the_id_that_tronpy_computes() -> None:
    """The id of a contract call equals tronpy's for the same fields."""
    contract, data = b"\x41" + b"\x55" * 20, bytes.fromhex("a9059cbb") + b"\x01" * 64
    sealed = await seal_call(SIGNER, contract, data, FRAME, sun=5)
    value = {
        "owner_address": tron_address(SIGNER.public).hex(),
        "contract_address": contract.hex(),
        "data": data.hex(),
        "call_value": 5,
    }
    assert sealed.tx == calculate_txid_from_raw_data(raw_data_of("TriggerSmartContract", value))


async def test_a_built_gift_has_the_id_that_tronpy_computes() -> None:
    """The id of a transfer of sun equals tronpy's, and its one signature has 65 bytes."""
    to = b"\x41" + b"\x66" * 20
    sealed = await seal_gift(SIGNER, to, 9, FRAME)
    value = {
        "owner_address": tron_address(SIGNER.public).hex(),
        "to_address": to.hex(),
        "amount": 9,
    }
    assert sealed.tx == calculate_txid_from_raw_data(raw_data_of("TransferContract", value))
    parsed = tron_pb2.Transaction.FromString(sealed.raw)
    assert [len(signature) for signature in parsed.signature] == [65]


WORDS = st.binary(min_size=20, max_size=20).map(lambda word: b"\x41" + word)
SUN = st.integers(min_value=0, max_value=2**63 - 1)
FRAMES = st.builds(
    Frame,
    reference=st.binary(min_size=32, max_size=32).map(
        lambda name: Block(number=0, id=name, time_ms=0, empty=True)
    ),
    expiration_ms=SUN,
    timestamp_ms=SUN,
    fee_limit=SUN,
)


@given(frame=FRAMES, contract=WORDS, data=st.binary(max_size=300), sun=SUN)
def test_a_call_is_written_as_protobuf_writes_it(
    frame: Frame, contract: bytes, data: bytes, sun: int
) -> None:
    """Whatever its fields: tronpy's message of the same fields is the same bytes."""
    sealed = asyncio.run(seal_call(SIGNER, contract, data, frame, sun=sun))
    call = tron_pb2.TriggerSmartContract(
        owner_address=tron_address(SIGNER.public),
        contract_address=contract,
        call_value=sun,
        data=data,
    )
    assert_written(sealed, "TriggerSmartContract", call, frame)


@given(frame=FRAMES, to=WORDS, sun=SUN)
def test_a_gift_is_written_as_protobuf_writes_it(frame: Frame, to: bytes, sun: int) -> None:
    """Whatever its fields: tronpy's message of the same fields is the same bytes."""
    sealed = asyncio.run(seal_gift(SIGNER, to, sun, frame))
    gift = tron_pb2.TransferContract(
        owner_address=tron_address(SIGNER.public), to_address=to, amount=sun
    )
    assert_written(sealed, "TransferContract", gift, frame)


def assert_written(sealed: Sealed, kind: str, message: Any, frame: Frame) -> None:
    """Compare with tronpy's messages, the signature over the id included."""
    kinds = tron_pb2.Transaction.Contract.ContractType
    parameter = Packed(
        type_url=f"type.googleapis.com/protocol.{kind}", value=message.SerializeToString()
    )
    raw_data = tron_pb2.Transaction.raw(
        ref_block_bytes=frame.reference.id[6:8],
        ref_block_hash=frame.reference.id[8:16],
        expiration=frame.expiration_ms,
        timestamp=frame.timestamp_ms,
        fee_limit=frame.fee_limit,
        contract=[tron_pb2.Transaction.Contract(type=kinds.Value(kind), parameter=parameter)],
    )
    digest = hashlib.sha256(raw_data.SerializeToString()).digest()
    signature = asyncio.run(SIGNER.sign_digest(digest))
    signed = tron_pb2.Transaction(raw_data=raw_data, signature=[signature])
    assert (sealed.tx, sealed.raw) == (digest.hex(), signed.SerializeToString())


def raw_data_of(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """The JSON form of the raw data of a transaction in FRAME."""
    parameter = {"type_url": f"type.googleapis.com/protocol.{kind}", "value": value}
    return {
        "ref_block_bytes": FRAME.reference.id[6:8].hex(),
        "ref_block_hash": FRAME.reference.id[8:16].hex(),
        "expiration": FRAME.expiration_ms,
        "timestamp": FRAME.timestamp_ms,
        "fee_limit": FRAME.fee_limit,
        "contract": [{"type": kind, "parameter": parameter}],
    }
