"""An endpoint in front of a true one that lies, or misbehaves, as a test wants.

What it tells falsely is well formed and agrees with itself where that is cheap: forged amounts, heads
and times, hidden facts, receipts of nothing. It lies at every other question, so that what it says
also changes with time; or at each, if it is steady.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import aiohttp
from aiohttp import web

Lie = Callable[[str, Any, Any], Any]
"""Turns (method or path's end, parameters, true result) into what is told."""


class Mood(StrEnum):
    """How an endpoint misbehaves below its protocol."""

    LYING = "lying"
    SILENT = "silent"
    LIMITED = "429"
    HTML = "html"
    CUT = "cut"
    HUGE = "huge"
    NESTED = "nested"


_JSON = {"Content-Type": "application/json"}

BODIES = {
    Mood.HTML: b"<html><body>Just a moment...</body></html>",
    Mood.CUT: b'{"jsonrpc":"2.0","id":0,"resu',
    Mood.HUGE: b"[" + b"0," * (33 << 20) + b"0]",
    Mood.NESTED: b"[" * 100_000,
}


@dataclass(slots=True)
class Liar:
    """A proxy; ``lie`` may be changed and ``mood`` switched while it runs."""

    behind: str
    lie: Lie
    mood: Mood = Mood.LYING
    stranger: bool = False
    """Whether it names another chain than it serves."""
    steady: bool = False
    """Whether it lies each time it can, not every other time."""
    url: str = ""
    told: int = 0
    lies: int = 0
    _session: aiohttp.ClientSession | None = None
    _turns: dict[str, int] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.told += 1
        body = await request.read()
        if self.mood is Mood.SILENT:
            await asyncio.sleep(3600)
        if self.mood is Mood.LIMITED:
            return web.Response(status=429, text="Too Many Requests")
        if self.mood in BODIES:
            return web.Response(body=BODIES[self.mood], content_type="application/json")
        assert self._session is not None
        url = self.behind.rstrip("/") + request.path.rstrip("/")
        async with self._session.post(url, data=body, headers=_JSON) as response:
            true = await response.json(content_type=None)
        return web.json_response(self._twisted(request.path, json.loads(body), true))

    def _twisted(self, path: str, asked: Any, true: Any) -> Any:
        if path != "/":
            return self._told(path.rpartition("/")[2], asked, true)
        calls = {call["id"]: call for call in (asked if isinstance(asked, list) else [asked])}
        answers = true if isinstance(true, list) else [true]
        for one in answers:
            call = calls[one["id"]]
            if "result" in one:
                one["result"] = self._told(call["method"], call["params"], one["result"])
        return true

    def _told(self, method: str, params: Any, true: Any) -> Any:
        """A lie and the truth by turns."""
        if self.stranger and method in _NAMED:
            self.lies += 1
            return _NAMED[method](true)
        turn = self._turns[method] = self._turns.get(method, 0) + 1
        if turn % 2 == 0 and not self.steady:
            return true
        told = self.lie(method, params, json.loads(json.dumps(true)))
        self.lies += told != true
        return told


def _other_genesis(true: Any) -> Any:
    return {**true, "blockID": true["blockID"][:-8] + "0badcafe"}


_NAMED: dict[str, Callable[[Any], Any]] = {
    "eth_chainId": lambda _: "0x1",
    "getGenesisHash": lambda _: "1" * 44,
    "getblock": _other_genesis,
}


@asynccontextmanager
async def liar(behind: str, lie: Lie) -> AsyncIterator[Liar]:
    """Run a lying endpoint for the time of a test."""
    async with AsyncExitStack() as stack:
        made = Liar(behind=behind, lie=lie)
        made._session = await stack.enter_async_context(aiohttp.ClientSession())
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", made.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made


def lie_of_evm(method: str, params: Sequence[Any], true: Any) -> Any:
    """Forged amounts and supplies, hidden logs, heads and times of the future, no receipts."""
    match method:
        case "eth_getLogs" if true:
            return [*true[:-1], _richer(true[-1])] if len(true) % 2 else true[1:]
        case "eth_getTransactionReceipt" if true and true["logs"]:
            return {**true, "logs": [*true["logs"][:-1], _richer(true["logs"][-1])]}
        case "eth_getTransactionReceipt":
            return None
        case "eth_call" if len(true) > 2:
            return "0x" + _last_word_plus(true[2:], 1)
        case "eth_getBlockByNumber" if true and params[0] == "finalized":
            return {
                **true,
                "number": hex(int(true["number"], 16) + 5),
                "timestamp": hex(int(true["timestamp"], 16) + 10_000),
            }
        case _:
            return true


def lie_of_tron(method: str, params: Any, true: Any) -> Any:
    """The same of a Tron node."""
    match method:
        case "gettransactioninfobyblocknum" if true:
            return [*true[:-1], _forged(true[-1])]
        case "gettransactioninfobyid" if true:
            return _forged(true)
        case "triggerconstantcontract" if true.get("constant_result", [""])[0]:
            return {**true, "constant_result": [_last_word_plus(true["constant_result"][0], 1)]}
        case "getblock" if "detail" in params and true:
            raw = true["block_header"]["raw_data"]
            raw["number"] = raw.get("number", 0) + 5
            raw["timestamp"] = raw.get("timestamp", 0) + 10_000_000
            true["blockID"] = raw["number"].to_bytes(8, "big").hex() + true["blockID"][16:]
            return true
        case _:
            return true


def lie_of_solana(method: str, params: Sequence[Any], true: Any) -> Any:
    """Forged supplies and receipts, hidden or unknown transactions, purged and future slots."""
    del params
    match method:
        case "getMultipleAccounts":
            return {**true, "value": [_minted(value) for value in true["value"]]}
        case "getAccountInfo" if true.get("value"):
            return {**true, "value": _later(true["value"])}
        case "getSignaturesForAddress":
            return true[1:]
        case "getTransaction":
            return None
        case "getFirstAvailableBlock":
            return true + 10**6
        case _:
            return true


def _last_word_plus(text: str, amount: int) -> str:
    """Hex whose last word is another number."""
    if len(text) < 64:
        return text
    word = (int(text[-64:], 16) + amount) % 2**256
    return text[:-64] + f"{word:064x}"


def _richer(log: dict[str, Any]) -> dict[str, Any]:
    """The same log with more shares in it: no part of an id."""
    return {**log, "data": "0x" + _last_word_plus(log["data"][2:], 10**18)}


def _forged(info: dict[str, Any]) -> dict[str, Any]:
    """The same outcome whose last log has more shares."""
    logs = info.get("log")
    if not logs:
        return info
    last = {**logs[-1], "data": _last_word_plus(logs[-1].get("data", ""), 10**18)}
    return {**info, "log": [*logs[:-1], last]}


def _minted(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """An account with another supply (a mint) or balance (a token account)."""
    if value is None:
        return None
    data = bytearray(b64decode(value["data"][0]))
    at = 36 if len(data) < 165 or data[165:166] == b"\x01" else 64
    if len(data) > at + 8:
        data[at] ^= 1
    return {**value, "data": [b64encode(bytes(data)).decode(), "base64"]}


def _later(value: dict[str, Any]) -> dict[str, Any]:
    """A clock five slots and three hours ahead."""
    data = bytearray(b64decode(value["data"][0]))
    for at, more in ((0, 5), (32, 10_000)):
        number = int.from_bytes(data[at : at + 8], "little") + more
        data[at : at + 8] = number.to_bytes(8, "little")
    return {**value, "data": [b64encode(bytes(data)).decode(), "base64"]}
