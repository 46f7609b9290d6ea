"""The HTTP side: one POST endpoint, the health path, and the refusals of Agave's server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from relayer.devnet.solana.jsonrpc import answer_text
from relayer.devnet.solana.methods import METHODS
from relayer.devnet.solana.rpcerror import method_not_found

if TYPE_CHECKING:
    from relayer.devnet.solana.node import Node

_MAX_BODY_BYTES = 50 * 1024
_WRONG_METHOD = "Used HTTP Method is not allowed. POST or OPTIONS is required\n"
_WRONG_TYPE = "Supplied content type is not allowed. Content-Type: application/json is required\n"
_TOO_LARGE = "request body size exceeds allowed maximum"
_CORS = {
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": "content-type",
    "access-control-allow-origin": "*",
}


class HttpEndpoint:
    """Answers JSON-RPC over HTTP for one node."""

    def __init__(self, node: Node) -> None:
        """Serve `node`."""
        self._node = node

    def application(self) -> web.Application:
        """Return the web application, one route for everything."""
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    def call(self, method: str, params: list[Any]) -> Any:
        """Return the result of one method, bent by the faults that are on; raises RpcError."""
        found = METHODS.get(method)
        if found is None:
            raise method_not_found()
        result = found(self._node, params)
        return self._node.faults.alter(method, params, result)

    async def _handle(self, request: web.Request) -> web.Response:
        faults = self._node.faults
        if faults.latency > 0:
            await asyncio.sleep(faults.latency)
        if request.method == "GET" and request.path == "/health":
            return web.Response(text="ok")
        if request.method == "OPTIONS":
            return web.Response(headers=_CORS)
        if request.method != "POST":
            return web.Response(status=405, text=_WRONG_METHOD)
        if request.content_type != "application/json" or "Content-Type" not in request.headers:
            return web.Response(status=415, text=_WRONG_TYPE)
        if faults.take_refusal():
            return web.Response(status=429, text="Too Many Requests")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=_TOO_LARGE)
        return _json(answer_text(body, self.call))


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
