from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.command import (
    COMMAND,
    MOST_SECONDS,
    Command,
    Verb,
    ordered,
    refund_ordered,
)
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import RESUME, Resume
from relayer.domain.orders import objection
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import TransferId
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, ID, SOLANA, deposit

OPERATOR = Ed25519Signer(b"\x22" * 32)
KEYS = {OPERATOR.public}
NOW = 1_000.0
COMMANDED = Command(
    command=b"\1" * 32,
    verb=Verb.REFUND,
    transfer=ID,
    chain=SOLANA,
    reason="tried",
    issued_at=1_000,
    expires_at=1_060,
)


async def _signed(body: bytes, role: Role = Role.OPERATOR) -> Signed:
    text = body.decode()
    signature = await OPERATOR.sign(to_sign(role, text))
    return Signed(role=role, key=OPERATOR.public, body=text, signature=signature)


async def test_an_operators_command_is_taken_as_it_was_signed() -> None:
    """Id, transfer, verb and expiry come out of the signed text."""
    signed = await _signed(COMMAND.encode(COMMANDED))

    assert ordered(signed, KEYS, NOW) == COMMANDED
    assert refund_ordered(signed, ID, KEYS, NOW) == COMMANDED


async def test_a_resume_is_no_command() -> None:
    """A recorded resume of the same operator does nothing to a transfer."""
    resume = Resume(command=b"\1" * 32, halts=(), reason="", issued_at=0, expires_at=2_000)

    with pytest.raises(RecordRefused, match="type"):
        ordered(await _signed(RESUME.encode(resume)), KEYS, NOW)


@pytest.mark.parametrize(
    ("changes", "now", "words"),
    [
        ({}, 1_060, "has expired"),
        ({"expires_at": 1_001 + MOST_SECONDS}, NOW, "would live for more than"),
        ({"verb": Verb.RETRY}, NOW, "is no order to refund"),
        ({"transfer": TransferId(b"\2" * 32)}, NOW, "is no order to refund"),
    ],
)
async def test_a_command_that_orders_no_refund_now_is_refused_by_name(
    changes: dict[str, object], now: float, words: str
) -> None:
    """Too late, too long-lived, another verb, another transfer."""
    signed = await _signed(COMMAND.encode(replace(COMMANDED, **changes)))  # type: ignore[arg-type]

    with pytest.raises(RecordRefused, match=words):
        refund_ordered(signed, ID, KEYS, now)


async def test_a_command_of_another_role_or_text_is_refused_by_name() -> None:
    """The same key as monitor, an unknown key, and a text that was not signed."""
    body = COMMAND.encode(COMMANDED)
    signed = await _signed(body)
    other = COMMAND.encode(replace(COMMANDED, verb=Verb.RETRY)).decode()
    refused = {
        "not a known operator": (await _signed(body, Role.MONITOR), KEYS),
        "which is not a known": (signed, {b"\7" * 32}),
        "does not verify": (replace(signed, body=other), KEYS),
    }

    for words, (one, keys) in refused.items():
        with pytest.raises(RecordRefused, match=words):
            ordered(one, keys, NOW)
    with pytest.raises(RecordRefused, match="no operator ordered"):
        refund_ordered(None, ID, KEYS, NOW)


def test_a_command_without_effect_says_why() -> None:
    """For another chain's lane, for no open transfer, and while a transaction is under way."""
    parked = Transfer(deposit=deposit(), stage=Stage.PARKED, since=0, seen_at=0)
    sent = replace(parked, stage=Stage.SUBMITTED)
    park, retry = replace(COMMANDED, verb=Verb.PARK), replace(COMMANDED, verb=Verb.RETRY)

    assert objection(COMMANDED, parked, BNB) == f"it is for a lane of {SOLANA}"
    assert objection(COMMANDED, None, SOLANA) == "no such transfer is open in this lane"
    assert "under way" in (objection(park, sent, SOLANA) or "")
    assert "under way" in (objection(retry, sent, SOLANA) or "")
    for taken in (COMMANDED, park, retry):
        assert objection(taken, parked, SOLANA) is None
    assert objection(COMMANDED, sent, SOLANA) is None
