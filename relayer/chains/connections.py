"""The TCP connections of one process to one endpoint.

Nodes count them: java-tron serves 50 per port and lets further ones hang without a word. All
ports over an endpoint therefore share a few, and a request waits here rather than there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp

PER_HOST: Final = 16
_IDLE_SECONDS: Final = 60


class Connections:
    """At most so many connections per host and port; sessions over them come and go."""

    def __init__(self, per_host: int = PER_HOST) -> None:
        """Open nothing yet."""
        self._per_host = per_host
        self._connector: aiohttp.TCPConnector | None = None

    def session(
        self, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientSession:
        """A session over these connections; closing it leaves them open."""
        if self._connector is None or self._connector.closed:
            self._connector = aiohttp.TCPConnector(
                limit=0, limit_per_host=self._per_host, keepalive_timeout=_IDLE_SECONDS
            )
        return aiohttp.ClientSession(
            connector=self._connector, connector_owner=False, headers=headers, timeout=timeout
        )

    async def close(self) -> None:
        """Close them all; a later session opens new ones."""
        if self._connector is not None:
            await self._connector.close()
