"""Who signed: the 20-byte address behind a secp256k1 signature."""

from __future__ import annotations

from typing import Final

import coincurve
from eth_hash.auto import keccak

_SIGNATURE_BYTES = 65
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def signer_of(payload: bytes, signature: bytes) -> bytes | None:
    """The address that signed keccak256 of a payload; None for no acceptable signature.

    Acceptable is what the gateway takes: r ‖ s ‖ v of 65 bytes, v 27 or 28, s in the lower half.
    """
    if len(signature) != _SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, keccak(payload), hasher=None)
    except ValueError:
        return None
    return keccak(key.format(compressed=False)[1:])[12:]
