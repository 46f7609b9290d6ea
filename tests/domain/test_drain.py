"""What stands against making a chain's lanes anew: whatever the chains do not tell the Sweep."""

from __future__ import annotations

import time
from dataclasses import replace

from relayer.domain.draft import Submission
from relayer.domain.drain import kept_only_here, not_taken
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.domain.records import (
    INBOX,
    SUBMISSION_STATE,
    TRANSFER_STATE,
    lane_place,
)
from relayer.domain.stage import Stage, Transfer
from tests.domain.golden import SIGNED
from tests.domain.samples import BNB, ID, deposit
from tests.services.bridge import OPERATOR
from tests.services.orders import a_command, a_deposit, signed_by

KEEPER = Keeper(b"secret").at(lane_place(BNB, 0, 1))


def _kept(transfer: Transfer, keeper: Keeper = KEEPER) -> dict[str, bytes]:
    key = f"transfer/{ID.hex()}"
    return {key: keeper.seal(key, TRANSFER_STATE.encode(transfer))}


def _transfer(stage: Stage, **changes: object) -> Transfer:
    plain = Transfer(deposit=deposit(), stage=stage, since=1.0, seen_at=1.0)
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields of a Transfer


def test_what_the_sweep_finds_again_stands_against_nothing() -> None:
    """Open deposits, holds by rule, parks by rule; and attempts whose transfers are all closed."""
    submission = Submission(tx="0xcc", chain=BNB, ids=(ID,), raw=b"", nonce=1, made_at=1.0)
    key = "submission/0xcc"
    left = {key: KEEPER.seal(key, SUBMISSION_STATE.encode(submission)), "sweep/x": b"?"}

    assert kept_only_here(left, KEEPER) == []
    for stage in (Stage.SEEN, Stage.WAITING, Stage.DRAFTING, Stage.SIGNING, Stage.READY):
        assert kept_only_here(_kept(_transfer(stage)), KEEPER) == []
    parked = _transfer(Stage.PARKED, reason=Reason.MEMO_MALFORMED)
    assert kept_only_here(_kept(parked), KEEPER) == []


def test_what_only_the_lane_knows_is_told_with_what_to_do() -> None:
    """A transaction under way, a refund that is ordered, a transfer that an operator set aside."""
    told = [
        kept_only_here(_kept(transfer), KEEPER)[0]
        for transfer in (
            _transfer(Stage.SUBMITTED, submission="0xcc"),
            _transfer(Stage.SIGNING, order=SIGNED),
            _transfer(Stage.PARKED, reason=Reason.BY_OPERATOR),
        )
    ]

    assert "0xcc" in told[0]
    assert "halt the chain" in told[0]
    assert f"refund of {ID.hex()} is ordered" in told[1]
    assert "parked by an operator" in told[2]


def test_forged_state_stands_against_nothing() -> None:
    """Nor does that of another lane: whoever may write to the topic could else forbid the change."""
    parked = _transfer(Stage.PARKED, reason=Reason.BY_OPERATOR)
    other = Keeper(b"secret").at(lane_place(BNB, 1, 2))

    assert kept_only_here(_kept(parked, other), KEEPER) == []


async def test_a_command_that_no_lane_has_taken_is_told() -> None:
    """If an operator signed it and it is in force; whatever else waits, the chains tell again."""
    command = a_command(a_deposit())
    ours = INBOX.encode(await signed_by(command))
    forged = INBOX.encode(SIGNED)
    waiting = [ours, forged, INBOX.encode(deposit()), b"garbage", b""]

    told = not_taken(waiting, {OPERATOR.public}, time.time())
    later = not_taken(waiting, {OPERATOR.public}, command.expires_at + 1)

    assert told == [f"no lane has taken the refund of {command.transfer.hex()} yet"]
    assert later == []
