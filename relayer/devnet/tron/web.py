"""The HTTP plumbing of the Tron devnet: ports, paths, faults, the node's way to say no."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from relayer.devnet.tron.faultwords import ApiError

if TYPE_CHECKING:
    from relayer.devnet.tron.faults import Faults

Answer = Callable[[dict[str, Any]], Awaitable[Any]]
"""Answers one path: gets the request's fields, returns what becomes JSON."""

JSON_RPC = "/jsonrpc"
_MAX_BODY = 16 * 1024 * 1024
_PAGE = """<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error {status} {words}</title>
</head>
<body><h2>HTTP ERROR {status} {words}</h2>
<table>
<tr><th>URI:</th><td>{path}</td></tr>
<tr><th>STATUS:</th><td>{status}</td></tr>
<tr><th>MESSAGE:</th><td>{words}</td></tr>
</table>
<hr/><a href="https://eclipse.org/jetty">Powered by Jetty:// 9.4.53.v20231009</a><hr/>

</body>
</html>
"""
_BUSY = "class java.lang.IllegalAccessException : lack of computing resources"


@dataclass(slots=True, repr=False)
class Port:
    """One listening port with its paths; port 0 picks a free one."""

    host: str
    port: int
    faults: Faults
    paths: dict[str, Answer]
    json_rpc: Callable[[Any], Awaitable[Any]]
    _runner: web.AppRunner | None = field(default=None)

    async def open(self) -> None:
        """Start to listen."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop to listen."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL of this port."""
        return f"http://{self.host}:{self.port}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if self.faults.take_too_many():
            return web.Response(status=429, text="Too Many Requests")
        if self.faults.take_busy():
            return web.json_response({"Error": _BUSY})
        path = request.path.replace("//", "/")
        if path == JSON_RPC:
            return await self._serve_json_rpc(request)
        answer = self.paths.get(path)
        if answer is None or request.method not in ("GET", "POST"):
            return _no_such_path(request)
        return await self._answer(path, answer, request)

    async def _answer(self, path: str, answer: Answer, request: web.Request) -> web.Response:
        try:
            fields = await _fields(request)
            override = self.faults.overrides.get(path)
            if override is not None:
                stand_in = await override(fields)
                if stand_in is not None:
                    return stand_in
            return web.json_response(await answer(fields))
        except ApiError as error:
            return web.json_response({"Error": error.text()})

    async def _serve_json_rpc(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return _page(405, f"HTTP method {request.method} is not supported by this URL", request)
        try:
            body = json.loads(await request.text())
        except ValueError:
            body = None
        override = self.faults.overrides.get(JSON_RPC)
        if override is not None and isinstance(body, dict):
            stand_in = await override(body)
            if stand_in is not None:
                return stand_in
        answer = await self.json_rpc(body)
        return web.Response() if answer is None else web.json_response(answer)


async def _fields(request: web.Request) -> dict[str, Any]:
    """Return the fields of a request, from its query or its JSON body (of any content type)."""
    if request.method == "GET":
        return {key: _typed(value) for key, value in request.query.items()}
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ApiError("com.alibaba.fastjson.JSONException", "error parse new") from error
    if not isinstance(body, dict):
        raise ApiError("com.alibaba.fastjson.JSONException", "can not cast to JSONObject.")
    return body


def _typed(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    is_number = text.lstrip("-").isdigit() and len(text) < 20
    return int(text) if is_number else text


def _no_such_path(request: web.Request) -> web.Response:
    if request.method == "GET":
        return _page(404, "Not Found", request)
    return _page(405, f"HTTP method {request.method} is not supported by this URL", request)


def _page(status: int, words: str, request: web.Request) -> web.Response:
    text = _PAGE.format(status=status, words=words, path=request.path)
    return web.Response(status=status, text=text, content_type="text/html")
