"""Token amounts in answers: raw, as a float and as text, with or without a multiplier."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any


def _plain(amount: int, decimals: int) -> str:
    if decimals == 0:
        return str(amount)
    text = str(amount).rjust(decimals + 1, "0")
    return f"{text[:-decimals]}.{text[-decimals:]}".rstrip("0").rstrip(".")


def scaled_text(amount: int, decimals: int, multiplier: float) -> str:
    """Return the amount times `multiplier`, cut to `decimals` places, as the program writes it."""
    scaled = float(amount) * multiplier / 10**decimals
    if math.isinf(scaled):
        return "inf"
    cut = math.trunc(scaled * 10**decimals) / 10**decimals
    text = f"{Decimal(cut):.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def token_amount(amount: int, decimals: int, multiplier: float | None = None) -> dict[str, Any]:
    """Return a token amount as the node writes it; `amount` is raw and never multiplied."""
    if multiplier is None:
        text = _plain(amount, decimals)
    else:
        text = scaled_text(amount, decimals, multiplier)
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": float(text),
        "uiAmountString": text,
    }
