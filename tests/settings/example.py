"""The example of a config for the main networks, filled in with things of the right shape."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "config" / "mainnet.example.toml").read_text(encoding="utf-8")
SOLANA_KEY = "7pt9tkctJPK7PPNQJ77GKg8ZffSF6QxoMiCFYHxrtaCj"
EVM = "0x8ad3c73f833d3f9a523ab01476625f269aeb7cf0"
TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


def filled() -> str:
    """The example with every placeholder set to something of the right shape."""
    solana, evm, tron = EXAMPLE.split("[[chains]]")[1:]
    head = re.sub(r"<64 hex digits[^>]*1>", "1" * 64, EXAMPLE.split("[[chains]]")[0])
    head = re.sub(r"<64 hex digits[^>]*>", "2" * 64, head)
    parts = [
        re.sub(r'"<[^>]*>"', f'"{value}"', part)
        for part, value in ((solana, SOLANA_KEY), (evm, EVM), (tron, TRON))
    ]
    return "[[chains]]".join([head, *parts])
