from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

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


@pytest.fixture(params=[b"[", b'{"a":', b'{"result":[{"a":['])
async def liar(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An endpoint whose every answer is nested two hundred thousand levels deep."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=request.param * 200_000, content_type="application/json")

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("ask", [_evm, _solana, _tron])
async def test_a_deeply_nested_answer_does_not_end_the_process(
    liar: str, ask: Callable[[str], Awaitable[object]], deep: None
) -> None:
    """It is no answer; a hostile endpoint must not be able to kill a relayer."""
    with pytest.raises(Unavailable):
        await ask(liar)
