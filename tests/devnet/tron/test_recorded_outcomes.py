"""What comes of a transaction has the shape that the real node gives it."""

from __future__ import annotations

import pytest

from tests.devnet.tron.recorded import Exchange, differences, exchanges
from tests.devnet.tron.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The real node gives a transaction 80 ms and this one's hashes take longer; the devnet has a limit
# of energy instead, which the endless loop of another recorded transaction meets.
SLOW_ONLY_THERE = "heavy keccak 2000x4KB"
ASKED = [
    one
    for one in exchanges("tx_outcomes")
    if not one.path.endswith("/broadcasthex") and SLOW_ONLY_THERE not in one.note
]
# Which opcode met the end of the energy, and whether a fee is paid in bytes or in sun, is not
# what this is about.
IGNORED = ("resMessage", "net_fee", "net_usage")


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.note)
async def test_an_outcome_looks_as_recorded(stage: Stage, one: Exchange) -> None:
    """Info, transaction and Ethereum receipt of 17 outcomes: success, reverts, lack of energy."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body, ignored=IGNORED) == []
