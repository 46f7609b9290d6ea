from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account as EthAccount
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

import contracts_abi
from relayer.chains.evm.codec import gateway_log, read_log
from relayer.chains.gateway import events
from relayer.chains.gateway.acts import payload
from relayer.chains.gateway.events import fact_of
from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.recovery import signer_of
from relayer.domain.address import Account, ChainId, account_from_evm, chain_key, word_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.errors import DraftRefused
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    Location,
    Mode,
    Refund,
    TokenPlace,
    TransferId,
    Void,
    counted_id,
)
from relayer.signing.local import Secp256k1Signer

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "recordings" / "evm" / "gateway.json").read_text()
)
ABI: list[dict[str, Any]] = list(contracts_abi.load("Gateway").abi)
HOME, PEER = ChainId("eip155:56"), ChainId("tron:0x2b6653dc")
TOKEN, GATEWAY = account_from_evm(b"\x0a" * 20), account_from_evm(b"\x0b" * 20)
PEER_GATEWAY = Account(b"\0" * 11 + b"\x41" + b"\x0c" * 20)
PLACE = GatewayPlace(
    chain=HOME,
    gateway=GATEWAY,
    tokens=(TokenPlace(asset="TSLAx", token=TOKEN, mode=Mode.BURN_MINT),),
    peers=(PEER,),
    attesters=(b"\x01" * 20,),
    quorum=1,
)


def _recorded_place() -> GatewayPlace:
    tokens = tuple(
        TokenPlace(asset=asset, token=Account(bytes.fromhex(token)), mode=Mode(mode))
        for asset, (token, mode) in RECORDED["tokens"].items()
    )
    peers = {ChainId("tron:0x2b66de7e"), ChainId("solana:97GUB8tDxneBjs1uLr9Fv3cYJ4F9pdPQ")}
    return replace(
        PLACE,
        chain=ChainId(RECORDED["chain"]),
        gateway=Account(bytes.fromhex(RECORDED["gateway"])),
        tokens=tokens,
        peers=tuple(sorted(peers | {ChainId(p) for p in RECORDED.get("peers", ())})),
    )


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(part['type'] for part in entry['inputs'])})"


def _deposit(nonce: int = 3, shares: int = 7 * RAW_UNIT) -> Deposit:
    return Deposit(
        id=counted_id(PEER, PEER_GATEWAY, HOME, nonce),
        source=PEER,
        destination=HOME,
        asset="TSLAx",
        shares=Shares(shares),
        sender=PEER_GATEWAY,
        refund_to=PEER_GATEWAY,
        recipient=account_from_evm(b"\x0d" * 20),
        gateway=PEER_GATEWAY,
        nonce=nonce,
        location=Location(tx="00", index=0),
        height=1,
        time=1,
    )


def test_topics_are_those_of_the_contract() -> None:
    """Every event that the reader asks for is in the ABI, by its own signature's hash."""
    topics = {keccak(_signature(e).encode()) for e in ABI if e["type"] == "event"}

    assert set(events.FACT_TOPICS) <= topics


def test_recorded_logs_decode_to_deposits_deliveries_refunds_and_voids() -> None:
    """Real logs of a gateway lead to facts whose words are those of the log."""
    place = _recorded_place()
    found = [fact_of(place, gateway_log(read_log(raw), 1_000)) for raw in RECORDED["logs"]]
    facts = [fact for fact in found if fact is not None]

    assert {type(fact) for fact in facts} >= {Deposit, Delivery}
    for fact, raw in zip(found, RECORDED["logs"], strict=True):
        if fact is None:
            continue
        assert fact.id.hex() == raw["topics"][1][2:]
        assert fact.height == int(raw["blockNumber"], 16)
        if isinstance(fact, Deposit | Delivery | Refund):
            assert f"{fact.shares:064x}" in raw["data"]
        else:
            assert isinstance(fact, Void)


def _typed(kind: str, fields: list[dict[str, str]], message: dict[str, Any]) -> Any:
    domain = {
        "name": "xStocks Gateway",
        "version": "1",
        "chainId": 56,
        "verifyingContract": "0x" + word_of(GATEWAY).hex(),
    }
    return encode_typed_data(domain, {kind: fields}, message)


def _fields(text: str) -> list[dict[str, str]]:
    pairs = (part.split(" ") for part in text.split(","))
    return [{"type": kind, "name": name} for kind, name in pairs]


@given(nonce=st.integers(0, 2**40), units=st.integers(1, 10**12), epoch=st.integers(0, 2**32))
def test_a_delivery_is_signed_as_eip_712_says(nonce: int, units: int, epoch: int) -> None:
    """Our hand-packed payload is the one that eth-account builds from the type."""
    made = _deposit(nonce, units * RAW_UNIT)
    terms = {"deadline": "2000000000", "epoch": str(epoch)}
    typed = _typed(
        "Deliver",
        _fields(
            "bytes32 id,bytes32 source,address token,address recipient,"
            "uint256 shares,uint64 epoch,uint64 deadline"
        ),
        {
            "id": made.id,
            "source": chain_key(PEER),
            "token": "0x" + word_of(TOKEN).hex(),
            "recipient": "0x" + word_of(made.recipient).hex(),
            "shares": made.shares,
            "epoch": epoch,
            "deadline": 2_000_000_000,
        },
    )

    built = payload(PLACE, ActKind.DELIVER, made, terms)

    assert built == b"\x19\x01" + typed.header + typed.body


async def test_a_signature_is_recovered_to_its_attester() -> None:
    """What our signer makes is what eth-account makes, and it leads back to the key."""
    signer = Secp256k1Signer(b"\x17" * 32)
    built = payload(PLACE, ActKind.DELIVER, _deposit(), {"deadline": "9", "epoch": "0"})

    signature = await signer.sign(built)

    assert signer_of(built, signature) == signer.public
    assert signer_of(built + b"x", signature) != signer.public
    assert EthAccount.from_key(b"\x17" * 32).address[2:].lower() == signer.public.hex()


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"deadline": "1"},
        {"deadline": "1", "epoch": "-1"},
        {"deadline": "1", "epoch": "x"},
        {"deadline": "1", "epoch": str(2**64)},
        {"deadline": "01", "epoch": "0"},
        {"deadline": "1", "epoch": "0", "more": "1"},
    ],
)
def test_terms_outside_the_grammar_are_refused(terms: dict[str, str]) -> None:
    """One text per meaning: no missing, extra, negative, padded or oversized numbers."""
    with pytest.raises(DraftRefused):
        payload(PLACE, ActKind.DELIVER, _deposit(), terms)


@pytest.mark.parametrize(
    "change",
    [
        {"asset": "ZZZ"},
        {"destination": PEER},
        {"recipient": PEER_GATEWAY},
        {"source": ChainId("eip155:1")},
        {"nonce": 4},
        {"id": TransferId(b"\x05" * 32)},
    ],
)
def test_a_deposit_that_is_not_for_this_gateway_is_never_drafted(change: dict[str, Any]) -> None:
    """Unknown asset, another destination, a Tron recipient, a stranger, an id that does not fit."""
    with pytest.raises(DraftRefused):
        payload(
            PLACE, ActKind.DELIVER, replace(_deposit(), **change), {"deadline": "1", "epoch": "0"}
        )


def test_ids_are_what_the_contract_computes() -> None:
    """keccak256 of five ABI words: tag, source, gateway, destination, nonce."""
    tag = keccak(b"xstocks-relayer/transfer/1")
    words = (tag, chain_key(PEER), bytes(PEER_GATEWAY), chain_key(HOME), 3)
    encoded = encode(["bytes32", "bytes32", "bytes32", "bytes32", "uint64"], words)

    assert counted_id(PEER, PEER_GATEWAY, HOME, 3) == keccak(encoded)
