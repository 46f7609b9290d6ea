"""Numbers in records that anybody may write: none of them gets as far as arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS, SUPPLY_RECORDS, Verdict
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.records import INBOX, TRANSFERS
from relayer.domain.wire import MAX_NUMBER
from tests.domain.samples import deposit
from tests.services.test_tracker import told

HOSTILE = ("NaN", "Infinity", "-Infinity", "1e999", "-1e300", "1" + "0" * 400, "-" + "9" * 4000)

VERDICT = Verdict(
    asset="TSLAx",
    at=1.5,
    monitor="aa",
    snapshots=(),
    k={},
    outstanding=None,
    in_flight=7,
    reserve=None,
    findings=(),
    withheld=None,
)
HALT = Halt(
    scope=Scope(kind=ScopeKind.GLOBAL), reason="r", evidence="e", raised_at=5, raised_by="me"
)


def _with(data: bytes, old: str, number: str) -> bytes:
    text = data.decode()
    assert text.count(old) == 1
    return text.replace(old, old.partition(":")[0] + ":" + number).encode()


@pytest.mark.parametrize("number", HOSTILE)
def test_a_number_that_is_none_is_refused_wherever_it_stands(number: str) -> None:
    """Infinite, not a number, or longer than a float holds: each would end who calculates."""
    records = (
        (SUPPLY_RECORDS, _with(SUPPLY_RECORDS.encode(VERDICT), '"in_flight":"7"', number)),
        (SUPPLY_RECORDS, _with(SUPPLY_RECORDS.encode(VERDICT), '"at":1.5', number)),
        (CONTROL_RECORDS, _with(CONTROL_RECORDS.encode(HALT), '"raised_at":5', number)),
        (TRANSFERS, _with(TRANSFERS.encode(replace(told(), at=1.5)), '"at":1.5', number)),
        (INBOX, _with(INBOX.encode(deposit(height=77)), '"height":77', number)),
    )
    for codec, data in records:
        with pytest.raises(RecordRefused):
            codec.decode(data)


@given(number=st.integers() | st.floats())
def test_what_is_decoded_can_be_calculated_with(number: float) -> None:
    """Whatever number a forger writes, it is refused or small enough for any arithmetic."""
    data = _with(INBOX.encode(deposit(height=77)), '"height":77', json.dumps(number))
    try:
        taken = INBOX.decode(data)
    except RecordRefused:
        return
    assert -MAX_NUMBER <= getattr(taken, "height") <= MAX_NUMBER  # noqa: B009 - of a union


def test_a_number_in_a_text_is_no_number() -> None:
    """A reason in words may hold any digits, and a record with an odd fraction is as good."""
    worded = replace(HALT, evidence=f"short of:{'9' * 50}, [NaN]")
    assert CONTROL_RECORDS.decode(CONTROL_RECORDS.encode(worded)) == worded
    early = replace(VERDICT, at=1.25e-7)
    assert SUPPLY_RECORDS.decode(SUPPLY_RECORDS.encode(early)) == early
