"""The port that Prometheus and Kubernetes ask: /metrics, /livez and /readyz.

`/livez` says that the event loop turns: it answers, so it does. `/readyz` says what is not ready
yet. The health of RPC endpoints is a metric and never a probe: restarting a relayer does not mend
somebody else's node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Pending = Callable[[], Sequence[str]]
"""Names what is not ready yet; empty when all is."""


Answer = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serve_health(
    host: str,
    port: int,
    registry: CollectorRegistry,
    pending: Pending,
    more: Sequence[web.RouteDef] = (),
) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port (one that is free, if `port` is 0).

    `more` routes stand beside the three; bodies are bounded at 64 KiB.

    Raises OSError if the port is taken.
    """
    app = web.Application(client_max_size=64 * 1024)
    app.add_routes(
        [
            web.get("/metrics", _metrics(registry)),
            web.get("/livez", _live),
            web.get("/readyz", _ready(pending)),
            *more,
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _ready(pending: Pending) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        waiting = pending()
        if not waiting:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="waiting for " + ", ".join(waiting) + "\n")

    return answer


def _metrics(registry: CollectorRegistry) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=headers)

    return answer
