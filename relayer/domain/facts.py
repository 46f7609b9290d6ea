"""The facts a Transfer is told: past tense, possibly twice, possibly out of order.

Times are seconds since the epoch. Persisted names never change meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.domain.authority import Signed
from relayer.domain.draft import Attestation, Draft
from relayer.domain.reasons import Reason
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    IdWord,
    Receipt,
    Refund,
    TransferId,
    Void,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositSeen:
    """A deposit record reached the lane; nothing about it is proven yet."""

    deposit: Deposit
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositVerified:
    """This process read the deposit, final, and what became of its id.

    ``receipt`` stands on the destination (None there: open); ``refunded`` says that the source
    gave the shares back.
    """

    deposit: Deposit
    receipt: Receipt | None
    at: float
    refunded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositDenied:
    """The source chain has no such final deposit: the record was forged or reorged away."""

    id: IdWord
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Something that ends by itself stands in the way; look again at ``until``."""

    id: IdWord
    reason: Reason
    until: float
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Set aside under a Reason until an operator acts.

    ``act`` is what was refused, where it was one act: the others are not parked for it.
    """

    id: IdWord
    reason: Reason
    at: float
    detail: str = ""
    act: ActKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The lane judged that a verified deposit may be delivered now."""

    id: IdWord
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """The draft to sign exists; ``until`` is how long to wait for its quorum."""

    id: IdWord
    draft: Draft
    until: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A valid signature over the current draft came in; ``needed`` make a quorum."""

    attestation: Attestation
    needed: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A signed transaction that carries this Transfer is persisted.

    ``replaces`` names the submission whose nonce it takes over: the Transfer counts as submitted
    under both, and at most one of them lands.
    """

    id: IdWord
    tx: str
    at: float
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """That transaction does not get in under a Reason that ends by itself; it may still land."""

    id: IdWord
    tx: str
    reason: Reason
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """That transaction is final and executed; the listener's fact closes the Transfer."""

    id: IdWord
    tx: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlanded:
    """That transaction failed, skipped the Transfer, or can never land."""

    id: IdWord
    tx: str
    reason: Reason
    until: float
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """The chain takes the draft with this digest no more, whatever its deadline."""

    id: IdWord
    digest: bytes
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The listener read the final delivery."""

    delivery: Delivery
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """The listener read the final void."""

    void: Void
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The listener read the final refund."""

    refund: Refund
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The time the Transfer asked to be looked at has come."""

    id: IdWord
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """An operator asks to look at a parked Transfer again."""

    id: IdWord
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrdered:
    """An operator ordered a refund; ``order`` is the signed command that attesters want to see."""

    id: IdWord
    order: Signed
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """The destination's lane told the source's that a void is final; nothing is proven yet."""

    deposit: Deposit
    at: float


Fact = (
    DepositSeen
    | DepositVerified
    | DepositDenied
    | Held
    | Parked
    | Accepted
    | Drafted
    | Attested
    | Sealed
    | Stuck
    | Landed
    | Unlanded
    | Outdated
    | Delivered
    | Voided
    | Refunded
    | Due
    | Retried
    | RefundOrdered
    | HandedOver
)


def id_of(fact: Fact) -> TransferId:
    """The id a fact is about."""
    match fact:
        case DepositSeen() | DepositVerified() | HandedOver():
            return fact.deposit.id
        case Attested():
            return fact.attestation.id
        case Delivered():
            return fact.delivery.id
        case Voided():
            return fact.void.id
        case Refunded():
            return fact.refund.id
        case _:
            return fact.id
