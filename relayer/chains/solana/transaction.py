"""A transaction that was executed: its instructions in order, whoever called them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import base58
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.programs import ATA_BYTES, MEMO_BYTES, SYSTEM_BYTES, TOKEN_BYTES
from relayer.domain.errors import Unavailable

_NEEDED = ("innerInstructions", "preTokenBalances", "postTokenBalances")
_READ = frozenset({TOKEN_BYTES, MEMO_BYTES, SYSTEM_BYTES, ATA_BYTES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction that ran; ``inner`` is -1 for one that stands in the message itself."""

    program: bytes
    accounts: tuple[bytes, ...]
    data: bytes
    outer: int
    inner: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A successful transaction; ``owners`` are those of token accounts before and after it.

    ``steps`` holds the instructions of Token-2022, of its associated accounts, of the memo and of
    the system program, in the order in which they ran. ``time`` is the block's, in seconds.
    """

    signature: str
    slot: int
    time: int
    steps: tuple[Step, ...]
    owners_before: Mapping[bytes, bytes]
    owners_after: Mapping[bytes, bytes]


def is_signature(text: str) -> bool:
    """Whether a text is a signature in base58, which is how a transaction is named."""
    try:
        Signature.from_string(text)
    except ValueError:
        return False
    return True


def read_transaction(signature: str, answer: Mapping[str, Any]) -> Executed | None:
    """What getTransaction (base64) says of a signature; None if the transaction failed.

    Unavailable if it speaks of another transaction, or leaves out what a final one has.
    """
    meta, time = answer["meta"], answer["blockTime"]
    if meta is None or time is None:
        raise Unavailable(f"the node tells {signature} without its meta or its time")
    if meta["err"] is not None:
        return None
    if any(meta.get(part) is None for part in _NEEDED):
        raise Unavailable(f"the node keeps no inner instructions or token balances: {signature}")
    transaction = VersionedTransaction.from_bytes(b64decode(answer["transaction"][0]))
    if str(transaction.signatures[0]) != signature:
        raise Unavailable(f"the node answers with another transaction than {signature}")
    keys = _keys(transaction, meta)
    return Executed(
        signature=signature,
        slot=answer["slot"],
        time=time,
        steps=tuple(_steps(transaction, meta, keys)),
        owners_before=_owners(meta["preTokenBalances"], keys),
        owners_after=_owners(meta["postTokenBalances"], keys),
    )


def _keys(transaction: VersionedTransaction, meta: Mapping[str, Any]) -> list[bytes]:
    keys = [bytes(key) for key in transaction.message.account_keys]
    loaded = meta.get("loadedAddresses") or {}
    for kind in ("writable", "readonly"):
        keys.extend(bytes(Pubkey.from_string(text)) for text in loaded.get(kind, ()))
    return keys


def _steps(
    transaction: VersionedTransaction, meta: Mapping[str, Any], keys: list[bytes]
) -> Iterator[Step]:
    inner = {entry["index"]: entry["instructions"] for entry in meta["innerInstructions"]}
    for outer, one in enumerate(transaction.message.instructions):
        program = keys[one.program_id_index]
        if program in _READ:
            accounts = tuple(keys[i] for i in one.accounts)
            yield Step(
                program=program, accounts=accounts, data=bytes(one.data), outer=outer, inner=-1
            )
        for place, called in enumerate(inner.get(outer, ())):
            program = keys[called["programIdIndex"]]
            if program in _READ:
                yield Step(
                    program=program,
                    accounts=tuple(keys[i] for i in called["accounts"]),
                    data=base58.b58decode(called["data"]),
                    outer=outer,
                    inner=place,
                )


def _owners(balances: list[Mapping[str, Any]], keys: list[bytes]) -> dict[bytes, bytes]:
    return {
        keys[entry["accountIndex"]]: bytes(Pubkey.from_string(entry["owner"]))
        for entry in balances
        if entry.get("owner")
    }
