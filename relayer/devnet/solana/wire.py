"""Transactions as they came over the wire, and the accounts that their messages name."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from base58 import b58decode, b58encode
from solders.message import Message, MessageV0
from solders.transaction import SanitizeError, VersionedTransaction

from relayer.devnet.solana.programs import BUILTIN_PROGRAMS, COMPUTE_BUDGET, MEMO_PROGRAMS
from relayer.devnet.solana.rpcerror import invalid_params

if TYPE_CHECKING:
    from solders.hash import Hash
    from solders.instruction import CompiledInstruction
    from solders.pubkey import Pubkey

MAX_TRANSACTION_BYTES = 1232
_MAX_TEXT = {"base58": 1683, "base64": 1644}
_TRANSACTION = "solana_transaction::versioned::VersionedTransaction"
_LAMPORTS_PER_SIGNATURE = 5000
_MAX_COMPUTE_UNITS = 1_400_000


class Envelope:
    """One transaction: its message, signatures and bytes, with what the message says."""

    def __init__(self, transaction: VersionedTransaction) -> None:
        """Wrap a decoded `transaction`."""
        self.transaction = transaction
        self.message: Message | MessageV0 = transaction.message
        self.signature = str(transaction.signatures[0])

    @property
    def version(self) -> int | str:
        """The version as the node writes it: 0 or "legacy"."""
        return 0 if isinstance(self.message, MessageV0) else "legacy"

    @property
    def blockhash(self) -> Hash:
        """The recent blockhash that the message carries."""
        return self.message.recent_blockhash

    @cached_property
    def keys(self) -> list[Pubkey]:
        """Account keys written in the message itself, in its order."""
        return list(self.message.account_keys)

    @cached_property
    def instructions(self) -> list[CompiledInstruction]:
        """Top-level instructions."""
        return list(self.message.instructions)

    @cached_property
    def raw(self) -> bytes:
        """The transaction's bytes."""
        return bytes(self.transaction)

    def writable(self, index: int) -> bool:
        """Return whether the message's own key at `index` may be written."""
        header = self.message.header
        signers = header.num_required_signatures
        if index < signers:
            return index < signers - header.num_readonly_signed_accounts
        return index < len(self.keys) - header.num_readonly_unsigned_accounts

    def signer(self, index: int) -> bool:
        """Return whether the key at `index` signs."""
        return index < int(self.message.header.num_required_signatures)

    def program(self, instruction: CompiledInstruction) -> Pubkey:
        """Return the program that `instruction` calls (programs are never loaded by a table)."""
        return self.keys[instruction.program_id_index]

    def signatures_hold(self) -> bool:
        """Return whether every signature is right for its key."""
        return all(self.transaction.verify_with_results())

    def memo(self) -> str | None:
        """Return the memo field of getSignaturesForAddress: `[len] text` joined by `; `."""
        parts = []
        for instruction in self.instructions:
            if self.program(instruction) in MEMO_PROGRAMS:
                data = bytes(instruction.data)
                try:
                    text = data.decode()
                except UnicodeDecodeError:
                    text = "(unparseable)"
                parts.append(f"[{len(data)}] {text}")
        return "; ".join(parts) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the compute budget instructions ask for; price in micro-lamports a unit."""

    unit_limit: int
    unit_price: int

    @property
    def priority_fee(self) -> int:
        """Lamports paid above the signatures' fee."""
        return -(-self.unit_limit * self.unit_price // 1_000_000)


def budget_of(message: Message | MessageV0) -> Budget:
    """Return the compute budget of `message`, with the node's defaults."""
    keys = list(message.account_keys)
    limit: int | None = None
    price = default = 0
    for instruction in message.instructions:
        program, data = keys[instruction.program_id_index], bytes(instruction.data)
        default += 3_000 if program in BUILTIN_PROGRAMS else 200_000
        if program != COMPUTE_BUDGET or not data:
            continue
        if data[0] == 2:
            limit = int.from_bytes(data[1:5], "little")
        elif data[0] == 3:
            price = int.from_bytes(data[1:9], "little")
    return Budget(unit_limit=min(limit or default, _MAX_COMPUTE_UNITS), unit_price=price)


def fee_of(message: Message | MessageV0) -> int:
    """Return the fee of `message` in lamports: 5,000 a signature and the priority fee."""
    signatures = int(message.header.num_required_signatures) * _LAMPORTS_PER_SIGNATURE
    return signatures + budget_of(message).priority_fee


def base58_error(text: str) -> str:
    """Return the node's words for the first character that is not base58."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    index, char = next((i, c) for i, c in enumerate(text) if c not in alphabet)
    return f"invalid base58 encoding: InvalidCharacter {{ character: '{char}', index: {index} }}"


def _base64_error(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    for index, char in enumerate(text):
        if char not in alphabet:
            return f"invalid base64 encoding: InvalidByte({index}, {ord(char)})"
    return "invalid base64 encoding: InvalidPadding"


def decode_text(text: str, encoding: str, what: str = _TRANSACTION) -> bytes:
    """Return the bytes of `text`; refuses other encodings, bad characters and too much of it."""
    if encoding not in _MAX_TEXT:
        known = "Supported encodings: base58, base64"
        raise invalid_params(f"unsupported encoding: {encoding}. {known}")
    limits = f"(max: encoded/raw {_MAX_TEXT[encoding]}/{MAX_TRANSACTION_BYTES})"
    if len(text) > _MAX_TEXT[encoding]:
        raise invalid_params(f"{encoding} encoded {what} too large: {len(text)} bytes {limits}")
    if encoding == "base58":
        try:
            data = bytes(b58decode(text))
        except ValueError as error:
            raise invalid_params(base58_error(text)) from error
    else:
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise invalid_params(_base64_error(text)) from error
    if len(data) > MAX_TRANSACTION_BYTES:
        raise invalid_params(f"decoded {what} too large: {len(data)} bytes {limits}")
    return data


def decode_transaction(text: str, encoding: str) -> Envelope:
    """Return the transaction in `text`; raises the node's -32602 where there is none."""
    data = decode_text(text, encoding)
    try:
        transaction = VersionedTransaction.from_bytes(data)
    except ValueError as error:
        missing = 2 if data else 1
        reason = f"failed to deserialize {_TRANSACTION}: Attempting to read {missing} bytes"
        raise invalid_params(reason) from error
    if not transaction.signatures or not _sound(transaction):
        reason = "Transaction failed to sanitize accounts offsets correctly"
        raise invalid_params(f"invalid transaction: {reason}")
    return Envelope(transaction)


def _sound(transaction: VersionedTransaction) -> bool:
    try:
        transaction.sanitize()
    except SanitizeError:
        return False
    return True


def base58(data: bytes) -> str:
    """Return `data` in base58."""
    return b58encode(data).decode()
