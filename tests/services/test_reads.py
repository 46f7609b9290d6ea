"""What a transfer may cost in reads of the chains, counted."""

from __future__ import annotations

from pathlib import Path

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.transfer import Deposit, Location, TransferId
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import Bridge, until

MANY = 40


def _deposit(number: int) -> Deposit:
    return deposit(
        id=TransferId(number.to_bytes(32, "big")),
        shares=Shares(RAW_UNIT),
        location=Location(tx=f"tx{number}", index=0),
    )


async def test_a_transfer_costs_few_reads_however_many_check_it(tmp_path: Path) -> None:
    """A lane and three attesters read each deposit once together, and receipts in groups."""
    bridge = Bridge(tmp_path)
    made = [bridge.chains[BNB].deposit(_deposit(number)) for number in range(1, MANY + 1)]

    async with bridge.running():
        await until(lambda: set(bridge.chains[SOLANA].executed) == {d.id for d in made})
        source, destination = bridge.read[BNB].calls, bridge.read[SOLANA].calls

    assert source["deposit_at"] == MANY
    assert destination["deposit_at"] == 0
    assert 0 < destination["receipts"] <= MANY
