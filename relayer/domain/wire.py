"""How values look as JSON: bytes as lower-case hex, big integers as decimal strings.

JavaScript readers lose integers above 2**53, so every amount travels as text. Records are decoded
strictly: a missing field or a wrong type refuses the record; a field this version does not know
is passed over, so that version N reads what version N + 1 writes. Anybody may write a record, so
no number gets in that arithmetic, a database or a calendar could choke on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Generic, TypeVar

from pydantic import (
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
from relayer.domain.errors import RecordRefused

MAX_RECORD: Final = 256 * 1024
"""Bytes above which a record is refused unread."""

MAX_NUMBER: Final = 2**53
"""What no plain number (a time, a height, a count) of a record exceeds; amounts travel as text."""

_MAX_DIGITS: Final = 80
_ODD: Final = re.compile(rb"[:\[,]\s*(?:-?[0-9]{16}|-?[0-9.]+[eE]|-?Infinity|NaN)")
"""How a number begins that is worth a closer look; few records hold any."""


def _bytes_from_hex(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        msg = "expected lower-case hex text"
        raise ValueError(msg)
    return bytes.fromhex(value)


def _word_from_hex(value: object) -> bytes:
    word = _bytes_from_hex(value)
    if len(word) != 32:
        msg = "expected 32 bytes of hex"
        raise ValueError(msg)
    return word


def _int_from_text(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        msg = "expected an integer as decimal text"
        raise ValueError(msg)
    if isinstance(value, str) and (len(value) > _MAX_DIGITS or not value.lstrip("-").isdigit()):
        msg = "expected an integer as decimal text"
        raise ValueError(msg)
    return int(value)


_HEX: Final = WithJsonSchema({"type": "string", "pattern": "^([0-9a-f]{2})*$"})
WORD_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})
"""How 32 bytes look in a JSON schema."""
_INTEGER: Final = WithJsonSchema({"type": "string", "pattern": "^-?[0-9]{1,80}$"})

HexBytes = Annotated[bytes, PlainValidator(_bytes_from_hex), PlainSerializer(bytes.hex), _HEX]
Word = Annotated[bytes, PlainValidator(_word_from_hex), PlainSerializer(bytes.hex), WORD_SCHEMA]
AccountWord = Annotated[
    Account, PlainValidator(_word_from_hex), PlainSerializer(bytes.hex), WORD_SCHEMA
]
SharesText = Annotated[Shares, PlainValidator(_int_from_text), PlainSerializer(str), _INTEGER]
IntText = Annotated[int, PlainValidator(_int_from_text), PlainSerializer(str), _INTEGER]
Chain = ChainId
Terms = Mapping[str, str]
"""What a draft fixes beyond the deposit, by name (deadline, epoch; or blockhash, signers...)."""

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON bytes of one record type (or a union told apart by its ``type`` field)."""

    def __init__(self, kind: object) -> None:
        """Build the decoder of a dataclass or of an annotated union of dataclasses."""
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)  # type: ignore[arg-type]  # TypeForm

    def encode(self, value: T) -> bytes:
        """The JSON text of a record, keys in declaration order."""
        return self._adapter.dump_json(value)

    def decode(self, data: bytes) -> T:
        """The record in a JSON text; RecordRefused if it is too large or not of this type."""
        if len(data) > MAX_RECORD:
            msg = f"the record has {len(data)} bytes, more than {MAX_RECORD}"
            raise RecordRefused(msg, Distrust.TOO_LARGE)
        if not data:
            msg = "the record has no value"
            raise RecordRefused(msg, Distrust.EMPTY)
        if _ODD.search(data) is not None:
            _check_numbers(data)
        try:
            return self._adapter.validate_json(data, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            msg = f"{place or 'record'}: {first['msg']}"
            raise RecordRefused(msg, _why(first)) from error

    def json_schema(self) -> dict[str, object]:
        """The JSON schema of the record type."""
        return self._adapter.json_schema(mode="serialization")


def _why(first: ErrorDetails) -> Distrust:
    """A record of a known type whose version is none of ours is of another release."""
    future = first["loc"][-1:] == ("v",) and first["type"] == "literal_error"
    return Distrust.FUTURE_VERSION if future else Distrust.UNREADABLE


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
