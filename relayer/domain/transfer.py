"""The facts a chain holds about a Transfer, and the id that names it.

An id is a location, never a content: a parser change can not give the same deposit a second id.
EVM and Tron gateways count deposits per destination; Solana's ids are the place of the burn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal, NewType

from eth_hash.auto import keccak
from pydantic import Field, PlainSerializer, PlainValidator

from relayer.domain.address import Account, ChainId, chain_key
from relayer.domain.amount import Shares
from relayer.domain.reasons import Reason
from relayer.domain.wire import (
    MAX_NUMBER,
    WORD_SCHEMA,
    AccountWord,
    AmountText,
    BlockHeight,
    Chain,
    Count,
    HexBytes,
    Name,
    Version,
    WholeSeconds,
    _word_from_hex,
)

TransferId = NewType("TransferId", bytes)
"""32 bytes that name one Transfer on every chain."""

IdWord = Annotated[
    TransferId, PlainValidator(_word_from_hex), PlainSerializer(bytes.hex), WORD_SCHEMA
]

TAG: Final = keccak(b"xstocks-relayer/transfer/1")
NOWHERE: Final = Account(bytes(32))
"""Recipient or gateway of a deposit that has none."""

FAR_AHEAD: Final = 1_000_000
"""Heights above a final head, days of any chain: whoever claims a deposit there makes it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a deposit stands on its chain: transaction (hash, signature or txid) and index.

    On EVM ``index`` is the log's ``logIndex``, which counts in its block; on Tron it is the log's
    place inside its transaction's logs. ``inner`` is -1 on both.
    On Solana they are the indexes of the outer and the inner instruction (-1: not inner).
    """

    tx: Name
    index: Count
    inner: Annotated[int, Field(ge=-1, le=MAX_NUMBER)] = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A final burn or lock on the source chain: the fact that begins a Transfer.

    ``flaw`` names why a deposit can never be delivered (garbage memo, by a delegate, underpaid
    fee...); it is then parked, and ``destination`` may be absent. ``nonce`` and ``gateway`` are
    0 and NOWHERE on Solana. ``time`` is chain time in seconds since the epoch.
    """

    type: Literal["deposit"] = "deposit"
    v: Version = 1
    id: IdWord
    source: Chain
    destination: Chain | None
    asset: Name
    shares: AmountText
    sender: AccountWord
    refund_to: AccountWord
    recipient: AccountWord
    gateway: AccountWord = NOWHERE
    nonce: Count = 0
    location: Location
    height: BlockHeight
    time: WholeSeconds
    flaw: Reason | None = None

    @property
    def counted(self) -> bool:
        """Whether a gateway counted it, which refunds nothing that is not voided.

        What a place names (Solana) may have been refunded as flawed under older settings.
        """
        return any(self.gateway)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A final mint or release on the destination: the fact that completes a Transfer."""

    type: Literal["delivery"] = "delivery"
    v: Version = 1
    id: IdWord
    chain: Chain
    source: Chain | None
    asset: Name
    recipient: AccountWord
    shares: AmountText
    digest: HexBytes
    tx: Name
    height: BlockHeight
    time: WholeSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """A final act on the destination that rules the Delivery of an id out for ever."""

    type: Literal["void"] = "void"
    v: Version = 1
    id: IdWord
    chain: Chain
    tx: Name
    height: BlockHeight
    time: WholeSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A final act on the source that gives the shares of a voided Transfer back."""

    type: Literal["refund"] = "refund"
    v: Version = 1
    id: IdWord
    chain: Chain
    destination: Chain | None
    asset: Name
    recipient: AccountWord
    shares: AmountText
    tx: Name
    height: BlockHeight
    time: WholeSeconds


ChainFact = Deposit | Delivery | Void | Refund
"""What a chain's history holds that concerns Transfers."""


class ReceiptKind(StrEnum):
    """What the mark on the destination says."""

    DELIVERED = "delivered"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The mark on the destination that an id was delivered or voided.

    ``digest`` is the content digest stored by a gateway; Solana's receipt has none.
    """

    kind: ReceiptKind
    digest: HexBytes | None = None


class ActKind(StrEnum):
    """What a quorum may be asked to sign. Persisted: never rename or remove one."""

    DELIVER = "deliver"
    VOID = "void"
    REFUND = "refund"


class Mode(StrEnum):
    """How a chain's token leaves and enters circulation."""

    BURN_MINT = "burn-mint"
    LOCK_RELEASE = "lock-release"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """An asset on one chain: its token (contract or mint) and how it leaves circulation."""

    asset: str
    token: AccountWord
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """(source chain, destination chain, asset)."""

    source: ChainId
    destination: ChainId
    asset: str

    def __str__(self) -> str:
        """Readable, for logs and halts: ``asset source>destination``."""
        return f"{self.asset} {self.source}>{self.destination}"


def counted_id(source: ChainId, gateway: bytes, destination: ChainId, nonce: int) -> TransferId:
    """The id of a deposit that a gateway counted (EVM, Tron): design section 5, "Ids"."""
    words = (
        TAG,
        chain_key(source),
        gateway,
        chain_key(destination),
        nonce.to_bytes(32, "big"),
    )
    return TransferId(keccak(b"".join(words)))


def located_id(source: ChainId, signature: bytes, outer: int, inner: int) -> TransferId:
    """The id of a Solana deposit, from its place: 64-byte signature and instruction indexes.

    A top-level instruction has ``inner`` -1, hashed as 0xffffffff.
    """
    places = (outer % 2**32).to_bytes(4, "big") + (inner % 2**32).to_bytes(4, "big")
    return TransferId(keccak(TAG + chain_key(source) + signature + places))


def content_digest(
    transfer: TransferId,
    source: ChainId,
    token: bytes,
    recipient: bytes,
    shares: Shares,
) -> bytes:
    """What a delivery binds beyond its id: keccak256 of five 32-byte words.

    ``token`` and ``recipient`` are the words that the destination's contracts see: 20-byte
    addresses left-padded with zeros (on Tron too), Solana's keys as they are.
    """
    words = (transfer, chain_key(source), token, recipient, shares.to_bytes(32, "big"))
    return keccak(b"".join(word.rjust(32, b"\0") for word in words))


def lane_of(transfer: bytes, lanes: int) -> int:
    """The lane of a destination that owns a Transfer."""
    return int.from_bytes(transfer[:8], "big") % lanes


def owner_of(deposit: Deposit) -> ChainId:
    """The chain whose lanes own a deposit: its destination, or its source if it has none."""
    return deposit.destination or deposit.source
