"""Answers of nodes that cost whoever reads them: nested, long, or full of nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import pytest
from aiohttp import web

from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.errors import Unavailable


async def _evm(url: str) -> object:
    rpc = EvmRpc(url)
    try:
        return await rpc.call("eth_blockNumber", [])
    finally:
        await rpc.close()


async def _solana(url: str) -> object:
    rpc = SolanaRpc(url)
    try:
        return await rpc.call("getSlot")
    finally:
        await rpc.close()


async def _tron(url: str) -> object:
    rpc = TronRpc(url, url)
    try:
        return await rpc.head()
    finally:
        await rpc.close()


@pytest.fixture
def deep() -> Iterator[None]:
    """A recursion limit as a library raised it when it was imported."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


TRUE: Final = b'{"jsonrpc":"2.0","id":0,"result":"0x1","block_header":{"raw_data":{},"more":'
"""How an answer begins that each of the clients can use."""

BODIES: Final = {
    "lists in lists": b"[" * 200_000,
    "objects in objects": b'{"a":' * 200_000,
    "both": b'{"result":[{"a":[' * 200_000,
    "a million empty lists": TRUE + b"[" + b"[]," * 10**6 + b"0]}}",
    "a million numbers": TRUE + b"[" + b"1," * 10**6 + b"0]}}",
    "a million pairs": TRUE + b"{" + b'"a":1,' * 10**6 + b'"a":1}}}',
    "blanks": TRUE + b"0}}" + b" " * 2**24,
}
"""Answers that cost whoever reads them more than they are worth."""


@pytest.fixture(params=BODIES.values(), ids=list(BODIES))
async def liar(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An endpoint whose every answer is one of these."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=request.param, content_type="application/json")

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("ask", [_evm, _solana, _tron])
async def test_an_answer_that_costs_too_much_is_none(
    liar: str, ask: Callable[[str], Awaitable[object]], deep: None
) -> None:
    """A hostile endpoint must not kill a relayer: no stack, no memory and no second is left to it.

    Empty lists to 64 MB took ten seconds of the process and 1.5 GB, each time it was asked.
    """
    with pytest.raises(Unavailable):
        await ask(liar)
