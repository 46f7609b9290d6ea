from __future__ import annotations

import pytest

from relayer.chains.gateway.events import SkipCode
from relayer.domain.facts import Unlanded
from relayer.domain.lifecycle import transition
from relayer.domain.reasons import Reason
from relayer.domain.refusals import FOR_GOOD, reason_of
from relayer.domain.stage import Stage, Transfer
from tests.domain.samples import ID, deposit

RACES = {SkipCode.NONE, SkipCode.ALREADY_DONE, SkipCode.VOIDED, SkipCode.DELIVERED}
"""The receipt says more than these codes: it is read again."""


def test_every_code_of_the_gateway_has_a_reason() -> None:
    """Looked at once more: what another act did, a token that does not say why."""
    plain = {code for code in SkipCode if reason_of(code.word) is Reason.SUBMISSION_FAILED}

    assert plain == RACES | {SkipCode.TOKEN_REFUSED}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("TokenRefused: BackedToken: receiver is sanctioned", Reason.RECIPIENT_SANCTIONED),
        ("BackedToken: token transfer while paused", Reason.PAUSED),
        ("Paused(2)", Reason.PAUSED),
        ("instruction 4: the token is paused", Reason.PAUSED),
        ("instruction 4: an account is frozen", Reason.RECIPIENT_FROZEN),
        ("instruction 5: the vault is short, or what it allows", Reason.NO_INVENTORY),
        ("whatever else", Reason.SUBMISSION_FAILED),
    ],
)
def test_words_of_tokens_and_of_solana_have_reasons(word: str, reason: Reason) -> None:
    """A user reads what stands in the way, not a code."""
    assert reason_of(word) is reason


@pytest.mark.parametrize("reason", sorted({*FOR_GOOD, Reason.PAUSED, Reason.NO_INVENTORY}))
def test_what_is_refused_for_good_is_parked_and_the_rest_tried_later(reason: Reason) -> None:
    """A skipped item whose cause cannot end by itself is never sent again by itself."""
    sent = Transfer(deposit=deposit(), stage=Stage.SUBMITTED, since=0, seen_at=0, submission="tx")
    skipped = Unlanded(id=ID, tx="tx", reason=reason, until=10, at=10)

    after = transition(sent, skipped).transfer

    assert after is not None
    assert after.stage is (Stage.PARKED if reason in FOR_GOOD else Stage.SEEN)
    assert (after.reason, after.attempts, after.submission) == (reason, 1, None)
