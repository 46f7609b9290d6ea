"""The 32-byte words of which calldata, events and EIP-712 structs are made."""

from __future__ import annotations

from typing import Final

from eth_hash.auto import keccak

from relayer.domain.errors import Unavailable

WORD: Final = 32
"""Bytes in a word."""


def word(number: int) -> bytes:
    """An unsigned number as a word."""
    return number.to_bytes(WORD, "big")


def padded(address: bytes) -> bytes:
    """A 20-byte address as a word."""
    return address.rjust(WORD, b"\0")


def number_at(data: bytes, place: int) -> int:
    """The unsigned number in the word at a place (counted in words)."""
    return int.from_bytes(data[place * WORD : (place + 1) * WORD], "big")


def signed_at(data: bytes, place: int) -> int:
    """The signed number (two's complement) in the word at a place."""
    return int.from_bytes(data[place * WORD : (place + 1) * WORD], "big", signed=True)


def word_at(data: bytes, place: int) -> bytes:
    """The word at a place."""
    return data[place * WORD : (place + 1) * WORD]


def address_at(data: bytes, place: int) -> bytes:
    """The 20-byte address in the word at a place; Unavailable if the word holds more."""
    return address_in(word_at(data, place))


def address_in(value: bytes) -> bytes:
    """The 20-byte address in a word; Unavailable if the word holds more."""
    if any(value[:12]):
        raise Unavailable(f"the node gave {value.hex()} where an address belongs")
    return value[12:]


def selector(signature: str) -> bytes:
    """The four bytes that name a function, from its signature with types only."""
    return keccak(signature.encode())[:4]


def bytes_array(parts: tuple[bytes, ...]) -> bytes:
    """The ABI encoding of a ``bytes[]``, without the offset that leads to it."""
    heads, tails, at = [], [], WORD * len(parts)
    for part in parts:
        heads.append(word(at))
        tail = word(len(part)) + part + b"\0" * (-len(part) % WORD)
        tails.append(tail)
        at += len(tail)
    return b"".join((word(len(parts)), *heads, *tails))


def array_of_dynamic(encoded: list[bytes]) -> bytes:
    """The ABI encoding of an array whose elements are dynamic and already encoded."""
    heads, at = [], WORD * len(encoded)
    for element in encoded:
        heads.append(word(at))
        at += len(element)
    return b"".join((word(len(encoded)), *heads, *encoded))
