"""The schema files and the code that decodes say the same, in both directions."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relayer.domain.authority import Signed
from relayer.domain.command import Command
from relayer.domain.draft import SigningRequest, Submission
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import ControlRecord, Lease, Resume, SupplyRecord, Verdict
from relayer.domain.records import InboxRecord, TransferTold
from relayer.domain.schemas import RECORDS
from relayer.domain.stage import Transfer
from relayer.domain.wire import MAX_NUMBER, Codec
from tests.architecture.tree import ROOT
from tests.domain.values import values

FOLDER = ROOT / "docs" / "schemas"

KINDS: dict[str, Any] = {
    "inbox": InboxRecord,
    "signing.requests": SigningRequest,
    "transfers": TransferTold,
    "supply": SupplyRecord,
    "control": ControlRecord,
    "signed": Signed,
    "signed.command": Command,
    "signed.resume": Resume,
    "signed.lease": Lease,
    "signed.verdict": Verdict,
    "state.relayer.transfer": Transfer,
    "state.relayer.submission": Submission,
}
NUMBERS = ("state.relayer.command", "state.relayer.sweep", "state.listener")

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, -2, 1.0, 1.5, MAX_NUMBER, MAX_NUMBER + 2, 10**90),
    *("", "1", "-0", "007", "-5", "1e3", "\u0663", "AB", "ab", "a b", "0x" + "0" * 62),
    *("00" * 32, "00" * 33, "AB" * 32, " " + "00" * 32, "eip155:56", "eip155:56\n", "EIP:1", "x:"),
    *("deliver", "refund", "halt", "signed", "no such word", "x" * 129, "\ud800"),
    *([], {}, [[]], ["00" * 32], {"v": 2}, {"low": "1", "high": 1}),
)
"""What a forger or a careless writer may put anywhere."""

FEW = max(10, settings().max_examples // 8)
"""Examples of each kind; their values are large, and take a while to think of."""

ONLY_IN_CODE = re.compile(r"not finite|valid integer|surrogate|is not valid UTF-8|JSON")
"""Why the code refuses what a schema cannot forbid: 1.0 is an integer to a schema, a number beyond
2**53 may stand in a field that nobody knows, and half a surrogate pair is no text."""


@cache
def validator(name: str) -> Any:
    """What judges by the file that is committed."""
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def codec(name: str) -> Codec[Any]:
    """What judges by the code."""
    return RECORDS[name].codec


def test_every_kind_of_record_is_tried_here() -> None:
    """A new kind of record cannot be left out of what follows."""
    assert {*KINDS, *NUMBERS} == set(RECORDS)


@pytest.mark.parametrize("name", KINDS)
def test_whatever_the_code_writes_its_schema_allows_and_the_code_reads_again(name: str) -> None:
    """Any value of the domain: written, allowed, read back the same."""

    @given(value=values(KINDS[name]))
    @settings(max_examples=FEW)
    def holds(value: Any) -> None:
        data = codec(name).encode(value)
        assert [error.message for error in validator(name).iter_errors(json.loads(data))] == []
        assert codec(name).decode(data) == value

    holds()


@pytest.mark.parametrize("name", KINDS)
def test_schema_and_code_take_and_refuse_the_same(name: str) -> None:
    """Records with something strange in a random place: taken by both, or refused by both."""

    @given(value=values(KINDS[name]), data=st.data())
    @settings(max_examples=FEW * 2)
    def holds(value: Any, data: st.DataObject) -> None:
        document = json.loads(codec(name).encode(value))
        agree(name, json.dumps(spoilt(document, data)))

    holds()


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", STRANGE)
def test_a_number_of_the_state_is_taken_and_refused_by_both(name: str, value: Any) -> None:
    """Cursors, marks and ends of commands are plain numbers."""
    agree(name, json.dumps(value))


def agree(name: str, text: str) -> None:
    """Schema and code come to the same end, or the code says what only code can forbid."""
    allowed = validator(name).is_valid(json.loads(text))
    why = refusal(name, text)

    assert allowed or why is not None, text
    assert not allowed or why is None or ONLY_IN_CODE.search(why), (text, why)


def refusal(name: str, text: str) -> str | None:
    """Why the code refuses a text; None if it takes it."""
    try:
        codec(name).decode(text.encode())
    except RecordRefused as refused:
        return str(refused)
    return None


def spoilt(document: Any, data: st.DataObject) -> Any:
    """A copy with one place changed, taken away, or added to."""
    copied = copy.deepcopy(document)
    inside, key = data.draw(st.sampled_from(_places(copied)))
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "change":
            inside[key] = data.draw(st.sampled_from(STRANGE))
        case "remove":
            del inside[key]
        case _ if isinstance(inside, dict):
            inside[data.draw(st.sampled_from(["v", "type", "later", ""]))] = data.draw(
                st.sampled_from(STRANGE)
            )
        case _:
            inside.append(data.draw(st.sampled_from(STRANGE)))
    return copied


def _places(document: Any) -> list[tuple[Any, Any]]:
    keys = document.keys() if isinstance(document, dict) else range(len(document))
    here = [(document, key) for key in keys]
    deeper = [document[key] for key in keys if isinstance(document[key], dict | list)]
    return here + [place for one in deeper for place in _places(one)]


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_no_record_is_refused_by_name(name: str) -> None:
    """Garbage, another kind of text, and one byte more than a record may have."""
    whole = b"1" if name in NUMBERS else b'{"type":"deposit","v":1}'
    too_large = whole + b" " * (codec(name).most - len(whole) + 1)
    for data in (b"", b"\xff\xfe", b"{", b"null", b"[]", b"NaN", b'"x"', too_large, b"[" * 9_000):
        with pytest.raises(RecordRefused, match=r".{10}"):
            codec(name).decode(data)
