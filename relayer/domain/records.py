"""What travels on the bus: the union of each topic, strictly decoded, versioned.

Version 1 of every record. A record is at most MAX_RECORD bytes; unknown fields are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from relayer.domain.address import ChainId
from relayer.domain.authority import Signed
from relayer.domain.draft import Attestation, SigningRequest, Submission
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Delivery, Deposit, IdWord, Refund, Void
from relayer.domain.wire import (
    MAX_NUMBER,
    MAX_RECORD,
    AccountWord,
    AmountText,
    BlockHeight,
    Chain,
    Codec,
    Count,
    Name,
    Seconds,
    Version,
    WholeSeconds,
    Words,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTold:
    """One lifecycle fact of the public stream ``transfers``; complete by itself.

    ``at`` is when the relayer knew it, seconds since the epoch; heights and times with a prefix
    are the chain's own. ``act`` is what is being done: stages of a void and of a refund look like
    those of a delivery. The refund's transaction stands on the source, as far as it is known.
    """

    type: Literal["transfer"] = "transfer"
    v: Version = 1
    id: IdWord
    stage: Stage
    at: Seconds
    source: Chain
    destination: Chain | None
    asset: Name
    shares: AmountText
    sender: AccountWord
    recipient: AccountWord
    source_tx: Name
    source_height: BlockHeight
    source_time: WholeSeconds
    destination_tx: Name | None = None
    destination_height: BlockHeight | None = None
    destination_time: WholeSeconds | None = None
    reason: Reason | None = None
    detail: Words = ""
    attempts: Count = 0
    act: ActKind = ActKind.DELIVER
    refund_tx: Name | None = None
    refund_height: BlockHeight | None = None
    refund_time: WholeSeconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDue:
    """The destination's lane hands a voided Transfer over to the lane of its source.

    Only a hint: the source's lane and every attester read the final void themselves.
    """

    type: Literal["refund_due"] = "refund_due"
    v: Version = 1
    deposit: Deposit


InboxRecord = Deposit | Delivery | Void | Refund | Attestation | Signed | RefundDue

MOST_INBOX: Final = 64 * 1024
"""Bytes of an inbox record. Anybody may write one, and a lane keeps parts of it in its state: they
must fit there, or whoever writes the largest record ends the lane that keeps it."""

INBOX: Final[Codec[InboxRecord]] = Codec(
    Annotated[InboxRecord, Field(discriminator="type")], most=MOST_INBOX
)
REQUESTS: Final[Codec[SigningRequest]] = Codec(SigningRequest, remembered=64)
TRANSFERS: Final[Codec[TransferTold]] = Codec(TransferTold)
TRANSFER_STATE: Final[Codec[Transfer]] = Codec(Transfer)
SUBMISSION_STATE: Final[Codec[Submission]] = Codec(Submission, most=2 * MAX_RECORD)
"""EVM nodes take transactions of 128 KiB, which have twice as many characters here."""
NUMBER_STATE: Final[Codec[int]] = Codec(Annotated[int, Field(ge=-1, le=MAX_NUMBER)])
"""A cursor or a Sweep's mark (a height), or when a command ends (seconds since the epoch)."""


def inbox(chain: ChainId) -> str:
    """The topic that the lanes of a destination fold."""
    return f"bridge.inbox.{topic_word(chain)}"


def state(role: str, chain: ChainId) -> str:
    """The topic of a role's state for one chain."""
    return f"bridge.state.{role}.{topic_word(chain)}"


def lane_place(chain: ChainId, number: int, lanes: int) -> str:
    """The place of a lane's state: with another number of lanes nothing opens that was kept."""
    return f"{chain} {number} of {lanes}"


TRANSFER_KEY: Final = "transfer/"
SUBMISSION_KEY: Final = "submission/"
"""What the keys of a lane's state begin with."""

SIGNING_REQUESTS: Final = "bridge.signing.requests"
TRANSFERS_TOPIC: Final = "bridge.transfers"
SUPPLY: Final = "bridge.supply"
CONTROL: Final = "bridge.control"


def topic_word(chain: ChainId) -> str:
    """A chain's name where colons are not allowed: ``eip155-56``."""
    return chain.replace(":", "-")
