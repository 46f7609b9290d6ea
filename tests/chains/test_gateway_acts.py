"""What is signed for a gateway and sent to it, against eth_account and eth_abi."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from contracts_abi import load
from relayer.chains.gateway import acts
from relayer.chains.gateway.recovery import signer_of
from relayer.chains.gateway.terms import GatewayTerms, read_terms
from relayer.chains.gateway.words import selector
from relayer.domain.address import Account, account_from_evm, chain_key, word_of
from relayer.domain.amount import Shares
from relayer.domain.errors import DraftRefused
from relayer.domain.reasons import Reason
from relayer.domain.transfer import ActKind, Deposit
from tests.chains.gateway_samples import (
    BNB,
    GATEWAY,
    PLACE,
    SIGNERS,
    SOLANA,
    TERMS,
    TRON,
    attestation,
    from_here,
    from_solana,
    from_tron,
    unsigned,
)

FIELDS = {
    ActKind.DELIVER: "id:bytes32 source:bytes32 token:address recipient:address shares:uint256",
    ActKind.VOID: "id:bytes32",
    ActKind.REFUND: "id:bytes32 token:address refundTo:address shares:uint256",
}
NAMES = {ActKind.DELIVER: "Deliver", ActKind.VOID: "Void", ActKind.REFUND: "Refund"}
SAMPLES = [
    (ActKind.DELIVER, from_solana()),
    (ActKind.DELIVER, from_tron()),
    (ActKind.VOID, from_solana()),
    (ActKind.VOID, from_tron()),
    (ActKind.REFUND, from_here()),
]


def typed_payload(kind: ActKind, deposit: Deposit, terms: GatewayTerms) -> bytes:
    """The EIP-712 preimage as eth_account makes it."""
    fields = [part.split(":") for part in f"{FIELDS[kind]} epoch:uint64 deadline:uint64".split()]
    token = PLACE.token(deposit.asset)
    values = {
        "id": deposit.id,
        "source": chain_key(deposit.source),
        "token": "0x" + token.hex(),
        "recipient": "0x" + word_of(deposit.recipient).hex(),
        "refundTo": "0x" + word_of(deposit.refund_to).hex(),
        "shares": deposit.shares,
        "epoch": terms.epoch,
        "deadline": terms.deadline,
    }
    signable = encode_typed_data(
        domain_data={
            "name": "xStocks Gateway",
            "version": "1",
            "chainId": 56,
            "verifyingContract": "0x" + word_of(GATEWAY).hex(),
        },
        message_types={NAMES[kind]: [{"name": name, "type": type_} for name, type_ in fields]},
        message_data={name: values[name] for name, _ in fields},
    )
    return b"\x19" + signable.version + signable.header + signable.body


@pytest.mark.parametrize(("kind", "deposit"), SAMPLES)
@given(deadline=st.integers(0, 2**64 - 1), epoch=st.integers(0, 2**64 - 1))
def test_payloads_are_those_of_eth_account(
    kind: ActKind, deposit: Deposit, deadline: int, epoch: int
) -> None:
    """The hand-packed preimage equals the library's for every kind, deadline and epoch."""
    terms = GatewayTerms(deadline=deadline, epoch=epoch)
    payload = acts.payload(PLACE, kind, deposit, terms.text())
    assert payload == typed_payload(kind, deposit, terms)
    assert len(payload) == 66


def decoded(data: bytes, name: str) -> list[Any]:
    """The arguments of a call to the gateway, as eth_abi reads them."""
    entry = next(one for one in load("Gateway").abi if one.get("name") == name)
    item = ",".join(part["type"] for part in entry["inputs"][0]["components"])
    suffix = entry["inputs"][0]["type"].removeprefix("tuple")
    kinds = [f"({item}){suffix}", entry["inputs"][1]["type"]]
    assert data[:4] == selector(f"{name}({','.join(kinds)})")
    return list(decode(kinds, data[4:], strict=True))


async def test_a_batch_of_deliveries_is_read_back_by_eth_abi() -> None:
    """Items and their sorted signatures come out of the calldata as they were put in."""
    batch = []
    for deposit in (from_solana(), from_tron(), from_tron(nonce=5)):
        payload = acts.payload(PLACE, ActKind.DELIVER, deposit, TERMS)
        signed = [await attestation(signer, deposit, payload) for signer in SIGNERS]
        act = unsigned(ActKind.DELIVER, deposit, payload)
        batch.append(replace(act, attestations=tuple(signed)))
    items, signatures = decoded(acts.calldata(PLACE, batch), "deliver")
    for act, item, given_ in zip(batch, items, signatures, strict=True):
        deposit = act.deposit
        located = deposit.source == SOLANA
        assert item == (
            chain_key(deposit.source),
            deposit.id if located else bytes(deposit.gateway),
            0 if located else deposit.nonce,
            "0x" + PLACE.token(deposit.asset).hex(),
            "0x" + word_of(deposit.recipient).hex(),
            deposit.shares,
            1_800_000_000,
        )
        payload = acts.payload(PLACE, ActKind.DELIVER, deposit, TERMS)
        signers = [signer_of(payload, signature) for signature in given_]
        assert len(signers) == PLACE.quorum
        assert signers == sorted(signers, key=lambda signer: signer or b"")


@pytest.mark.parametrize(("kind", "deposit"), SAMPLES)
async def test_one_item_is_read_back_by_eth_abi(kind: ActKind, deposit: Deposit) -> None:
    """The call that simulates one item carries the same item as the batch."""
    payload = acts.payload(PLACE, kind, deposit, TERMS)
    signed = [await attestation(signer, deposit, payload) for signer in SIGNERS[:2]]
    act = replace(unsigned(kind, deposit, payload), attestations=tuple(signed))
    name = {ActKind.DELIVER: "deliver", ActKind.VOID: "void", ActKind.REFUND: "refund"}[kind]
    batch = {ActKind.VOID: "voidDelivery"}.get(kind, name)
    item, signatures = decoded(acts.item_calldata(PLACE, act), f"{name}Item")
    items, all_signatures = decoded(acts.calldata(PLACE, [act]), batch)
    assert items == (item,)
    assert all_signatures == (signatures,)


def test_a_refund_names_the_deposit_whole() -> None:
    """A refund carries every field that the deposit's digest is made of."""
    deposit = from_here()
    act = unsigned(ActKind.REFUND, deposit, b"")
    items, _ = decoded(acts.calldata(PLACE, [act]), "refund")
    assert items[0] == (
        chain_key(SOLANA),
        deposit.nonce,
        "0x" + PLACE.token("TSLAx").hex(),
        "0x" + word_of(deposit.sender).hex(),
        "0x" + word_of(deposit.refund_to).hex(),
        bytes(deposit.recipient),
        deposit.shares,
        1_800_000_000,
    )


async def test_strangers_and_repetitions_do_not_fill_a_quorum() -> None:
    """Only attesters count, each once; what is given is ascending by address."""
    deposit = from_solana()
    payload = acts.payload(PLACE, ActKind.DELIVER, deposit, TERMS)
    one = await attestation(SIGNERS[2], deposit, payload)
    stranger = replace(one, attester=b"\x55" * 20)
    other = await attestation(SIGNERS[0], deposit, payload)
    act = replace(
        unsigned(ActKind.DELIVER, deposit, payload), attestations=(stranger, one, one, other)
    )
    expected = sorted([one, other], key=lambda each: each.attester)
    assert acts.signatures(PLACE, act) == tuple(each.signature for each in expected)


def test_acts_of_several_kinds_are_no_batch() -> None:
    """A transaction calls one function."""
    mixed = [
        unsigned(ActKind.DELIVER, from_solana(), b""),
        unsigned(ActKind.VOID, from_tron(), b""),
    ]
    with pytest.raises(ValueError, match="one kind"):
        acts.calldata(PLACE, mixed)
    with pytest.raises(ValueError, match="one kind"):
        acts.calldata(PLACE, [])


@pytest.mark.parametrize(
    ("kind", "deposit"),
    [
        pytest.param(ActKind.DELIVER, from_here(), id="made here"),
        pytest.param(ActKind.VOID, from_here(), id="void of one made here"),
        pytest.param(ActKind.REFUND, from_tron(), id="refund of one made elsewhere"),
        pytest.param(
            ActKind.DELIVER, replace(from_solana(), destination=TRON), id="for another chain"
        ),
        pytest.param(ActKind.DELIVER, replace(from_tron(), nonce=5), id="id of another nonce"),
        pytest.param(
            ActKind.DELIVER, replace(from_tron(), gateway=GATEWAY), id="id of another gateway"
        ),
        pytest.param(ActKind.VOID, replace(from_tron(), nonce=5), id="void of another nonce"),
        pytest.param(ActKind.REFUND, replace(from_here(), nonce=5), id="refund of another nonce"),
        pytest.param(
            ActKind.REFUND, replace(from_here(), destination=None), id="refund without destination"
        ),
        pytest.param(
            ActKind.REFUND,
            replace(from_here(), gateway=account_from_evm(b"\x33" * 20)),
            id="refund of another gateway",
        ),
        pytest.param(ActKind.DELIVER, replace(from_solana(), asset="GOOGx"), id="unknown asset"),
        pytest.param(ActKind.DELIVER, from_solana(shares=10**10 + 1), id="dust"),
        pytest.param(ActKind.DELIVER, from_solana(shares=0), id="nothing"),
        pytest.param(
            ActKind.DELIVER,
            replace(from_solana(), recipient=Account(b"\x41" * 32)),
            id="recipient of another chain",
        ),
        pytest.param(
            ActKind.DELIVER, replace(from_solana(), flaw=Reason.FEE_UNDERPAID), id="flawed"
        ),
        pytest.param(
            ActKind.DELIVER, replace(from_solana(), source=BNB), id="from the chain itself"
        ),
    ],
)
def test_a_deposit_that_does_not_fit_is_not_drafted(kind: ActKind, deposit: Deposit) -> None:
    """No payload exists for an act that the deposit does not allow."""
    with pytest.raises(DraftRefused):
        acts.payload(PLACE, kind, deposit, TERMS)


def test_a_flawed_deposit_can_still_be_voided() -> None:
    """What can not be delivered can be ruled out, so that its source refunds it."""
    flawed = replace(from_solana(), flaw=Reason.FEE_UNDERPAID, shares=Shares(1))
    assert acts.payload(PLACE, ActKind.VOID, flawed, TERMS)


@given(deadline=st.integers(0, 2**64 - 1), epoch=st.integers(0, 2**64 - 1))
def test_terms_survive_their_text(deadline: int, epoch: int) -> None:
    """Terms read from their own text are the same."""
    terms = GatewayTerms(deadline=deadline, epoch=epoch)
    assert read_terms(terms.text()) == terms


@pytest.mark.parametrize(
    "text", ["", " 1", "01", "-1", "1.0", "0x1", "1_0", "٣", str(2**64), "9" * 200]
)
def test_odd_numbers_are_no_terms(text: str) -> None:
    """Two texts never mean the same number, so that a draft has one form."""
    with pytest.raises(DraftRefused):
        read_terms({"deadline": text, "epoch": "1"})


@given(st.binary(max_size=80))
def test_garbage_has_no_signer(signature: bytes) -> None:
    """Any bytes can be judged, and none but a signature has an attester behind it."""
    assert signer_of(b"payload", signature) not in PLACE.attesters


async def test_the_upper_half_of_s_is_refused() -> None:
    """The twin of a signature, which the gateway refuses, is refused here too."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    good = await SIGNERS[0].sign(b"payload")
    s = order - int.from_bytes(good[32:64], "big")
    twin = good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]])
    assert signer_of(b"payload", good) == SIGNERS[0].public
    assert signer_of(b"payload", twin) is None
