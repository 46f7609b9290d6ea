"""Instructions as the tests need them, built by hand from the programs' layouts."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountParams,
    TransferParams,
    create_account,
    transfer,
)

from tests.devnet.solana.stage import ASSOCIATED, TOKEN_2022

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
SYSTEM = Pubkey.default()
TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
MULTISIG_BYTES = 355
MINT_BYTES = 82
_EXTENSION_BYTES = 64 + 32 + 1 + 65 + 56 + 33 + 64 + 7 * 4
_NAME, _SYMBOL, _URI = "Mock xStock", "MOCKx", "https://example.invalid/mockx.json"


def _signer(key: Pubkey, *, writable: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=writable)


def _reads(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _writes(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _authority(authority: Pubkey, signers: Sequence[Pubkey]) -> list[AccountMeta]:
    if not signers:
        return [_signer(authority)]
    return [_reads(authority), *map(_signer, signers)]


def pay(source: Pubkey, target: Pubkey, lamports: int) -> Instruction:
    """Move lamports."""
    params = TransferParams(from_pubkey=source, to_pubkey=target, lamports=lamports)
    return transfer(params)


def memo(text: str, *signers: Pubkey) -> Instruction:
    """Leave a memo that `signers` stand for."""
    return Instruction(MEMO, text.encode(), [_signer(key) for key in signers])


def ata(wallet: Pubkey, mint: Pubkey) -> Pubkey:
    """Return the associated token account of `wallet`."""
    seeds = [bytes(wallet), bytes(TOKEN_2022), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED)[0]


def create_ata(payer: Pubkey, wallet: Pubkey, mint: Pubkey) -> Instruction:
    """Create that account unless it is there."""
    metas = [
        _signer(payer, writable=True),
        _writes(ata(wallet, mint)),
        *map(_reads, (wallet, mint, SYSTEM, TOKEN_2022)),
    ]
    return Instruction(ASSOCIATED, b"\x01", metas)


def mint_to(
    mint: Pubkey, account: Pubkey, amount: int, authority: Pubkey, signers: Sequence[Pubkey] = ()
) -> Instruction:
    """MintToChecked of `amount` raw units with 8 decimals."""
    data = struct.pack("<BQB", 14, amount, 8)
    metas = [_writes(mint), _writes(account), *_authority(authority, signers)]
    return Instruction(TOKEN_2022, data, metas)


def burn(mint: Pubkey, account: Pubkey, amount: int, owner: Pubkey, *more: Pubkey) -> Instruction:
    """BurnChecked with 8 decimals; `more` are read-only accounts behind, a beacon for one."""
    data = struct.pack("<BQB", 15, amount, 8)
    metas = [_writes(account), _writes(mint), _signer(owner), *map(_reads, more)]
    return Instruction(TOKEN_2022, data, metas)


def freeze(
    account: Pubkey, mint: Pubkey, authority: Pubkey, signers: Sequence[Pubkey]
) -> Instruction:
    """FreezeAccount by a multisig."""
    metas = [_writes(account), _reads(mint), *_authority(authority, signers)]
    return Instruction(TOKEN_2022, b"\x0a", metas)


def create_multisig(
    payer: Pubkey, multisig: Pubkey, rent: int, needed: int, signers: Sequence[Pubkey]
) -> list[Instruction]:
    """Create a token multisig that needs so many of `signers`."""
    metas = [_writes(multisig), *map(_reads, signers)]
    return [
        _allocate(payer, multisig, rent, MULTISIG_BYTES),
        Instruction(TOKEN_2022, bytes([19, needed]), metas),
    ]


def create_plain_mint(
    payer: Pubkey, mint: Pubkey, rent: int, authority: Pubkey, decimals: int = 0
) -> list[Instruction]:
    """Create a mint without extensions whose every authority is `authority`."""
    data = bytes([20, decimals]) + bytes(authority) + b"\x01" + bytes(authority)
    return [
        _allocate(payer, mint, rent, MINT_BYTES),
        Instruction(TOKEN_2022, data, [_writes(mint)]),
    ]


def xstock_bytes() -> tuple[int, int]:
    """Return the size of an xStock's mint without and with its metadata."""
    plain = 166 + _EXTENSION_BYTES
    texts = sum(4 + len(text) for text in (_NAME, _SYMBOL, _URI))
    return plain, plain + 4 + 64 + texts + 4


def create_xstock(payer: Pubkey, mint: Pubkey, rent: int, admin: Pubkey) -> list[Instruction]:
    """Create a mint with all extensions of a real xStock, 8 decimals, multiplier 1."""
    who, none = bytes(admin), bytes(32)
    steps = (
        bytes([39, 0]) + who + bytes(mint),  # MetadataPointer
        bytes([35]) + who,  # PermanentDelegate
        bytes([28, 0, 1]),  # DefaultAccountState: initialized
        bytes([27, 0]) + who + b"\x00" + none,  # ConfidentialTransferMint
        bytes([43, 0]) + who + struct.pack("<d", 1.0),  # ScaledUiAmount
        bytes([44, 0]) + who,  # Pausable
        bytes([36, 0]) + who + none,  # TransferHook to nowhere
        bytes([20, 8]) + who + b"\x01" + who,  # InitializeMint2
    )
    creation = _allocate(payer, mint, rent, xstock_bytes()[0])
    return [creation, *(Instruction(TOKEN_2022, step, [_writes(mint)]) for step in steps)]


def name_xstock(mint: Pubkey, admin: Pubkey) -> Instruction:
    """Write the metadata into an xStock's mint."""
    data = hashlib.sha256(b"spl_token_metadata_interface:initialize_account").digest()[:8]
    for text in (_NAME, _SYMBOL, _URI):
        data += struct.pack("<I", len(text)) + text.encode()
    metas = [_writes(mint), _reads(admin), _reads(mint), _signer(admin)]
    return Instruction(TOKEN_2022, data, metas)


def give_authority(mint: Pubkey, kind: int, current: Pubkey, heir: Pubkey) -> Instruction:
    """SetAuthority of a mint: kind 0 mints, 1 freezes."""
    data = bytes([6, kind, 1]) + bytes(heir)
    return Instruction(TOKEN_2022, data, [_writes(mint), _signer(current)])


def set_multiplier(mint: Pubkey, admin: Pubkey, multiplier: float, since: int) -> Instruction:
    """Schedule a multiplier from Unix time `since`."""
    data = bytes([43, 1]) + struct.pack("<dq", multiplier, since)
    return Instruction(TOKEN_2022, data, [_writes(mint), _signer(admin)])


def create_table(owner: Pubkey, slot: int) -> tuple[Pubkey, Instruction]:
    """Return the address of a lookup table of `owner`, and its creation."""
    seeds = [bytes(owner), struct.pack("<Q", slot)]
    table, bump = Pubkey.find_program_address(seeds, TABLES)
    metas = [
        _writes(table),
        _reads(owner),
        _signer(owner, writable=True),
        _reads(SYSTEM),
    ]
    return table, Instruction(TABLES, struct.pack("<IQB", 0, slot, bump), metas)


def extend_table(table: Pubkey, owner: Pubkey, keys: Sequence[Pubkey]) -> Instruction:
    """Append addresses to a lookup table."""
    data = struct.pack("<IQ", 2, len(keys)) + b"".join(map(bytes, keys))
    metas = [
        _writes(table),
        _signer(owner),
        _signer(owner, writable=True),
        _reads(SYSTEM),
    ]
    return Instruction(TABLES, data, metas)


def _allocate(payer: Pubkey, key: Pubkey, rent: int, space: int) -> Instruction:
    params = CreateAccountParams(
        from_pubkey=payer, to_pubkey=key, lamports=rent, space=space, owner=TOKEN_2022
    )
    return create_account(params)
