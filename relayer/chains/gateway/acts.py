"""What a quorum signs for a gateway, and the calldata that carries it there. Pure and hand-packed.

An item of a batch is static, so its words stand in a row; only the signatures are dynamic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from eth_hash.auto import keccak

from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.terms import GatewayTerms, read_terms
from relayer.chains.gateway.words import (
    WORD,
    array_of_dynamic,
    bytes_array,
    padded,
    selector,
    word,
)
from relayer.domain.address import Family, chain_key, check_shape, family_of, word_of
from relayer.domain.amount import RAW_UNIT
from relayer.domain.draft import Act, Attestation
from relayer.domain.errors import AddressRefused, DraftRefused
from relayer.domain.transfer import ActKind, Deposit, counted_id
from relayer.domain.wire import Terms

DELIVER_TYPE: Final = (
    "Deliver(bytes32 id,bytes32 source,address token,address recipient,uint256 shares,"
    "uint64 epoch,uint64 deadline)"
)
VOID_TYPE: Final = "Void(bytes32 id,uint64 epoch,uint64 deadline)"
REFUND_TYPE: Final = (
    "Refund(bytes32 id,address token,address refundTo,uint256 shares,uint64 epoch,uint64 deadline)"
)
DELIVER_TYPEHASH: Final = keccak(DELIVER_TYPE.encode())
VOID_TYPEHASH: Final = keccak(VOID_TYPE.encode())
REFUND_TYPEHASH: Final = keccak(REFUND_TYPE.encode())

_DELIVERY = "(bytes32,bytes32,uint64,address,address,uint256,uint64)"
_VOID = "(bytes32,bytes32,uint64,uint64)"
_REFUND = "(bytes32,uint64,address,address,address,bytes32,uint256,uint64)"
SIGNATURES: Final = {
    ActKind.DELIVER: f"deliver({_DELIVERY}[],bytes[][])",
    ActKind.VOID: f"voidDelivery({_VOID}[],bytes[][])",
    ActKind.REFUND: f"refund({_REFUND}[],bytes[][])",
}
ITEM_SIGNATURES: Final = {
    ActKind.DELIVER: f"deliverItem({_DELIVERY},bytes[])",
    ActKind.VOID: f"voidItem({_VOID},bytes[])",
    ActKind.REFUND: f"refundItem({_REFUND},bytes[])",
}
DEPOSIT_SIGNATURE: Final = "deposit(address,uint256,bytes32,bytes32,address)"

_SELECTORS = {kind: selector(text) for kind, text in SIGNATURES.items()}
_ITEM_SELECTORS = {kind: selector(text) for kind, text in ITEM_SIGNATURES.items()}
_DEPOSIT = selector(DEPOSIT_SIGNATURE)


def payload(place: GatewayPlace, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
    """The EIP-712 preimage of an act: 0x1901, domain separator, struct hash (66 bytes).

    DraftRefused for terms outside the grammar and for a deposit that the act does not fit.
    """
    read = read_terms(terms)
    check_fit(place, kind, deposit)
    return b"\x19\x01" + place.separator + keccak(_struct(place, kind, deposit, read))


def check_fit(place: GatewayPlace, kind: ActKind, deposit: Deposit) -> None:
    """Refuse (DraftRefused) a deposit that this gateway can not deliver, void or refund."""
    match kind:
        case ActKind.DELIVER:
            _check_inbound(place, deposit)
            _check_deliverable(place, deposit)
        case ActKind.VOID:
            _check_inbound(place, deposit)
        case ActKind.REFUND:
            _check_own(place, deposit)
            place.token(deposit.asset)
        case _:
            assert_never(kind)


def calldata(place: GatewayPlace, acts: Sequence[Act]) -> bytes:
    """The call that runs acts of one kind as one batch; ValueError for none or for a mixture."""
    kind = kind_of(acts)
    items = b"".join(_item(place, act) for act in acts)
    signed = array_of_dynamic([bytes_array(signatures(place, act)) for act in acts])
    head = word(2 * WORD) + word(3 * WORD + len(items)) + word(len(acts))
    return _SELECTORS[kind] + head + items + signed


def item_calldata(place: GatewayPlace, act: Act) -> bytes:
    """The call that a gateway makes to itself for one item: what a simulation asks for."""
    item = _item(place, act)
    head = item + word(len(item) + WORD)
    return _ITEM_SELECTORS[act.draft.kind] + head + bytes_array(signatures(place, act))


def kind_of(acts: Sequence[Act]) -> ActKind:
    """The one kind of all acts; ValueError for none or for a mixture."""
    kinds = {act.draft.kind for act in acts}
    if len(kinds) != 1:
        raise ValueError("a batch carries acts of exactly one kind")
    return kinds.pop()


def signatures(place: GatewayPlace, act: Act) -> tuple[bytes, ...]:
    """A quorum of an act's signatures by ascending signer, as the gateway wants them.

    Fewer than a quorum come out as they are: the gateway then says so.
    """
    known = {one.attester: one for one in act.attestations if one.attester in place.attesters}
    chosen: list[Attestation] = list(known.values())[: place.quorum]
    return tuple(one.signature for one in sorted(chosen, key=lambda one: one.attester))


def deposit_calldata(
    *, token: bytes, shares: int, destination: bytes, recipient: bytes, refund_to: bytes
) -> bytes:
    """The call that burns or locks shares (1e-18) towards a recipient on a destination (its key)."""
    words = (padded(token), word(shares), destination, recipient, padded(refund_to))
    return _DEPOSIT + b"".join(words)


def _check_inbound(place: GatewayPlace, deposit: Deposit) -> None:
    if deposit.destination != place.chain or deposit.source not in place.peers:
        raise DraftRefused(
            f"a deposit from {deposit.source} to {deposit.destination} is not for {place.chain}"
        )
    if family_of(deposit.source) is Family.SOLANA:
        return
    told = counted_id(deposit.source, deposit.gateway, place.chain, deposit.nonce)
    if told != deposit.id:
        raise DraftRefused(f"{deposit.id.hex()} is not the id of its gateway and nonce")


def _check_deliverable(place: GatewayPlace, deposit: Deposit) -> None:
    if deposit.flaw is not None:
        raise DraftRefused(f"{deposit.id.hex()} can not be delivered: {deposit.flaw}")
    if deposit.shares <= 0 or deposit.shares % RAW_UNIT:
        raise DraftRefused(f"{deposit.shares} shares are not a positive multiple of 1e10")
    place.token(deposit.asset)
    try:
        check_shape(place.chain, deposit.recipient)
    except AddressRefused as error:
        raise DraftRefused(str(error)) from error
    if deposit.recipient in {place.gateway, *(one.token for one in place.tokens)}:
        raise DraftRefused("the recipient is the gateway or a token: shares would be lost there")


def _check_own(place: GatewayPlace, deposit: Deposit) -> None:
    if deposit.source != place.chain or deposit.gateway != place.gateway:
        raise DraftRefused(f"{deposit.id.hex()} was not deposited at this gateway")
    if deposit.destination is None:
        raise DraftRefused(f"{deposit.id.hex()} went to a chain that is not a peer")
    told = counted_id(place.chain, place.gateway, deposit.destination, deposit.nonce)
    if told != deposit.id:
        raise DraftRefused(f"{deposit.id.hex()} is not the id of its gateway and nonce")


def _struct(place: GatewayPlace, kind: ActKind, deposit: Deposit, terms: GatewayTerms) -> bytes:
    ending = word(terms.epoch) + word(terms.deadline)
    words: tuple[bytes, ...]
    match kind:
        case ActKind.DELIVER:
            words = (
                DELIVER_TYPEHASH,
                deposit.id,
                chain_key(deposit.source),
                padded(place.token(deposit.asset)),
                padded(word_of(deposit.recipient)),
                word(deposit.shares),
            )
        case ActKind.VOID:
            words = (VOID_TYPEHASH, deposit.id)
        case ActKind.REFUND:
            words = (
                REFUND_TYPEHASH,
                deposit.id,
                padded(place.token(deposit.asset)),
                padded(word_of(deposit.refund_to)),
                word(deposit.shares),
            )
        case _:
            assert_never(kind)
    return b"".join(words) + ending


def _item(place: GatewayPlace, act: Act) -> bytes:
    deposit, deadline = act.deposit, word(read_terms(act.draft.terms).deadline)
    words: tuple[bytes, ...]
    match act.draft.kind:
        case ActKind.DELIVER:
            words = (
                *_origin(deposit),
                padded(place.token(deposit.asset)),
                padded(word_of(deposit.recipient)),
                word(deposit.shares),
            )
        case ActKind.VOID:
            words = _origin(deposit)
        case ActKind.REFUND:
            words = _own_item(place, deposit)
        case _:
            assert_never(act.draft.kind)
    return b"".join(words) + deadline


def _origin(deposit: Deposit) -> tuple[bytes, ...]:
    source = chain_key(deposit.source)
    if family_of(deposit.source) is Family.SOLANA:
        return source, deposit.id, word(0)
    return source, deposit.gateway, word(deposit.nonce)


def _own_item(place: GatewayPlace, deposit: Deposit) -> tuple[bytes, ...]:
    if deposit.destination is None:
        raise DraftRefused(f"{deposit.id.hex()} went to a chain that is not a peer")
    return (
        chain_key(deposit.destination),
        word(deposit.nonce),
        padded(place.token(deposit.asset)),
        padded(word_of(deposit.sender)),
        padded(word_of(deposit.refund_to)),
        deposit.recipient,
        word(deposit.shares),
    )
