"""What a stranger has written cannot paint over an operator's terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.cli.words import MOST, plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("rule A is broken for TSLAx, 1.5 €", "rule A is broken for TSLAx, 1.5 €"),
        ("\x1b[2J\x1b[1;31mno halt is in force", "\\x1b[2J\\x1b[1;31mno halt is in force"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\u202eevil", "\\u202eevil"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_moves_colours_or_turns_is_escaped(written: str, shown: str) -> None:
    """Escape sequences, new lines, and marks that turn the direction of writing."""
    assert plain(written) == shown


@given(st.text(max_size=50))
def test_whatever_is_written_comes_out_printable(text: str) -> None:
    """Every character, and no more than fit a screen."""
    assert plain(text).isprintable()
    assert len(plain("x" * 10 * MOST)) == MOST
