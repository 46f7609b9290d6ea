"""What the Tron devnet keeps beside the EVM: accounts, contracts, and what a transaction costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY_MS = 86_400_000
FREE_BANDWIDTH = 600
_RESULT_ROOM = 64
"""Bytes that the node adds to a transaction's size for its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Fees in sun, as on the main net."""

    energy: int = 100
    bandwidth: int = 1000
    new_account: int = 1_000_000
    new_account_bandwidth: int = 100_000
    memo: int = 1_000_000
    max_fee_limit: int = 15_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An activated account; times in milliseconds of chain time, bandwidth in bytes."""

    created_ms: int = 0
    free_used: int = 0
    free_used_ms: int = 0
    operated_ms: int = 0
    name: str = ""
    is_contract: bool = False

    def free_left(self, now_ms: int) -> int:
        """Return the free bandwidth that is left; what was used comes back over a day."""
        age = min(max(0, now_ms - self.free_used_ms), _DAY_MS)
        return FREE_BANDWIDTH - self.free_used * (_DAY_MS - age) // _DAY_MS

    def using(self, size: int, now_ms: int) -> Account:
        """Return the account after it used `size` bytes of free bandwidth."""
        used = FREE_BANDWIDTH - self.free_left(now_ms) + size
        return replace(self, free_used=used, free_used_ms=now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Accounts by address (21 bytes), and the SmartContract message of each contract."""

    accounts: Mapping[bytes, Account] = field(default_factory=dict)
    contracts: Mapping[bytes, Any] = field(default_factory=dict)

    def with_account(self, address: bytes, account: Account) -> World:
        """Return the world with this account in it."""
        return replace(self, accounts={**self.accounts, address: account})

    def with_contract(self, address: bytes, contract: Any) -> World:
        """Return the world with this contract in it."""
        return replace(self, contracts={**self.contracts, address: contract})

    def activated(self, address: bytes, now_ms: int) -> World:
        """Return the world where this account exists."""
        if address in self.accounts:
            return self
        return self.with_account(address, Account(created_ms=now_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """What a transaction's bytes cost: either `usage` bytes for free or `fee` sun; `other` in sun.

    `other` is what goes beside it: the memo, the activation of an account.
    """

    usage: int = 0
    fee: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of it in sun."""
        return self.fee + self.other


def bandwidth_of(
    *, transaction: Any, account: Account, creates: bool, now_ms: int, prices: Prices
) -> Bandwidth:
    """Return what the bytes of a transaction cost its owner at this chain time."""
    memo = prices.memo if transaction.raw_data.data else 0
    if creates:
        return Bandwidth(fee=prices.new_account_bandwidth, other=memo + prices.new_account)
    size = size_of(transaction)
    if size <= account.free_left(now_ms):
        return Bandwidth(usage=size, other=memo)
    return Bandwidth(fee=size * prices.bandwidth, other=memo)


def size_of(transaction: Any) -> int:
    """Return the bytes for which a transaction pays."""
    bare = type(transaction)(raw_data=transaction.raw_data, signature=transaction.signature)
    return int(bare.ByteSize()) + _RESULT_ROOM
