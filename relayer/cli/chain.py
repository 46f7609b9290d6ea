"""Chains as people type them: a CAIP-2 name, or bnb, solana, tron."""

from __future__ import annotations

from relayer.domain.address import family_of
from relayer.domain.errors import SettingRefused
from relayer.settings import ChainSettings, Settings

SHORT = {"eip155": "bnb", "solana": "solana", "tron": "tron"}


def find_chain(settings: Settings, text: str) -> ChainSettings:
    """The served chain a person means; SettingRefused if none or several."""
    wanted = text.lower()
    found = [
        chain
        for chain in settings.chains
        if wanted in (chain.chain.lower(), SHORT[family_of(chain.id)], family_of(chain.id).value)
    ]
    if len(found) != 1:
        served = ", ".join(f"{SHORT[family_of(c.id)]} ({c.chain})" for c in settings.chains)
        msg = f"{text!r} names no single served chain; served are {served}"
        raise SettingRefused(msg)
    return found[0]


def short_name(chain: str | None) -> str:
    """A chain's short name for tables."""
    return SHORT.get((chain or "").partition(":")[0], chain or "-")
