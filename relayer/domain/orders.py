"""What a command does to the Transfer it names, and what makes it pointless."""

from __future__ import annotations

from typing import assert_never

from relayer.domain.address import ChainId
from relayer.domain.authority import Signed
from relayer.domain.command import Command, Verb
from relayer.domain.facts import Fact, Parked, RefundOrdered, Retried
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer


def objection(command: Command, transfer: Transfer | None, chain: ChainId) -> str | None:
    """Why a command does nothing to a Transfer of this chain's lane; None if it does."""
    if command.chain != chain:
        return f"it is for a lane of {command.chain}"
    if transfer is None:
        return "no such transfer is open in this lane"
    busy = transfer.stage is Stage.SUBMITTED
    match command.verb:
        case Verb.REFUND:
            return None
        case Verb.PARK:
            return "a transaction is under way; park it again after that" if busy else None
        case Verb.RETRY:
            idle = transfer.stage in {Stage.PARKED, Stage.WAITING, Stage.SEEN}
            return None if idle else f"it is {transfer.stage}: work on it is under way"
        case _:
            assert_never(command.verb)


def fact_of(command: Command, signed: Signed, at: float) -> Fact:
    """The fact that a command is, once it is taken at ``at`` (seconds since the epoch)."""
    match command.verb:
        case Verb.REFUND:
            return RefundOrdered(id=command.transfer, order=signed, at=at)
        case Verb.PARK:
            return Parked(
                id=command.transfer, reason=Reason.BY_OPERATOR, at=at, detail=command.reason
            )
        case Verb.RETRY:
            return Retried(id=command.transfer, at=at)
        case _:
            assert_never(command.verb)
