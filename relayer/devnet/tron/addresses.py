"""Tron addresses: 21 bytes beginning with 0x41, shown as hex or base58check."""

from __future__ import annotations

import base58
from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

PREFIX = b"\x41"
LENGTH = 21


class AddressError(ValueError):
    """The text is not a Tron address in base58check."""


def to_visible(address: bytes) -> str:
    """Return the base58check form."""
    return base58.b58encode_check(address).decode()


def from_visible(text: str) -> bytes:
    """Return the 21 bytes of a base58check address; raises `AddressError`."""
    try:
        address: bytes = base58.b58decode_check(text)
    except ValueError as error:
        message = f"not base58check: {text}"
        raise AddressError(message) from error
    if not is_address(address):
        message = f"not a Tron address: {text}"
        raise AddressError(message)
    return address


def is_address(address: bytes) -> bool:
    """Tell whether these bytes have the length and prefix of a Tron address."""
    return len(address) == LENGTH and address.startswith(PREFIX)


def of_public_key(key: PublicKey) -> bytes:
    """Return the address of a secp256k1 public key."""
    return PREFIX + keccak(key.format(compressed=False)[1:])[-20:]


def of_private_key(key: bytes) -> bytes:
    """Return the address of a 32-byte private key."""
    return of_public_key(PrivateKey(key).public_key)


def of_contract(txid: bytes, owner: bytes) -> bytes:
    """Return where the contract that transaction `txid` of `owner` (21 bytes) creates will live."""
    return PREFIX + keccak(txid + owner)[-20:]
