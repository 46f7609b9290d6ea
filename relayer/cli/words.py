"""Words that a stranger may have written, made fit for an operator's terminal."""

from __future__ import annotations

from typing import Final

MOST: Final = 2_000
"""Characters of a text that are shown."""


def plain(text: object) -> str:
    """The text with everything escaped that moves a cursor, colours, hides or turns words around.

    Anybody may raise a halt: its evidence must not be able to paint over the others in the list.
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in str(text)[:MOST]
    )
