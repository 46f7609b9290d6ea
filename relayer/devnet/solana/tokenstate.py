"""Token accounts and mints as bytes: the fields that balances and queries need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from relayer.devnet.solana.outcome import TokenBalance
from relayer.devnet.solana.programs import TOKEN, TOKEN_PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from solders.account import Account

MINT_BYTES = 82
ACCOUNT_BYTES = 165
MULTISIG_BYTES = 355
_TYPE_MINT, _TYPE_ACCOUNT = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """The base fields of a token account; amounts in raw units of the mint."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    delegate: Pubkey | None
    state: int
    native_reserve: int | None
    delegated_amount: int
    close_authority: Pubkey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """The base fields of a mint; supply in raw units."""

    mint_authority: Pubkey | None
    supply: int
    decimals: int
    freeze_authority: Pubkey | None


def _option(data: bytes, at: int) -> Pubkey | None:
    return Pubkey.from_bytes(data[at + 4 : at + 36]) if data[at] else None


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _is(account: Account, base: int, kind: int) -> bool:
    if account.owner not in TOKEN_PROGRAMS:
        return False
    data = account.data
    if len(data) == base:
        return True
    extended = account.owner != TOKEN and len(data) > ACCOUNT_BYTES and len(data) != MULTISIG_BYTES
    return extended and data[ACCOUNT_BYTES] == kind


def token_account(account: Account | None) -> TokenAccount | None:
    """Return the token account in `account`, None if it is none or not initialized."""
    if account is None or not _is(account, ACCOUNT_BYTES, _TYPE_ACCOUNT):
        return None
    data = account.data
    if data[108] == 0:
        return None
    return TokenAccount(
        mint=Pubkey.from_bytes(data[0:32]),
        owner=Pubkey.from_bytes(data[32:64]),
        amount=_u64(data, 64),
        delegate=_option(data, 72),
        state=data[108],
        native_reserve=_u64(data, 113) if data[109] else None,
        delegated_amount=_u64(data, 121),
        close_authority=_option(data, 129),
    )


def mint_state(account: Account | None) -> Mint | None:
    """Return the mint in `account`, None if it is none or not initialized."""
    if account is None or not _is(account, MINT_BYTES, _TYPE_MINT):
        return None
    data = account.data
    if data[45] == 0:
        return None
    return Mint(
        mint_authority=_option(data, 0),
        supply=_u64(data, 36),
        decimals=data[44],
        freeze_authority=_option(data, 46),
    )


def token_balances(
    keys: Sequence[Pubkey],
    state: Mapping[Pubkey, Account | None],
    read: Callable[[Pubkey], Account | None],
) -> list[TokenBalance]:
    """Return the balances of all token accounts among `keys`, mints looked up by `read`."""
    found = []
    for index, key in enumerate(keys):
        account = state[key]
        if account is None or account.owner not in TOKEN_PROGRAMS:
            continue
        holder = token_account(account)
        mint = mint_state(read(holder.mint)) if holder else None
        if holder is None or mint is None:
            continue
        found.append(
            TokenBalance(
                index=index,
                mint=holder.mint,
                owner=holder.owner,
                program=account.owner,
                amount=holder.amount,
                decimals=mint.decimals,
            )
        )
    return found
