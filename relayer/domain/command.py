"""What an operator orders about one Transfer: retry it, park it, or refund it.

A Command is signed with an operator's key over its own id, the Transfer and its expiry, so that it
can neither be forged nor turned against another Transfer, and a recorded one ends by itself. Lanes
remember the ids they took until then: a second time it is refused by name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from relayer.domain.authority import Role, Signed, authentic
from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.transfer import IdWord, TransferId
from relayer.domain.wire import Chain, Codec, Version, WholeSeconds, Word

MOST_SECONDS: Final = 24 * 3600
"""The longest life of a command; lanes remember its id for as long."""


class Verb(StrEnum):
    """What is ordered. Persisted: never rename or remove one."""

    RETRY = "retry"
    PARK = "park"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An operator's word about one Transfer; void after ``expires_at`` (seconds).

    ``command`` names it, ``chain`` is the chain whose lane owns the Transfer.
    """

    type: Literal["command"] = "command"
    v: Version = 1
    command: Word
    verb: Verb
    transfer: IdWord
    chain: Chain
    reason: str
    issued_at: WholeSeconds
    expires_at: WholeSeconds


COMMAND: Final[Codec[Command]] = Codec(Command)


def ordered(signed: Signed, operators: Collection[bytes], now: float) -> Command:
    """The command in an envelope, if an operator signed it and it is in force at ``now`` (seconds).

    RecordRefused says by name what is wrong: another role, a forged signature, another kind of
    record, expired, or a life longer than allowed.
    """
    command = COMMAND.decode(authentic(signed, Role.OPERATOR, operators).encode())
    if now >= command.expires_at:
        msg = f"the {command.verb} command has expired: sign a new one"
        raise RecordRefused(msg, Distrust.EXPIRED)
    if command.expires_at - now > MOST_SECONDS:
        msg = f"the {command.verb} command would live for more than {MOST_SECONDS} s"
        raise RecordRefused(msg, Distrust.TOO_LONG)
    return command


def refund_ordered(
    order: Signed | None, transfer: TransferId, operators: Collection[bytes], now: float
) -> Command:
    """The operator's order to refund this very Transfer, in force at ``now``; else RecordRefused."""
    if order is None:
        msg = f"no operator ordered the refund of {transfer.hex()}"
        raise RecordRefused(msg, Distrust.NOT_APPLICABLE)
    command = ordered(order, operators, now)
    if command.verb is not Verb.REFUND or command.transfer != transfer:
        msg = f"a {command.verb} of {command.transfer.hex()} is no order to refund {transfer.hex()}"
        raise RecordRefused(msg, Distrust.NOT_APPLICABLE)
    return command
