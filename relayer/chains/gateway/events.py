"""The gateway's logs as facts.

A log that no gateway emits (too short, an address with more than 20 bytes, an id that is not the
hash of its own fields) is nonsense from the node: Unavailable, never a fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from eth_hash.auto import keccak

from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.words import WORD, address_at, address_in, number_at, word_at
from relayer.domain.address import Account, ChainId, check_shape
from relayer.domain.amount import Shares
from relayer.domain.errors import AddressRefused, Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.transfer import (
    ChainFact,
    Delivery,
    Deposit,
    Location,
    Refund,
    TransferId,
    Void,
    counted_id,
)

DEPOSITED_EVENT: Final = "Deposited(bytes32,uint64,address,bytes32,address,address,bytes32,uint256)"
DELIVERED_EVENT: Final = "Delivered(bytes32,bytes32,bytes32,address,address,uint256)"
REFUNDED_EVENT: Final = "Refunded(bytes32,bytes32,bytes32,address,address,uint256)"
VOIDED_EVENT: Final = "Voided(bytes32)"
SKIPPED_EVENT: Final = "Skipped(bytes32,uint8)"

DEPOSITED: Final = keccak(DEPOSITED_EVENT.encode())
DELIVERED: Final = keccak(DELIVERED_EVENT.encode())
REFUNDED: Final = keccak(REFUNDED_EVENT.encode())
VOIDED: Final = keccak(VOIDED_EVENT.encode())
SKIPPED: Final = keccak(SKIPPED_EVENT.encode())

FACT_TOPICS: Final = (DEPOSITED, DELIVERED, REFUNDED, VOIDED)
"""topic0 of the logs that are facts: what a reader asks the node for."""

_SHAPES = {  # topics, words of data
    DEPOSITED: (4, 5),
    DELIVERED: (4, 3),
    REFUNDED: (4, 3),
    VOIDED: (2, 0),
    SKIPPED: (2, 1),
}


class SkipCode(IntEnum):
    """Why the gateway executed an item of a batch not; numbers and names are the contract's."""

    NONE = 0
    ALREADY_DONE = 1
    CONFLICT = 2
    VOIDED = 3
    DELIVERED = 4
    EXPIRED = 5
    BAD_SIGNATURES = 6
    UNKNOWN_SOURCE = 7
    BAD_ORIGIN = 8
    UNLISTED_TOKEN = 9
    BAD_RECIPIENT = 10
    BAD_AMOUNT = 11
    CAP_EXCEEDED = 12
    TOKEN_PAUSED = 13
    TOKEN_REFUSED = 14
    INVENTORY_SHORT = 15
    UNKNOWN_DEPOSIT = 16
    EFFECT_MISMATCH = 17

    @property
    def word(self) -> str:
        """The gateway's own word for it, such as ``AlreadyDone``."""
        return "".join(part.capitalize() for part in self.name.split("_"))


_WORDS: Final = {code.value: code.word for code in SkipCode}


def skip_word(code: int) -> str:
    """The gateway's word for a skip code; ``SkipCode(n)`` for one that this version does not know."""
    return _WORDS.get(code) or f"SkipCode({code})"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLog:
    """One log of a gateway: ``tx`` and ``index`` as in a Location, ``time`` in seconds."""

    topics: tuple[bytes, ...]
    data: bytes
    tx: str
    index: int
    height: int
    time: int


def fact_of(place: GatewayPlace, log: GatewayLog) -> ChainFact | None:
    """The fact in a log of the gateway of ``place``; None for a log that is no fact."""
    if not log.topics or log.topics[0] not in FACT_TOPICS:
        return None
    _check_form(log)
    topic = log.topics[0]
    if topic == DEPOSITED:
        return _deposit(place, log)
    if topic == DELIVERED:
        return _delivery(place, log)
    if topic == REFUNDED:
        return _refund(place, log)
    return Void(
        id=TransferId(log.topics[1]), chain=place.chain, tx=log.tx, height=log.height, time=log.time
    )


def skipped_of(log: GatewayLog) -> tuple[TransferId, str] | None:
    """Id and word of an item that a batch skipped; None for any other log."""
    if not log.topics or log.topics[0] != SKIPPED:
        return None
    _check_form(log)
    return TransferId(log.topics[1]), skip_word(number_at(log.data, 0))


def _check_form(log: GatewayLog) -> None:
    topics, words = _SHAPES[log.topics[0]]
    if len(log.topics) != topics or len(log.data) != words * WORD:
        raise Unavailable(f"log {log.index} of {log.tx} does not have the gateway's form")


def _deposit(place: GatewayPlace, log: GatewayLog) -> Deposit:
    destination = place.peer(log.topics[3])
    recipient = Account(word_at(log.data, 3))
    asset = place.asset(address_in(log.topics[2]))
    fact = Deposit(
        id=TransferId(log.topics[1]),
        source=place.chain,
        destination=destination,
        asset=asset or _stranger(log.topics[2]),
        shares=Shares(number_at(log.data, 4)),
        sender=place.account(address_at(log.data, 1)),
        refund_to=place.account(address_at(log.data, 2)),
        recipient=recipient,
        gateway=place.gateway,
        nonce=number_at(log.data, 0),
        location=Location(tx=log.tx, index=log.index),
        height=log.height,
        time=log.time,
        flaw=_flaw(asset, destination, recipient),
    )
    _check_id(fact)
    return fact


def _check_id(fact: Deposit) -> None:
    if fact.destination is None:
        return
    if counted_id(fact.source, fact.gateway, fact.destination, fact.nonce) != fact.id:
        raise Unavailable(f"{fact.location.tx}: {fact.id.hex()} is not the id of its own fields")


def _flaw(asset: str | None, destination: ChainId | None, recipient: bytes) -> Reason | None:
    if asset is None or destination is None:
        return Reason.UNKNOWN_ROUTE
    try:
        check_shape(destination, recipient)
    except AddressRefused:
        return Reason.RECIPIENT_REFUSED
    return None


def _delivery(place: GatewayPlace, log: GatewayLog) -> Delivery:
    return Delivery(
        id=TransferId(log.topics[1]),
        chain=place.chain,
        source=place.peer(log.topics[2]),
        asset=place.asset(address_in(log.topics[3])) or _stranger(log.topics[3]),
        recipient=place.account(address_at(log.data, 1)),
        shares=Shares(number_at(log.data, 2)),
        digest=word_at(log.data, 0),
        tx=log.tx,
        height=log.height,
        time=log.time,
    )


def _refund(place: GatewayPlace, log: GatewayLog) -> Refund:
    return Refund(
        id=TransferId(log.topics[1]),
        chain=place.chain,
        destination=place.peer(log.topics[2]),
        asset=place.asset(address_in(log.topics[3])) or _stranger(log.topics[3]),
        recipient=place.account(address_at(log.data, 1)),
        shares=Shares(number_at(log.data, 2)),
        tx=log.tx,
        height=log.height,
        time=log.time,
    )


def _stranger(token: bytes) -> str:
    """The name of a token that the settings do not list: told rather than passed over."""
    return f"token:{address_in(token).hex()}"
