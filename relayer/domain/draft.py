"""What is signed, by whom, and the signed attempts that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from eth_hash.auto import keccak

from relayer.domain.authority import Signed
from relayer.domain.errors import Rejected
from relayer.domain.transfer import ActKind, Deposit, IdWord, TransferId
from relayer.domain.wire import (
    Chain,
    Count,
    HexBytes,
    Name,
    Seconds,
    Terms,
    Version,
    WholeSeconds,
    Word,
)

RETURN_SECONDS: Final = 180
"""The longest life of a signed void or refund, which no lease ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Exactly what a quorum is asked to sign for one Transfer.

    ``terms`` holds what the deposit does not fix (deadline and epoch; or blockhash, signers and
    payer); ``digest`` is keccak256 of the payload that an attester must rebuild on its own.
    ``dies_at`` (seconds since the epoch) is when signing it again is worth a new draft.
    """

    kind: ActKind
    id: IdWord
    chain: Chain
    terms: Terms
    digest: Word
    dies_at: WholeSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A draft and its deposit, published for attesters.

    ``order`` is the operator's signed command to refund, where the act needs one.
    """

    type: Literal["signing_request"] = "signing_request"
    v: Version = 1
    deposit: Deposit
    draft: Draft
    order: Signed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """One attester's signature over a draft's payload.

    ``attester`` is the public key as the destination knows it: 20-byte address, or Ed25519 key.
    """

    type: Literal["attestation"] = "attestation"
    v: Version = 1
    id: IdWord
    digest: Word
    attester: HexBytes
    signature: HexBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One attested item of a Submission: what to do for which deposit, under which terms."""

    deposit: Deposit
    draft: Draft
    attestations: tuple[Attestation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One signed transaction attempt, persisted before it is first broadcast.

    ``tx`` is the hash, signature or txid known before broadcasting. ``nonce`` orders EVM
    transactions of one payer (None elsewhere). ``bounds`` is what its chain's own rule needs to
    say that it can no longer land: lastValidBlockHeight, or expiration in milliseconds.
    ``price`` is what it offers for a unit of gas, in the chain's smallest coin (0 where nothing
    is bid). After ``useful_until`` (seconds; 0: unknown) none of its acts would be executed. One
    without ``ids`` executes nothing: it only uses up its nonce.
    """

    v: Version = 1
    tx: Name
    chain: Chain
    ids: tuple[IdWord, ...]
    raw: HexBytes
    nonce: Count | None = None
    bounds: Count = 0
    price: Count = 0
    useful_until: WholeSeconds = 0
    made_at: Seconds


class LandingKind(StrEnum):
    """What is known of a Submission on its chain."""

    PENDING = "pending"
    LANDED = "landed"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The outcome of a Submission by its chain's own rules.

    PENDING: it may still land, or stands in a block that is not final. LANDED: final and
    executed; ``skipped`` names items the gateway refused, with the gateway's word for why.
    FAILED: final and reverted whole. DEAD: it can never land. ``height`` and ``detail`` where
    they are known.
    """

    kind: LandingKind
    height: int | None = None
    skipped: Mapping[TransferId, str]
    detail: str = ""


PENDING: Final = Landing(kind=LandingKind.PENDING, skipped={})
"""Nothing is known but that it may still land."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landings:
    """What is known of several submissions at one moment, by their ``tx``.

    ``next_nonce`` is the payer's lowest nonce that no block has, final or not: a submission below
    it is in a block or has lost its nonce to another one. None on chains without nonces.
    """

    of: Mapping[str, Landing]
    next_nonce: int | None = None


class Unwanted(Rejected):
    """A submission of which no item would be executed; the message has the chain's word.

    ``words`` has the word for each transfer id, where the chain says one for each.
    """

    def __init__(self, message: str, words: Mapping[TransferId, str] | None = None) -> None:
        """Say it, and for whom."""
        super().__init__(message)
        self.words: Mapping[TransferId, str] = words or {}


def payload_digest(payload: bytes) -> bytes:
    """The 32 bytes that name a payload in requests, journals and attestations."""
    return keccak(payload)
