"""Chains by CAIP-2, accounts as 32 bytes, and the texts people write for both.

A recipient is 32 bytes on every chain: Solana's key; an EVM address left-padded with zeros; on
Tron 0x41 followed by the 20 bytes, left-padded with zeros. A BNB address is therefore never a
valid Tron one, although both have 20 bytes underneath.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

import base58
from eth_hash.auto import keccak

from relayer.domain.errors import AddressRefused

ChainId = NewType("ChainId", str)
"""A chain's CAIP-2 name, such as ``eip155:56``."""

Account = NewType("Account", bytes)
"""An account in 32-byte form."""

TRON_PREFIX: Final = 0x41
_EVM_BYTES: Final = 20
_KEY_BYTES: Final = 32


class Family(StrEnum):
    """The namespaces of CAIP-2 that the relayer speaks."""

    EVM = "eip155"
    SOLANA = "solana"
    TRON = "tron"


def family_of(chain: ChainId) -> Family:
    """The family of a chain; AddressRefused for one the relayer does not speak."""
    namespace, colon, reference = chain.partition(":")
    if not colon or not reference or namespace not in set(Family):
        msg = f"{chain!r} is not a CAIP-2 name of an EVM, Solana or Tron chain"
        raise AddressRefused(msg)
    return Family(namespace)


@lru_cache(maxsize=256)
def chain_key(chain: ChainId) -> bytes:
    """The 32 bytes that name a chain on chain: keccak256 of its CAIP-2 name."""
    return keccak(chain.encode())


def parse_account(chain: ChainId, text: str) -> Account:
    """The 32-byte account that a text names on a chain; AddressRefused otherwise."""
    match family_of(chain):
        case Family.EVM:
            return _parse_evm(text)
        case Family.SOLANA:
            return Account(_base58(text, _KEY_BYTES))
        case Family.TRON:
            return _parse_tron(text)


def format_account(chain: ChainId, account: bytes) -> str:
    """The text of a 32-byte account on a chain; AddressRefused if the shape is another chain's."""
    check_shape(chain, account)
    match family_of(chain):
        case Family.EVM:
            return _checksummed(account[-_EVM_BYTES:])
        case Family.SOLANA:
            return base58.b58encode(account).decode()
        case Family.TRON:
            return base58.b58encode_check(account[-_EVM_BYTES - 1 :]).decode()


def check_shape(chain: ChainId, account: bytes) -> None:
    """Refuse (AddressRefused) 32 bytes that cannot be an account of this chain."""
    family = family_of(chain)
    if len(account) != _KEY_BYTES or account == bytes(_KEY_BYTES):
        msg = f"an account has 32 bytes that are not all zero, not {account.hex()!r}"
        raise AddressRefused(msg)
    head = account[:-_EVM_BYTES]
    wanted = {Family.EVM: bytes(12), Family.TRON: bytes(11) + bytes([TRON_PREFIX])}.get(family)
    if wanted is not None and (head != wanted or account[-_EVM_BYTES:] == bytes(_EVM_BYTES)):
        msg = f"{account.hex()} is not an account of {chain}"
        raise AddressRefused(msg)


def account_from_evm(address: bytes) -> Account:
    """The 32-byte form of a 20-byte EVM address."""
    return Account(address.rjust(_KEY_BYTES, b"\0"))


def account_from_tron(address: bytes) -> Account:
    """The 32-byte form of a 20-byte address as Tron's logs and ABI carry it."""
    return Account((bytes([TRON_PREFIX]) + address).rjust(_KEY_BYTES, b"\0"))


def account_from_word(chain: ChainId, address: bytes) -> Account:
    """The 32-byte form of a 20-byte address of an EVM or Tron chain."""
    return (account_from_tron if family_of(chain) is Family.TRON else account_from_evm)(address)


def word_of(account: bytes) -> bytes:
    """The 20 bytes that an EVM or Tron account has inside contracts."""
    return account[-_EVM_BYTES:]


def caip10(chain: ChainId, account: bytes) -> str:
    """The account's CAIP-10 name."""
    return f"{chain}:{format_account(chain, account)}"


def parse_caip10(text: str) -> tuple[ChainId, Account]:
    """Chain and account of a CAIP-10 name; AddressRefused otherwise."""
    chain, _, account = text.rpartition(":")
    return ChainId(chain), parse_account(ChainId(chain), account)


def _parse_evm(text: str) -> Account:
    digits = text[2:]
    if len(text) != 2 + 2 * _EVM_BYTES or not text.startswith("0x"):
        msg = f"{text!r} is not an EVM address: 0x and 40 hex digits"
        raise AddressRefused(msg)
    try:
        address = bytes.fromhex(digits)
    except ValueError as error:
        msg = f"{text!r} is not an EVM address: 0x and 40 hex digits"
        raise AddressRefused(msg) from error
    if digits != digits.lower() and text != _checksummed(address):
        msg = f"{text!r} has a wrong EIP-55 checksum: a character was mistyped"
        raise AddressRefused(msg)
    return _nonzero(account_from_evm(address), text)


def _checksummed(address: bytes) -> str:
    digits = address.hex()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if int(m, 16) > 7 else d for d, m in zip(digits, marks, strict=False)
    )


def _parse_tron(text: str) -> Account:
    try:
        raw = base58.b58decode_check(text)
    except ValueError as error:
        msg = f"{text!r} is not a Tron address: base58check, 34 characters from T"
        raise AddressRefused(msg) from error
    if len(raw) != _EVM_BYTES + 1 or raw[0] != TRON_PREFIX:
        msg = f"{text!r} is not a Tron address: its version byte is not 0x41"
        raise AddressRefused(msg)
    return _nonzero(account_from_tron(raw[1:]), text)


def _base58(text: str, length: int) -> bytes:
    try:
        raw = base58.b58decode(text)
    except ValueError as error:
        msg = f"{text!r} is not base58"
        raise AddressRefused(msg) from error
    if len(raw) != length or raw == bytes(length):
        msg = f"{text!r} is not a Solana key: 32 bytes, not all zero"
        raise AddressRefused(msg)
    return raw


def _nonzero(account: Account, text: str) -> Account:
    if word_of(account) == bytes(_EVM_BYTES):
        msg = f"{text!r} is the zero address"
        raise AddressRefused(msg)
    return account
