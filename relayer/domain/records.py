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
from relayer.domain.wire import AccountWord, Codec, SharesText


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTold:
    """One lifecycle fact of the public stream ``transfers``; complete by itself.

    ``at`` is when the relayer knew it, seconds since the epoch; heights and times with a prefix
    are the chain's own. ``act`` is what is being done: stages of a void and of a refund look like
    those of a delivery. The refund's transaction stands on the source, as far as it is known.
    """

    type: Literal["transfer"] = "transfer"
    v: Literal[1] = 1
    id: IdWord
    stage: Stage
    at: float
    source: ChainId
    destination: ChainId | None
    asset: str
    shares: SharesText
    sender: AccountWord
    recipient: AccountWord
    source_tx: str
    source_height: int
    source_time: int
    destination_tx: str | None = None
    destination_height: int | None = None
    destination_time: int | None = None
    reason: Reason | None = None
    detail: str = ""
    attempts: int = 0
    act: ActKind = ActKind.DELIVER
    refund_tx: str | None = None
    refund_height: int | None = None
    refund_time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDue:
    """The destination's lane hands a voided Transfer over to the lane of its source.

    Only a hint: the source's lane and every attester read the final void themselves.
    """

    type: Literal["refund_due"] = "refund_due"
    v: Literal[1] = 1
    deposit: Deposit


InboxRecord = Deposit | Delivery | Void | Refund | Attestation | Signed | RefundDue

INBOX: Final[Codec[InboxRecord]] = Codec(Annotated[InboxRecord, Field(discriminator="type")])
REQUESTS: Final[Codec[SigningRequest]] = Codec(SigningRequest)
TRANSFERS: Final[Codec[TransferTold]] = Codec(TransferTold)
TRANSFER_STATE: Final[Codec[Transfer]] = Codec(Transfer)
SUBMISSION_STATE: Final[Codec[Submission]] = Codec(Submission)


def inbox(chain: ChainId) -> str:
    """The topic that the lanes of a destination fold."""
    return f"bridge.inbox.{topic_word(chain)}"


def state(role: str, chain: ChainId) -> str:
    """The topic of a role's state for one chain."""
    return f"bridge.state.{role}.{topic_word(chain)}"


SIGNING_REQUESTS: Final = "bridge.signing.requests"
TRANSFERS_TOPIC: Final = "bridge.transfers"
SUPPLY: Final = "bridge.supply"
CONTROL: Final = "bridge.control"


def topic_word(chain: ChainId) -> str:
    """A chain's name where colons are not allowed: ``eip155-56``."""
    return chain.replace(":", "-")
