"""The memo of a Solana deposit: ``xs1:`` followed by the recipient's CAIP-10 name.

The meaning of a prefix is fixed for ever; a new meaning takes a new prefix. Nothing else may
stand in the memo: no blanks, no second line, no trailing text.
"""

from __future__ import annotations

from typing import Final

from relayer.domain.address import Account, ChainId, caip10, parse_caip10
from relayer.domain.errors import AddressRefused, MemoRefused

PREFIX: Final = "xs1:"
MAX_MEMO: Final = 160
"""Bytes; the longest CAIP-10 name of a served chain is far below."""


def write_memo(destination: ChainId, recipient: Account) -> str:
    """The memo that asks for delivery to a recipient."""
    return PREFIX + caip10(destination, recipient)


def read_memo(data: bytes) -> tuple[ChainId, Account]:
    """Destination and recipient of a memo; MemoRefused if it is not exactly in the grammar."""
    if len(data) > MAX_MEMO:
        msg = f"the memo has {len(data)} bytes, more than {MAX_MEMO}"
        raise MemoRefused(msg)
    try:
        text = data.decode("ascii")
        destination, recipient = parse_caip10(text.removeprefix(PREFIX))
        exact = write_memo(destination, recipient)
    except (UnicodeDecodeError, AddressRefused) as error:
        msg = "the memo names no account of a known chain"
        raise MemoRefused(msg) from error
    if text not in (exact, exact.lower()):
        msg = "the memo is not exactly `xs1:` and a CAIP-10 name"
        raise MemoRefused(msg)
    return destination, recipient
