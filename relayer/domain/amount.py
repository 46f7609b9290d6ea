"""Shares: the one canonical amount, an integer at 1e-18 share.

Corporate actions change balances, never shares, so shares alone cross chains. Solana's raw
units are 1e-8 share; EVM and Tron count 1e-18 share.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from relayer.domain.errors import AmountRefused

Shares = NewType("Shares", int)

WAD: Final = 10**18
"""One whole share, and the fixed point of multipliers."""

RAW_UNIT: Final = 10**10
"""Shares (1e-18) in one raw unit of a Solana mint (1e-8 share)."""

MAX_SHARES: Final = (2**64 - 1) * RAW_UNIT
"""The largest amount a Solana account can hold, in 1e-18 share."""

_DECIMAL = re.compile(r"(\d{1,30})(?:\.(\d{1,18}))?")


def shares_from_raw(raw: int) -> Shares:
    """Shares (1e-18) of an amount in Solana raw units (1e-8)."""
    return Shares(raw * RAW_UNIT)


def raw_from_shares(shares: Shares) -> int:
    """Solana raw units (1e-8) of shares; AmountRefused if they do not divide exactly."""
    raw, dust = divmod(shares, RAW_UNIT)
    if dust:
        msg = f"{shares} is not a multiple of 1e10: Solana counts 1e-8 share"
        raise AmountRefused(msg)
    return raw


def parse_shares(text: str) -> Shares:
    """Shares (1e-18) of a decimal text such as "1.5"; AmountRefused otherwise."""
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        msg = f"{text!r} is not an amount: write whole shares such as 1.5, up to 18 decimals"
        raise AmountRefused(msg)
    whole, fraction = match.group(1), match.group(2) or ""
    return Shares(int(whole) * WAD + int(fraction.ljust(18, "0")))


def format_shares(shares: int) -> str:
    """Whole shares as a decimal text without trailing zeros."""
    sign, magnitude = ("-", -shares) if shares < 0 else ("", shares)
    whole, fraction = divmod(magnitude, WAD)
    return f"{sign}{whole}.{fraction:018d}".rstrip("0").rstrip(".")
