"""How a lane learns from a chain that the record which began a Transfer was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relayer.domain.distrust import Distrust
from relayer.domain.facts import DepositDenied, DepositVerified, Fact, id_of
from relayer.domain.stage import Transfer
from relayer.domain.transfer import TransferId


def doubts(
    transfers: Mapping[TransferId, Transfer], facts: Iterable[Fact]
) -> list[tuple[TransferId, Distrust]]:
    """Which facts, not folded yet, show that a record told what its chain does not."""
    found = [(id_of(fact), doubt_of(transfers.get(id_of(fact)), fact)) for fact in facts]
    return [(transfer_id, doubt) for transfer_id, doubt in found if doubt is not None]


def doubt_of(transfer: Transfer | None, fact: Fact) -> Distrust | None:
    """Why the record that began a Transfer was wrong, by what was read; None: it was right."""
    if transfer is None or transfer.verified:
        return None
    match fact:
        case DepositDenied():
            return Distrust.NOT_ON_CHAIN
        case DepositVerified(deposit=deposit) if deposit != transfer.deposit:
            return Distrust.ALTERED
        case DepositVerified(receipt=receipt, refunded=refunded) if refunded or receipt:
            return Distrust.REPEATED
        case _:
            return None
