"""An HTTP endpoint before a node that delays, refuses and cuts answers: Anvil cannot by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass(slots=True)
class Doorway:
    """Passes requests on; ``latency`` in seconds, the others count requests still to be spoiled."""

    behind: str
    latency: float = 0.0
    too_many_requests: int = 0
    cut: int = 0
    url: str = ""
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The node's answer, or what a bad line makes of it."""
        body = await request.read()
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.too_many_requests > 0:
            self.too_many_requests -= 1
            return web.Response(status=429, text="too many requests")
        told = await self._told(body)
        if self.cut > 0:
            self.cut -= 1
            told = told[: len(told) // 2]
        return web.Response(body=told, content_type="application/json")

    async def _told(self, body: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.behind, data=body, headers=headers) as answer:
            return await answer.read()

    async def close(self) -> None:
        """Let go of the node."""
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def doorway(behind: str) -> AsyncIterator[Doorway]:
    """Stand before the node at a URL for as long as the context is open."""
    made = Doorway(behind=behind)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
        await made.close()
