from __future__ import annotations

import re
from pathlib import Path

import pytest

from relayer.domain.reasons import Reason

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deposits.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| `(test_\w+)` \|$", PAGE, re.MULTILINE)
FILES = (ROOT / "tests" / "e2e").glob("test_*.py")
TESTS = {
    name
    for file in FILES
    for name in re.findall(r"^async def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}
FILE_OF_ROWS = ("test_bad_deposits.py", "test_held_deposits.py", "test_no_deposits.py")
WANTED = (
    "garbage",
    "300 bytes",
    "future version",
    "two burns with one memo",
    "one burn with two memos",
    "permanent delegate",
    "(CPI)",
    "a delegate the owner approved",
    "unknown destination",
    "own chain",
    "another chain's type",
    "zero address",
    "gateway, token, mint",
    "token account of the asset",
    "token account of another asset",
    "off-curve",
    "sanctioned recipient",
    "sanctioned sender",
    "multiple of 1e10",
    "minimum",
    "underpaid",
    "cap",
    "paused destination",
    "inventory",
    "allowance",
    "per window",
    "frozen account",
    "failed transaction",
    "reorged",
    "look-alike",
    "phantom",
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_names_a_test_and_an_outcome(row: tuple[str, str, str]) -> None:
    """A test of that name stands in tests/e2e, and reasons are spelled as they are persisted."""
    _, outcome, test = row

    assert test in TESTS
    assert re.match(r"(both )?(parked|held|ignored|refused on chain|delivered)", outcome)
    words = set(re.findall(r"`(\w+)`", outcome))
    assert words <= {reason.value for reason in Reason}
    assert bool(words) is bool(re.match(r"(both )?(parked|held)", outcome))


def test_no_test_of_a_bad_deposit_is_without_a_row() -> None:
    """Who adds a test to those files adds its row."""
    written = {
        name
        for file in FILE_OF_ROWS
        for name in re.findall(
            r"^async def (test_\w+)", (ROOT / "tests" / "e2e" / file).read_text(), re.MULTILINE
        )
    }

    assert written - {test for *_, test in ROWS} == {"test_the_books_are_whole_after_all_that"}


@pytest.mark.parametrize("words", WANTED)
def test_every_known_kind_of_bad_deposit_has_a_row(words: str) -> None:
    """The list that operators asked for is complete."""
    assert any(words in deposit for deposit, *_ in ROWS)
