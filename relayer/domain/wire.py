"""How values look as JSON: bytes as lower-case hex, big integers as decimal strings.

JavaScript readers lose integers above 2**53, so every amount travels as text. Records are decoded
strictly: a missing field or a wrong type refuses the record; a field this version does not know
is passed over, so that version N reads what version N + 1 writes. Anybody may write a record, so
no number gets in that arithmetic, a database or a calendar could choke on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, from_json

from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused, VersionRefused

MAX_RECORD: Final = 256 * 1024
"""Bytes above which a record is refused unread."""

MAX_NUMBER: Final = 2**53
"""What no plain number (a time, a height, a count) of a record exceeds; amounts travel as text."""

MOST_WORDS: Final = 2_000
"""Characters of an error's words that a record carries."""

_DECIMAL: Final = re.compile("^(0|-?[1-9][0-9]{0,79})$")
_ODD: Final = re.compile(rb"[:\[,]\s*(?:-?[0-9]{16}|-?[0-9.]+[eE]|-?Infinity|NaN)")
"""How a number begins that is worth a closer look; few records hold any."""


def _bytes_from_hex(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    octets = bytes.fromhex(value) if isinstance(value, str) else b""
    if octets.hex() != value:
        msg = "expected lower-case hex text"
        raise ValueError(msg)
    return octets


def _word_from_hex(value: object) -> bytes:
    word = _bytes_from_hex(value)
    if len(word) != 32:
        msg = "expected 32 bytes of hex"
        raise ValueError(msg)
    return word


def _int_from_text(value: object) -> int:
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        msg = "expected an integer as decimal text"
        raise ValueError(msg)
    return int(value)


def _amount_from_text(value: object) -> int:
    amount = _int_from_text(value)
    if amount < 0:
        msg = "expected an amount, which is not negative"
        raise ValueError(msg)
    return amount


def _brief(text: str) -> str:
    return text[:MOST_WORDS]


def _text(pattern: str, description: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": description})


_VERSION: Final = "the version of the record; absent: 1"
_HEX: Final = _text("^([0-9a-f]{2})*$", "bytes as lower-case hex")
WORD_SCHEMA: Final = _text("^[0-9a-f]{64}$", "32 bytes as lower-case hex")
"""How 32 bytes look in a JSON schema."""
_ACCOUNT: Final = _text(
    "^[0-9a-f]{64}$",
    "32-byte account: Solana's key; an EVM address left-padded with zeros; on Tron 41 and 20 bytes",
)
_INTEGER: Final = _text(_DECIMAL.pattern, "an integer of any size as decimal text")
_SIGNED: Final = _text(_DECIMAL.pattern, "shares in 1e-18 share as decimal text")
_AMOUNT: Final = _text("^(0|[1-9][0-9]{0,79})$", "shares in 1e-18 share as decimal text")

HexBytes = Annotated[bytes, PlainValidator(_bytes_from_hex), PlainSerializer(bytes.hex), _HEX]
Word = Annotated[bytes, PlainValidator(_word_from_hex), PlainSerializer(bytes.hex), WORD_SCHEMA]
AccountWord = Annotated[
    Account, PlainValidator(_word_from_hex), PlainSerializer(bytes.hex), _ACCOUNT
]
SharesText = Annotated[Shares, PlainValidator(_int_from_text), PlainSerializer(str), _SIGNED]
"""A sum of shares, which may be negative."""
AmountText = Annotated[Shares, PlainValidator(_amount_from_text), PlainSerializer(str), _AMOUNT]
"""Shares that move."""
IntText = Annotated[int, PlainValidator(_int_from_text), PlainSerializer(str), _INTEGER]
Words = Annotated[
    str,
    PlainSerializer(_brief),
    Field(description=f"for people; never judged; the first {MOST_WORDS} characters"),
]
"""What an error said: written only as far as a record stays small, whatever a node answered."""
Name = Annotated[str, Field(max_length=128)]
Chain = Annotated[
    ChainId,
    Field(pattern="^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$", description="the chain's CAIP-2 name"),
]
Seconds = Annotated[float, Field(ge=0, le=MAX_NUMBER, description="seconds since the epoch")]
WholeSeconds = Annotated[int, Field(ge=0, le=MAX_NUMBER, description="seconds since the epoch")]
BlockHeight = Annotated[int, Field(ge=0, le=MAX_NUMBER, description="block number or slot")]
Version = Annotated[
    int, Field(ge=1, le=1), WithJsonSchema({"const": 1, "type": "integer", "description": _VERSION})
]
"""The version of a record; raised only where an older reader must refuse it."""
Count = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Terms = Mapping[str, str]
"""What a draft fixes beyond the deposit, by name (deadline, epoch; or blockhash, signers...)."""

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON bytes of one record type (or a union told apart by its ``type`` field)."""

    def __init__(self, kind: object, *, most: int = MAX_RECORD, remembered: int = 0) -> None:
        """Build the decoder of a dataclass or of an annotated union of dataclasses.

        ``most`` is how many bytes such a record may have. The last ``remembered`` texts are decoded
        once, for types that several readers of one process take from the same topic: records are
        frozen, so they may share them.
        """
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)  # type: ignore[arg-type]  # TypeForm
        self.most = most
        self._known: Callable[[bytes], T] = (
            lru_cache(maxsize=remembered)(self._decode) if remembered else self._decode
        )

    def encode(self, value: T) -> bytes:
        """The JSON text of a record, keys in declaration order."""
        return self._adapter.dump_json(value)

    def decode(self, data: bytes) -> T:
        """The record in a JSON text; RecordRefused if it is too large or not of this type.

        VersionRefused if a later release means something else by it.
        """
        return self._known(data)

    def _decode(self, data: bytes) -> T:
        if len(data) > self.most:
            msg = f"the record has {len(data)} bytes, more than {self.most}"
            raise RecordRefused(msg, Distrust.TOO_LARGE)
        if not data:
            msg = "the record has no value"
            raise RecordRefused(msg, Distrust.EMPTY)
        if _ODD.search(data) is not None:
            _check_numbers(data)
        try:
            return self._adapter.validate_json(data, strict=True)
        except ValidationError as error:
            raise _refusal(error.errors(include_url=False, include_input=False)) from error

    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of what is decoded; bounds on bytes and unknown numbers are not in it."""
        return self._adapter.json_schema(mode="validation")


def _refusal(errors: list[ErrorDetails]) -> RecordRefused:
    """Why a text is no such record: of another version before all that follows from it."""
    for one in errors:
        if one["loc"][-1:] == ("v",):
            said = f"{_place(one)}: a version that this release does not read, which reads 1"
            return VersionRefused(said, str(one["loc"][0]))
    return RecordRefused(f"{_place(errors[0]) or 'record'}: {errors[0]['msg']}")


def _place(error: ErrorDetails) -> str:
    return ".".join(map(str, error["loc"]))


def _check_numbers(data: bytes) -> None:
    """Refuse (RecordRefused) a text with a number that is not finite, or beyond MAX_NUMBER."""
    try:
        values = [from_json(data)]
    except ValueError:
        return  # no JSON: its decoder says so better
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
        elif isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:
            msg = "a number is not finite, or larger than any time or height"
            raise RecordRefused(msg, Distrust.NUMBER)
