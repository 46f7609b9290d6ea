"""Who may say what: monitors sign leases and verdicts, operators sign commands, with Ed25519.

A Signed envelope carries the exact text that was signed; the signature covers the role's tag and
that text, so that no key's word can pass for another role's. No key has two roles.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.wire import Codec, HexBytes, Version, Word

_TAG: Final = "xstocks-relayer/{role}/1\n"


class Role(StrEnum):
    """Who signs records of the bus."""

    MONITOR = "monitor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A record signed under a role: the body's exact text, the key and the signature."""

    type: Literal["signed"] = "signed"
    v: Version = 1
    role: Role
    key: Word
    body: str
    signature: HexBytes


SIGNED: Final[Codec[Signed]] = Codec(Signed)


def to_sign(role: Role, body: str) -> bytes:
    """The bytes a role's key signs for a body."""
    return _TAG.format(role=role).encode() + body.encode()


def authentic(signed: Signed, role: Role, keys: Collection[bytes]) -> str:
    """The body of an envelope signed under ``role`` by one of ``keys``; else RecordRefused."""
    if signed.role is not role or signed.key not in keys:
        msg = f"signed by {signed.key.hex()} as {signed.role}, which is not a known {role}"
        raise RecordRefused(msg, Distrust.NOT_AUTHENTIC)
    try:
        public = Ed25519PublicKey.from_public_bytes(signed.key)
        public.verify(signed.signature, to_sign(role, signed.body))
    except (InvalidSignature, ValueError) as error:
        msg = f"the {role} signature of {signed.key.hex()} does not verify"
        raise RecordRefused(msg, Distrust.NOT_AUTHENTIC) from error
    return signed.body
