"""The records a lane sends in the commit that makes them true.

A lane speaks to three: to attesters (what to sign), to the lane of a source (whom to refund), and
to everybody (what became of a Transfer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayer.domain.address import ChainId
from relayer.domain.draft import Draft, SigningRequest
from relayer.domain.facts import Delivered, Fact, Refunded, Voided
from relayer.domain.records import (
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    TRANSFERS,
    TRANSFERS_TOPIC,
    RefundDue,
    TransferTold,
    inbox,
)
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Delivery, Void, lane_of
from relayer.ports.bus import Out


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How many partitions the two shared topics have, and how many lanes each chain."""

    requests: int
    transfers: int
    lanes: Mapping[ChainId, int]


class Outbox:
    """Writes and addresses the records of one lane; sends nothing itself."""

    def __init__(self, spread: Spread) -> None:
        """Address records by how many partitions each topic has."""
        self._spread = spread

    def request(self, transfer: Transfer, draft: Draft) -> Out:
        """What attesters are asked to sign."""
        request = SigningRequest(deposit=transfer.deposit, draft=draft, order=transfer.order)
        partition = lane_of(transfer.deposit.id, self._spread.requests)
        return _out(SIGNING_REQUESTS, partition, transfer.deposit.id, REQUESTS.encode(request))

    def hand_over(self, transfer: Transfer) -> Out | None:
        """The word to the source's lane that a void is final; None: nobody here serves it."""
        deposit = transfer.deposit
        lanes = self._spread.lanes.get(deposit.source)
        if lanes is None:
            return None  # no lane here writes to the source: the Sweep of whoever does finds it
        value = INBOX.encode(RefundDue(deposit=deposit))
        return _out(inbox(deposit.source), lane_of(deposit.id, lanes), deposit.id, value)

    def tell(self, transfer: Transfer, stage: Stage, fact: Fact) -> Out:
        """The public record of a Transfer that entered a stage."""
        told = tell(transfer, stage, fact)
        partition = lane_of(told.id, self._spread.transfers)
        return _out(TRANSFERS_TOPIC, partition, told.id, TRANSFERS.encode(told))


def _out(topic: str, partition: int, transfer_id: bytes, value: bytes) -> Out:
    return Out(topic=topic, partition=partition, key=transfer_id.hex(), value=value)


def tell(transfer: Transfer, stage: Stage, fact: Fact) -> TransferTold:
    """The public record of a Transfer that entered a stage."""
    deposit = transfer.deposit
    there = _there(fact)
    refund = fact.refund if isinstance(fact, Refunded) else None
    refunds = transfer.act is ActKind.REFUND
    return TransferTold(
        id=deposit.id,
        stage=stage,
        at=transfer.since,
        source=deposit.source,
        destination=deposit.destination,
        asset=deposit.asset,
        shares=deposit.shares,
        sender=deposit.sender,
        recipient=deposit.recipient,
        source_tx=deposit.location.tx,
        source_height=deposit.height,
        source_time=deposit.time,
        destination_tx=there.tx if there else None if refunds else transfer.submission,
        destination_height=there.height if there else None,
        destination_time=there.time if there else None,
        reason=transfer.reason,
        detail=transfer.detail,
        attempts=transfer.attempts,
        act=transfer.act,
        refund_tx=refund.tx if refund else transfer.submission if refunds else None,
        refund_height=refund.height if refund else None,
        refund_time=refund.time if refund else None,
    )


def _there(fact: Fact) -> Delivery | Void | None:
    """What happened on the destination, if that is what the fact says."""
    match fact:
        case Delivered(delivery=delivery):
            return delivery
        case Voided(void=void):
            return void
        case _:
            return None
