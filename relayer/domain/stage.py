"""Where a Transfer stands, and all that its lane knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relayer.domain.authority import Signed
from relayer.domain.draft import Attestation, Draft
from relayer.domain.reasons import Reason
from relayer.domain.transfer import ActKind, Deposit
from relayer.domain.wire import Count, Name, Seconds, Version, Words


class Stage(StrEnum):
    """Where a Transfer stands. Persisted: never rename or remove one."""

    SEEN = "seen"
    WAITING = "waiting"
    DRAFTING = "drafting"
    SIGNING = "signing"
    READY = "ready"
    SUBMITTED = "submitted"
    PARKED = "parked"
    DELIVERED = "delivered"
    VOIDED = "voided"
    REFUNDED = "refunded"


CLOSED: Final = frozenset({Stage.DELIVERED, Stage.REFUNDED})
"""Stages in which a Transfer has ended; the chain remembers."""

LEFT: Final = CLOSED | {Stage.VOIDED}
"""Stages in which a lane forgets a Transfer: a voided one goes on in the lane of its source."""

SIGNED: Final = frozenset({Stage.SIGNING, Stage.READY, Stage.SUBMITTED})
"""Stages in which a draft is being signed, or signed and under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One user's movement of an asset, as its lane knows it.

    ``due_at`` (seconds since the epoch) is when it wants attention by itself; ``verified`` says
    that this lane has read the deposit on the source chain. ``act`` is what this lane wants done,
    ``order`` the operator's signed command that makes it a void or a refund.
    """

    v: Version = 1
    deposit: Deposit
    stage: Stage
    since: Seconds
    seen_at: Seconds
    verified: bool = False
    reason: Reason | None = None
    detail: Words = ""
    due_at: Seconds | None = None
    attempts: Count = 0
    failures: Count = 0
    draft: Draft | None = None
    attestations: tuple[Attestation, ...] = ()
    submission: Name | None = None
    act: ActKind = ActKind.DELIVER
    order: Signed | None = None
