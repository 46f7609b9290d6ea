"""Where the number of backed shares comes from."""

from __future__ import annotations

from typing import Protocol

from relayer.domain.supply import Reserve


class ReserveSource(Protocol):
    """Stock held for an asset, with the time at which it was stated."""

    async def reserve(self, asset: str) -> Reserve:
        """The newest statement for an asset; Unavailable if there is none that can be read.

        Freshness is judged by the reader from ``at``; a source never guesses.
        """
