"""Announcements wake a reader up; one that lies, floods, breaks or is silent keeps it awake too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.wakeups import SHORTEST, Paces, announced, ticks
from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.domain.address import ChainId
from relayer.domain.errors import Unavailable
from tests.chains.harness import fresh_account

Manners = Callable[[web.WebSocketResponse], Awaitable[None]]

ANNOUNCEMENT = '{"jsonrpc":"2.0","method":"eth_subscription","params":{"result":{}}}'
NEVER = 10**6


@asynccontextmanager
async def stream(manners: Manners) -> AsyncIterator[str]:
    """A WebSocket that behaves so once it has been asked; its URL."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await manners(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def ticks_in(seconds: float, url: str, paces: Paces) -> int:
    """How often a reader that listens there is woken up in that time."""
    count = 0

    def listen() -> AsyncGenerator[None, None]:
        return announced(url, [{"id": 1}], headers={}, silence=0.5)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(ticks(listen, paces)) as woken:
            async for _ in woken:
                count += 1
    return count


async def silence(_: web.WebSocketResponse) -> None:
    await asyncio.sleep(60)


async def garbage(socket: web.WebSocketResponse) -> None:
    for frame in ("{", "[[[[", '{"error": {"code": -32601}}', "null", "x" * 10_000) * 20:
        await socket.send_str(frame)
        await socket.send_bytes(frame.encode())
    await asyncio.sleep(60)


async def hanging_up(socket: web.WebSocketResponse) -> None:
    await socket.close()


async def one_and_then_silence(socket: web.WebSocketResponse) -> None:
    await socket.send_str(ANNOUNCEMENT)
    await asyncio.sleep(60)


async def too_much(socket: web.WebSocketResponse) -> None:
    await socket.send_str("x" * (2 << 20))
    await asyncio.sleep(60)


async def six_at_once(socket: web.WebSocketResponse) -> None:
    await asyncio.sleep(0.2)
    for _ in range(6):
        await socket.send_str(ANNOUNCEMENT)
    await asyncio.sleep(60)


async def flood(socket: web.WebSocketResponse) -> None:
    while not socket.closed:
        await socket.send_str(ANNOUNCEMENT)


@pytest.mark.parametrize(
    "manners",
    [silence, garbage, hanging_up, one_and_then_silence, too_much],
    ids=lambda it: it.__name__,
)
async def test_a_bad_stream_does_not_keep_a_reader_asleep(manners: Manners) -> None:
    """Whatever a node does on its stream, polls go on."""
    async with stream(manners) as url:
        assert await ticks_in(1.0, url, Paces(poll=0.05, quiet=0.2)) >= 4


async def test_a_stream_that_cannot_be_reached_does_no_harm() -> None:
    """Polls go on where nobody listens, and where the address is none."""
    for url in ("ws://127.0.0.1:9/", "nonsense"):
        assert await ticks_in(0.6, url, Paces(poll=0.05, quiet=NEVER)) >= 3


async def test_a_flood_wakes_no_more_often_than_is_allowed() -> None:
    """Announcements without end are read at a bounded pace, and leave the loop free for others."""
    async with stream(flood) as url:
        woken = await ticks_in(1.0, url, Paces(poll=NEVER, quiet=NEVER))
    assert 3 <= woken <= 1.0 / SHORTEST + 1


async def test_announcements_of_one_moment_are_one_tick() -> None:
    """A transaction that touches several watched accounts is looked at once."""
    async with stream(six_at_once) as url:
        assert 2 <= await ticks_in(1.0, url, Paces(poll=NEVER, quiet=NEVER)) <= 3


async def test_a_stream_that_broke_is_opened_again() -> None:
    """A node that hangs up after each announcement is listened to again and again."""

    async def announce_and_hang_up(socket: web.WebSocketResponse) -> None:
        await socket.send_str(ANNOUNCEMENT)
        await socket.close()

    async with stream(announce_and_hang_up) as url:
        assert await ticks_in(2.5, url, Paces(poll=NEVER, quiet=NEVER)) >= 3


async def test_silence_ends_a_stream() -> None:
    """A subscription that a node has forgotten is made anew."""
    async with (
        stream(silence) as url,
        aclosing(announced(url, [{"id": 1}], headers={}, silence=0.2)) as announcements,
    ):
        with pytest.raises(Unavailable, match="TimeoutError"):
            await anext(announcements)


async def test_each_new_block_wakes_the_reader_without_a_poll() -> None:
    """A node that announces its blocks is not polled: ticks come at the pace of its blocks."""
    async with Anvil(AnvilConfig(block_time=0.25)) as anvil:
        config = replace(_config(anvil.url), ws_url=anvil.ws_url, poll_seconds=NEVER)
        rpc = EvmRpc(config.url, ws_url=config.ws_url)
        async with asyncio.timeout(20), aclosing(EvmReader(config, rpc).wakeups()) as woken:
            await anext(woken)
            first = int(await anvil.rpc.call("eth_blockNumber"), 16)
            for _ in range(6):
                await anext(woken)
            last = int(await anvil.rpc.call("eth_blockNumber"), 16)
        await rpc.close()
    assert last - first >= 5


def _config(url: str) -> EvmConfig:
    chain = ChainId("eip155:31337")
    return EvmConfig(
        chain=chain,
        url=url,
        gateway=fresh_account(chain),
        tokens=(),
        peers=(),
        attesters=(),
        quorum=1,
    )
