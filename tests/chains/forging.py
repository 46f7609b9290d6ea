"""A Solana endpoint that rewrites what a transaction says: another amount, another recipient.

The signatures are left as they are: a reader takes a node's word that they were checked.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from enum import Enum
from typing import Any

from solders.transaction import VersionedTransaction

from relayer.chains.solana.programs import MEMO_BYTES, TOKEN_BYTES
from relayer.domain.memo import write_memo
from tests.chains.harness import fresh_account
from tests.chains.liars import Lie
from tests.chains.solana_world import BNB

_MOVES = (12, 15)
"""Instructions of the token program: TransferChecked and BurnChecked."""


class Part(Enum):
    """What is rewritten."""

    AMOUNT = "amount"
    RECIPIENT = "recipient"


def rewriting(part: Part) -> Lie:
    """The lie of an endpoint about each transaction that it is asked for."""

    def lie(method: str, _params: Sequence[Any], true: Any) -> Any:
        if method != "getTransaction" or true is None:
            return true
        raw = b64decode(true["transaction"][0])
        return {**true, "transaction": [b64encode(_rewritten(raw, part)).decode(), "base64"]}

    return lie


def _rewritten(raw: bytes, part: Part) -> bytes:
    message = VersionedTransaction.from_bytes(raw).message
    for one in message.instructions:
        program, data = bytes(message.account_keys[one.program_id_index]), bytes(one.data)
        if part is Part.AMOUNT and program == TOKEN_BYTES and data[0] in _MOVES:
            more = int.from_bytes(data[1:9], "little") + 10**8
            return raw.replace(data, data[:1] + more.to_bytes(8, "little") + data[9:])
        if part is Part.RECIPIENT and program == MEMO_BYTES:
            other = write_memo(BNB, fresh_account(BNB)).encode()
            return raw.replace(data, other) if len(other) == len(data) else raw
    return raw
