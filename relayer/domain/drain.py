"""What is lost with the topics of a chain's lanes, and the Sweep does not find on the chains.

Open deposits it finds. What an operator has ordered, and which transactions may still land, only
the lanes know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from relayer.domain.authority import Signed
from relayer.domain.command import ordered
from relayer.domain.errors import RecordRefused
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.domain.records import INBOX, TRANSFER_KEY, TRANSFER_STATE
from relayer.domain.stage import Stage, Transfer


def kept_only_here(kept: Mapping[str, bytes], keeper: Keeper) -> list[str]:
    """What a lane's state holds that nobody else knows, in words with what to do.

    StateRefused for a value of another release.
    """
    texts = {key: keeper.opened(key, value) for key, value in kept.items()}
    transfers = [
        keeper.decode(key, text, TRANSFER_STATE)
        for key, text in texts.items()
        if text is not None and key.startswith(TRANSFER_KEY)
    ]
    return [objection for transfer in transfers for objection in _objections(transfer)]


def _objections(transfer: Transfer) -> list[str]:
    name = transfer.deposit.id.hex()
    if transfer.stage is Stage.SUBMITTED:
        tx = transfer.submission
        return [f"transaction {tx} for {name} may still land: halt the chain, wait for its end"]
    if transfer.order is not None:
        return [f"the refund of {name} is ordered and not finished: wait for its end"]
    if transfer.stage is Stage.PARKED and transfer.reason is Reason.BY_OPERATOR:
        return [f"{name} is parked by an operator and would be delivered: retry or refund it first"]
    return []


def not_taken(waiting: Iterable[bytes], operators: Collection[bytes], now: float) -> list[str]:
    """The operators' commands in force at ``now`` (seconds) among records that no lane has taken."""
    found: list[str] = []
    for data in waiting:
        try:
            record = INBOX.decode(data)
            command = ordered(record, operators, now) if isinstance(record, Signed) else None
        except RecordRefused:
            continue
        if command is not None:
            found.append(f"no lane has taken the {command.verb} of {command.transfer.hex()} yet")
    return found
