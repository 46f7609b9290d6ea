"""Backed shares from a JSON file that the custodian's statement is written to.

The file: ``{"TSLAx": {"stock": "1200.5", "at": 1790000000, "source": "custodian"}}``; stock in
whole stock units as decimal text, ``at`` in seconds since the epoch, ``"now"`` where the statement
is live (a devnet). ``multiplier``, decimal text too, may say which one the statement is meant for. It is read anew each time it changes; a half-written file is Unavailable, so
leases stop rather than run on a guess.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relayer.domain.amount import parse_shares
from relayer.domain.errors import AmountRefused, Unavailable
from relayer.domain.supply import Reserve


class FileReserve:
    """Statements in one file."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Name the file; it is first read when asked for."""
        self._path = path
        self._now = now

    async def reserve(self, asset: str) -> Reserve:
        """The statement for an asset; Unavailable if the file or the entry cannot be read."""
        try:
            entry: Any = json.loads(self._path.read_text(encoding="utf-8"))[asset]
            at = int(self._now()) if entry["at"] == "now" else int(entry["at"])
            stock = parse_shares(str(entry["stock"]))
            source = str(entry.get("source", self._path.name))
            named = entry.get("multiplier")
            multiplier = None if named is None else _positive(parse_shares(str(named)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, AmountRefused) as error:
            msg = f"no reserve statement for {asset} in {self._path.name}: {error!r}"
            raise Unavailable(msg) from error
        return Reserve(asset=asset, stock=stock, at=at, source=source, multiplier=multiplier)


def _positive(multiplier: int) -> int:
    if multiplier <= 0:
        msg = "a multiplier is above 0"
        raise ValueError(msg)
    return multiplier
