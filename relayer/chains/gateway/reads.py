"""The gateway's reads: one call each for its books, its receipts and its clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relayer.chains.gateway.place import GatewayPlace, mode_of
from relayer.chains.gateway.words import (
    WORD,
    address_at,
    number_at,
    padded,
    selector,
    signed_at,
    word,
    word_at,
)
from relayer.domain.address import word_of
from relayer.domain.amount import Shares
from relayer.domain.errors import Unavailable
from relayer.domain.supply import Counters, Interval, SupplySnapshot
from relayer.domain.transfer import Receipt, ReceiptKind, TokenPlace, TransferId

RECEIPTS_SIGNATURE: Final = "receipts(bytes32[])"
DEPOSITS_SIGNATURE: Final = "deposits(bytes32[])"
SNAPSHOT_SIGNATURE: Final = "snapshot(address[])"
ITEM_GAS_SIGNATURE: Final = "itemGas()"
ITEM_GAS_CALL: Final = selector(ITEM_GAS_SIGNATURE)
"""Calldata that asks for the gas each item of a batch gets."""

VOID_MARK: Final = word(1)
"""What ``receipts`` answers for a voided id."""

PAUSE_DEPOSIT: Final = 1
PAUSE_DELIVER: Final = 2
PAUSE_REFUND: Final = 4

_RECEIPTS = selector(RECEIPTS_SIGNATURE)
_DEPOSITS = selector(DEPOSITS_SIGNATURE)
_SNAPSHOT = selector(SNAPSHOT_SIGNATURE)
_HEAD_WORDS = 5
_STATE_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNow:
    """The gateway at one block: its height, chain time (seconds), epoch and pause flags."""

    height: int
    time: int
    epoch: int
    paused: int


def receipts_call(ids: Sequence[TransferId]) -> bytes:
    """Calldata that asks what became of ids."""
    return _RECEIPTS + word(WORD) + word(len(ids)) + b"".join(ids)


def read_receipts(ids: Sequence[TransferId], answer: bytes) -> Mapping[TransferId, Receipt]:
    """The receipts in the answer to ``receipts_call(ids)``, of those ids that have one."""
    if len(answer) != (2 + len(ids)) * WORD or number_at(answer, 1) != len(ids):
        raise Unavailable(f"the node answered {len(answer)} bytes to {len(ids)} receipts")
    marks = {transfer: word_at(answer, 2 + place) for place, transfer in enumerate(ids)}
    return {transfer: _receipt(mark) for transfer, mark in marks.items() if any(mark)}


def _receipt(mark: bytes) -> Receipt:
    if mark == VOID_MARK:
        return Receipt(kind=ReceiptKind.VOIDED)
    return Receipt(kind=ReceiptKind.DELIVERED, digest=mark)


def refunds_call(ids: Sequence[TransferId]) -> bytes:
    """Calldata that asks which deposits of this gateway were given back."""
    return _DEPOSITS + word(WORD) + word(len(ids)) + b"".join(ids)


def read_refunds(ids: Sequence[TransferId], answer: bytes) -> frozenset[TransferId]:
    """The ids that the answer to ``refunds_call(ids)`` calls refunded."""
    count = len(ids)
    starts = (2 * WORD, (3 + count) * WORD)
    if len(answer) != (4 + 2 * count) * WORD:
        raise Unavailable(f"the node answered {len(answer)} bytes to {count} deposits")
    if (number_at(answer, 0), number_at(answer, 1)) != starts or any(
        number_at(answer, start // WORD) != count for start in starts
    ):
        raise Unavailable(f"the node's answer to {count} deposits is not in the gateway's form")
    first = starts[1] // WORD + 1
    return frozenset(one for place, one in enumerate(ids) if number_at(answer, first + place))


def snapshot_call(tokens: Sequence[TokenPlace] = ()) -> bytes:
    """Calldata that asks for the books of tokens; without tokens, for height, time and epoch."""
    addresses = b"".join(padded(word_of(place.token)) for place in tokens)
    return _SNAPSHOT + word(WORD) + word(len(tokens)) + addresses


def read_now(answer: bytes) -> GatewayNow:
    """Height, time, epoch and pause flags in the answer to a ``snapshot_call``."""
    if len(answer) < (_HEAD_WORDS + 1) * WORD:
        raise Unavailable(f"the node answered {len(answer)} bytes to a snapshot: no gateway there")
    return GatewayNow(
        height=number_at(answer, 0),
        time=number_at(answer, 1),
        epoch=number_at(answer, 2),
        paused=number_at(answer, 3),
    )


def read_snapshots(place: GatewayPlace, answer: bytes) -> Sequence[SupplySnapshot]:
    """The snapshots in the answer to ``snapshot_call(place.tokens)``, in their order."""
    now = read_now(answer)
    wanted = _HEAD_WORDS + 1 + len(place.tokens) * _STATE_WORDS
    if len(answer) != wanted * WORD:
        raise Unavailable(f"the node answered {len(answer)} bytes to {len(place.tokens)} books")
    books = answer[(_HEAD_WORDS + 1) * WORD :]
    size = _STATE_WORDS * WORD
    return tuple(
        _snapshot(place, now, token, books[at * size : (at + 1) * size])
        for at, token in enumerate(place.tokens)
    )


def _snapshot(
    place: GatewayPlace, now: GatewayNow, token: TokenPlace, book: bytes
) -> SupplySnapshot:
    mode, multiplier = mode_of(number_at(book, 1)), number_at(book, 3)
    if mode is None or multiplier == 0 or address_at(book, 0) != word_of(token.token):
        raise Unavailable(f"the gateway on {place.chain} does not serve the token of {token.asset}")
    return SupplySnapshot(
        chain=place.chain,
        asset=token.asset,
        mode=mode,
        height=now.height,
        time=now.time,
        supply=Interval.from_rounded(number_at(book, 2), multiplier),
        held=Shares(number_at(book, 4)),
        inventory=Shares(signed_at(book, 5)),
        counters=Counters(
            deposited=Shares(number_at(book, 6)),
            delivered=Shares(number_at(book, 7)),
            refunded=Shares(number_at(book, 8)),
        ),
        multiplier=multiplier,
        paused=bool(number_at(book, 9) or now.paused & PAUSE_DELIVER),
    )
