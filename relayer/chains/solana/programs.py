"""Programs, their opcodes, and instructions as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

TOKEN: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
"""Token-2022; xStocks live nowhere else."""
ATA: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
"""The one memo program whose memos count; others are parsed as memos by nodes too."""
SYSTEM: Final = Pubkey.from_string("11111111111111111111111111111111")
BUDGET: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
CLOCK: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")

TOKEN_BYTES: Final = bytes(TOKEN)
MEMO_BYTES: Final = bytes(MEMO)
ATA_BYTES: Final = bytes(ATA)
SYSTEM_BYTES: Final = bytes(SYSTEM)

TRANSFER: Final = 3
APPROVE: Final = 4
SET_AUTHORITY: Final = 6
MINT_TO: Final = 7
BURN: Final = 8
FREEZE: Final = 10
TRANSFER_CHECKED: Final = 12
MINT_TO_CHECKED: Final = 14
BURN_CHECKED: Final = 15
TRANSFER_FEE_EXTENSION: Final = 26
SYSTEM_TRANSFER: Final = 2

DECIMALS: Final = 8
"""Of every xStock mint: a raw unit is 1e-8 share."""
RECEIPT_DECIMALS: Final = 0


@lru_cache(maxsize=16_384)
def token_account(wallet: bytes, mint: bytes) -> Pubkey:
    """The associated token account of a wallet (or a transfer id) for a mint."""
    return Pubkey.find_program_address([wallet, TOKEN_BYTES, mint], ATA)[0]


def readonly(key: bytes | Pubkey) -> AccountMeta:
    """An account an instruction only reads."""
    return AccountMeta(_key(key), is_signer=False, is_writable=False)


def writable(key: bytes | Pubkey) -> AccountMeta:
    """An account an instruction changes."""
    return AccountMeta(_key(key), is_signer=False, is_writable=True)


def signer(key: bytes | Pubkey) -> AccountMeta:
    """An account that must sign and is not changed."""
    return AccountMeta(_key(key), is_signer=True, is_writable=False)


def payer(key: bytes | Pubkey) -> AccountMeta:
    """An account that signs and pays."""
    return AccountMeta(_key(key), is_signer=True, is_writable=True)


def authority(key: bytes, signers: Sequence[bytes]) -> list[AccountMeta]:
    """An authority: a key that signs, or a multisig followed by those of its keys that sign."""
    return [readonly(key), *map(signer, signers)] if signers else [signer(key)]


def create_account(funder: bytes, wallet: bytes, mint: bytes) -> Instruction:
    """Create a wallet's associated token account unless it exists; ``funder`` pays the rent."""
    account = token_account(wallet, mint)
    accounts = [
        payer(funder),
        writable(account),
        readonly(wallet),
        readonly(mint),
        readonly(SYSTEM),
        readonly(TOKEN),
    ]
    return Instruction(ATA, b"\x01", accounts)


def freeze(
    account: bytes | Pubkey, mint: bytes, by: bytes, signers: Sequence[bytes]
) -> Instruction:
    """Freeze a token account; fails on a frozen one."""
    accounts = [writable(account), readonly(mint), *authority(by, signers)]
    return Instruction(TOKEN, bytes([FREEZE]), accounts)


def mint_to(
    mint: bytes,
    account: bytes | Pubkey,
    raw: int,
    by: bytes,
    *,
    signers: Sequence[bytes] = (),
    decimals: int = DECIMALS,
) -> Instruction:
    """Mint raw units (1e-8 share) with the decimals checked."""
    data = struct.pack("<BQB", MINT_TO_CHECKED, raw, decimals)
    return Instruction(TOKEN, data, [writable(mint), writable(account), *authority(by, signers)])


def burn(
    account: bytes | Pubkey, mint: bytes, raw: int, by: bytes, extra: Sequence[bytes] = ()
) -> Instruction:
    """Burn raw units (1e-8 share); ``extra`` accounts are carried along and only read."""
    data = struct.pack("<BQB", BURN_CHECKED, raw, DECIMALS)
    accounts = [writable(account), writable(mint), signer(by), *map(readonly, extra)]
    return Instruction(TOKEN, data, accounts)


def transfer(
    source: bytes | Pubkey,
    mint: bytes,
    target: bytes | Pubkey,
    raw: int,
    by: bytes,
    *,
    signers: Sequence[bytes] = (),
    extra: Sequence[bytes] = (),
) -> Instruction:
    """Move raw units (1e-8 share) between token accounts; ``extra`` accounts are only read."""
    data = struct.pack("<BQB", TRANSFER_CHECKED, raw, DECIMALS)
    accounts = [
        writable(source),
        readonly(mint),
        writable(target),
        *authority(by, signers),
        *map(readonly, extra),
    ]
    return Instruction(TOKEN, data, accounts)


def memo(data: bytes) -> Instruction:
    """A memo nobody needs to sign: the transaction's signatures cover it."""
    return Instruction(MEMO, data, [])


def pay(source: bytes, target: bytes, lamports: int) -> Instruction:
    """Move lamports between accounts of the system program."""
    data = struct.pack("<IQ", SYSTEM_TRANSFER, lamports)
    return Instruction(SYSTEM, data, [payer(source), writable(target)])


def compute_budget(limit: int, price: int) -> tuple[Instruction, Instruction]:
    """Limit (compute units) and price (micro-lamports per unit) of a transaction."""
    return (
        Instruction(BUDGET, struct.pack("<BI", 2, limit), []),
        Instruction(BUDGET, struct.pack("<BQ", 3, price), []),
    )


def _key(key: bytes | Pubkey) -> Pubkey:
    return key if isinstance(key, Pubkey) else Pubkey(key)
