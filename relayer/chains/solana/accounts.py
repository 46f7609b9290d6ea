"""Accounts of Token-2022 and the clock, from their bytes."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from solders.pubkey import Pubkey

from relayer.chains.solana.programs import TOKEN
from relayer.domain.amount import WAD
from relayer.domain.errors import Unavailable

_TLV_FROM: Final = 166
_PERMANENT_DELEGATE: Final = 12
_SCALED_UI_AMOUNT: Final = 25
_PAUSABLE: Final = 26
_FROZEN: Final = 2
_TOKEN_NAME: Final = str(TOKEN)
_CLOCK = struct.Struct("<QqQQq")
_SCALED = struct.Struct("<32xdqd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """A mint: supply in raw units, authorities, and what its extensions say."""

    supply: int
    decimals: int
    mint_authority: bytes | None
    freeze_authority: bytes | None
    permanent_delegate: bytes | None
    multiplier: float
    next_multiplier: float
    next_from: int
    paused: bool

    def multiplier_at(self, time: int) -> int:
        """The multiplier in effect at a chain time (seconds), fixed point 1e18.

        The stored one stays stale after a scheduled one took over. A double is read by its
        shortest decimal text, which is what the issuer wrote; its binary value differs from that.
        """
        effective = self.next_multiplier if time >= self.next_from else self.multiplier
        return int(Decimal(repr(effective)) * WAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """A token account; amounts in raw units (1e-8 share)."""

    mint: bytes
    owner: bytes
    amount: int
    delegate: bytes | None
    frozen: bool
    delegated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainClock:
    """The clock sysvar: a slot and its time in seconds."""

    slot: int
    time: int


def account_data(value: Mapping[str, Any] | None, owner: str = _TOKEN_NAME) -> bytes | None:
    """The bytes of an account as a node tells it in base64; None if absent or another program's."""
    if value is None or value["owner"] != owner:
        return None
    return b64decode(value["data"][0])


def read_clock(value: Mapping[str, Any] | None) -> ChainClock:
    """The clock; Unavailable if the node shows none."""
    data = account_data(value, "Sysvar1111111111111111111111111111111111111")
    if data is None or len(data) < _CLOCK.size:
        raise Unavailable("the node shows no clock")
    slot, _, _, _, time = _CLOCK.unpack_from(data)
    return ChainClock(slot=slot, time=time)


def read_token_account(data: bytes | None) -> TokenAccount | None:
    """A token account, None for bytes that are none."""
    if data is None or len(data) < 165 or (len(data) > 165 and data[165] != 2) or not data[108]:
        return None
    return TokenAccount(
        mint=data[:32],
        owner=data[32:64],
        amount=int.from_bytes(data[64:72], "little"),
        delegate=_optional(data, 72),
        frozen=data[108] == _FROZEN,
        delegated=int.from_bytes(data[121:129], "little"),
    )


def read_mint(data: bytes | None) -> Mint | None:
    """A mint, None for bytes that are none."""
    if data is None or len(data) < 82 or (len(data) > 165 and data[165] != 1) or not data[45]:
        return None
    extensions = dict(_extensions(data))
    scaled = extensions.get(_SCALED_UI_AMOUNT)
    now, at, following = (1.0, 0, 1.0) if scaled is None else _SCALED.unpack_from(scaled)
    pausable = extensions.get(_PAUSABLE)
    return Mint(
        supply=int.from_bytes(data[36:44], "little"),
        decimals=data[44],
        mint_authority=_optional(data, 0),
        freeze_authority=_optional(data, 46),
        permanent_delegate=extensions.get(_PERMANENT_DELEGATE),
        multiplier=now,
        next_multiplier=following,
        next_from=at,
        paused=pausable is not None and bool(pausable[32]),
    )


def key_text(key: bytes | None) -> str:
    """A key in base58, for messages."""
    return "nobody" if key is None else str(Pubkey(key))


def _optional(data: bytes, at: int) -> bytes | None:
    return data[at + 4 : at + 36] if data[at] else None


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _TLV_FROM
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if not kind:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length
