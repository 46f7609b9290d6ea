"""Instructions that only the set-up uses: mints like the real xStock, multisigs, vaults.

A mint has the extensions of the real one: metadata, permanent delegate, default account state,
confidential transfers (unused), scaled UI amount, pause, and an empty transfer hook.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import Instruction

from relayer.chains.solana import programs
from relayer.chains.solana.programs import TOKEN, payer, readonly, signer, writable

MINT_BYTES: Final = 509
"""Of an xStock mint before its metadata."""
METADATA_BYTES: Final = 512
"""Room that rent is paid for in advance; the metadata of an xStock is smaller."""
RECEIPT_MINT_BYTES: Final = 82
MULTISIG_BYTES: Final = 355
VAULT_BYTES: Final = 175
"""A token account with the marks of a pausable mint and of a hook, and no fixed owner."""
_METADATA: Final = bytes.fromhex("d2e11ea258b84d8d")
_NOBODY: Final = bytes(32)
MINT_TOKENS: Final = 0
FREEZE_ACCOUNT: Final = 1


def create(funder: bytes, account: bytes, lamports: int, space: int) -> Instruction:
    """Create an account of the token program."""
    data = struct.pack("<IQQ", 0, lamports, space) + programs.TOKEN_BYTES
    return Instruction(programs.SYSTEM, data, [payer(funder), payer(account)])


def xstock_mint(mint: bytes, issuer: bytes, multiplier: float) -> list[Instruction]:
    """Make a created account a mint like the real xStock, all its roles with the issuer."""
    scaled = issuer + struct.pack("<d", multiplier)
    extensions = (
        bytes([39, 0]) + issuer + mint,
        bytes([35]) + issuer,
        bytes([28, 0, 1]),
        bytes([27, 0]) + issuer + b"\0" + _NOBODY,
        bytes([43, 0]) + scaled,
        bytes([44, 0]) + issuer,
        bytes([36, 0]) + issuer + _NOBODY,
        bytes([20, programs.DECIMALS]) + issuer + b"\1" + issuer,
    )
    return [Instruction(TOKEN, data, [writable(mint)]) for data in extensions]


def metadata(mint: bytes, issuer: bytes, name: str, symbol: str, uri: str) -> Instruction:
    """Write the metadata into the mint."""
    texts = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in (name, symbol, uri))
    accounts = [writable(mint), readonly(issuer), readonly(mint), signer(issuer)]
    return Instruction(TOKEN, _METADATA + texts, accounts)


def receipt_mint(mint: bytes, multisig: bytes) -> Instruction:
    """Make a created account the receipt mint: whole receipts, all roles with the quorum."""
    data = bytes([20, programs.RECEIPT_DECIMALS]) + multisig + b"\1" + multisig
    return Instruction(TOKEN, data, [writable(mint)])


def multisig(account: bytes, quorum: int, keys: Sequence[bytes]) -> Instruction:
    """Make a created account a multisig of ``keys``, of which ``quorum`` must sign."""
    return Instruction(TOKEN, bytes([19, quorum]), [writable(account), *map(readonly, keys)])


def token_account(account: bytes, mint: bytes, owner: bytes) -> Instruction:
    """Make a created account a token account whose owner can be changed."""
    return Instruction(TOKEN, bytes([18]) + owner, [writable(account), readonly(mint)])


def approve(account: bytes, mint: bytes, delegate: bytes, raw: int, owner: bytes) -> Instruction:
    """Let a delegate move up to ``raw`` units (1e-8 share) out of an account."""
    data = struct.pack("<BQB", 13, raw, programs.DECIMALS)
    accounts = [writable(account), readonly(mint), readonly(delegate), signer(owner)]
    return Instruction(TOKEN, data, accounts)


def hand_over(account: bytes, role: int, to: bytes, by: bytes) -> Instruction:
    """Give a role of a mint (MINT_TOKENS, FREEZE_ACCOUNT) to another key or multisig."""
    data = bytes([programs.SET_AUTHORITY, role, 1]) + to
    return Instruction(TOKEN, data, [writable(account), signer(by)])


def set_multiplier(mint: bytes, issuer: bytes, multiplier: float, at: int) -> Instruction:
    """Schedule a multiplier from chain time ``at`` (seconds) on; 0 for at once."""
    data = bytes([43, 1]) + struct.pack("<dq", multiplier, at)
    return Instruction(TOKEN, data, [writable(mint), signer(issuer)])


def pause(mint: bytes, issuer: bytes, *, paused: bool) -> Instruction:
    """Pause or resume every mint, burn and transfer of a token."""
    data = bytes([44, 1 if paused else 2])
    return Instruction(TOKEN, data, [writable(mint), signer(issuer)])
