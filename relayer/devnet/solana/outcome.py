"""What came of a transaction: the material of `meta`, of statuses and of simulations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solders.pubkey import Pubkey
    from solders.transaction_metadata import InnerInstruction


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All accounts of a transaction: the message's own keys, then those from lookup tables."""

    keys: tuple[Pubkey, ...]
    writable: tuple[bool, ...]
    from_tables_writable: tuple[Pubkey, ...] = ()
    from_tables_readonly: tuple[Pubkey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBalance:
    """Balance of one token account in raw units; `index` is its place among the keys."""

    index: int
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of running a transaction; `error` is JSON (None: success), amounts are lamports."""

    error: Any
    fee: int | None
    loaded: Loaded
    logs: list[str] = field(default_factory=list)
    inner: list[list[InnerInstruction]] = field(default_factory=list)
    units: int = 0
    loaded_bytes: int = 0
    returned: tuple[Pubkey, bytes] | None = None
    pre_balances: list[int] = field(default_factory=list)
    post_balances: list[int] = field(default_factory=list)
    pre_tokens: list[TokenBalance] = field(default_factory=list)
    post_tokens: list[TokenBalance] = field(default_factory=list)
