"""When to look again: at a node's announcements where it sends some, and at every poll.

An announcement is a hint and never a proof: what it says is not looked at. So a stream that lies,
floods, breaks or falls silent costs a look too many, or the time of a few polls.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from relayer.domain.backoff import wait_before
from relayer.domain.errors import Unavailable

SHORTEST: Final = 0.02
"""Seconds between two ticks at least: several announcements of one transaction are one tick."""

_AT_ONCE: Final = 64
"""Frames that are read without a pause of ``SHORTEST``, so that a flood does not hold the loop."""

_CONNECT_SECONDS: Final = 10.0
_PING_SECONDS: Final = 20.0
_LARGEST: Final = 1 << 20
"""Bytes of one announcement; a larger one ends the connection."""

_ENDS: Final = frozenset(
    {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
)

Listen = Callable[[], AsyncGenerator[None, None]]
"""Connects, subscribes and yields at each announcement; Unavailable when that fails."""

Broke = Callable[[str], None]
"""Told, in words, that a stream could not be had or has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """Seconds between two looks: ``poll`` without announcements, ``quiet`` after one came."""

    poll: float
    quiet: float


def unheard(_words: str) -> None:
    """A Broke that listens to nothing."""


async def ticks(
    listen: Listen | None, paces: Paces, broke: Broke = unheard
) -> AsyncGenerator[None, None]:
    """A tick soon, then one for each announcement, and one where none came in time; never ends."""
    woken = asyncio.Event()
    listener = asyncio.create_task(_listen_for_ever(listen, woken, broke)) if listen else None
    wait = paces.poll
    try:
        while True:
            await asyncio.sleep(SHORTEST)
            woken.clear()
            yield
            wait = paces.quiet if await _woken(woken, wait) else paces.poll
    finally:
        if listener is not None:
            listener.cancel()


async def announced(
    url: str,
    requests: Sequence[Mapping[str, Any]],
    *,
    headers: Mapping[str, str],
    silence: float | None = None,
) -> AsyncGenerator[None, None]:
    """Subscribe over a WebSocket, then yield at each notification until the connection ends.

    Unavailable when it fails, or when nothing is heard for ``silence`` seconds.
    """
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            async with asyncio.timeout(_CONNECT_SECONDS):
                socket = await session.ws_connect(
                    url, heartbeat=_PING_SECONDS, max_msg_size=_LARGEST
                )
            async with socket:
                for request in requests:
                    await socket.send_json(request)
                async for frame in _paced(socket, silence):
                    if frame.type is aiohttp.WSMsgType.TEXT and '"params"' in frame.data:
                        yield
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unavailable(f"the subscription broke: {type(error).__name__}") from error


async def _paced(
    socket: aiohttp.ClientWebSocketResponse, silence: float | None
) -> AsyncGenerator[aiohttp.WSMessage, None]:
    heard = 0
    while (frame := await socket.receive(silence)).type not in _ENDS:
        yield frame
        heard += 1
        await asyncio.sleep(0 if heard % _AT_ONCE else SHORTEST)


async def _woken(woken: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await woken.wait()
    return False


async def _listen_for_ever(listen: Listen, woken: asyncio.Event, broke: Broke) -> None:
    """Listen again whenever a stream ends; the longer it said nothing the later."""
    failures = 0
    while True:
        words = "the subscription ended"
        try:
            async with contextlib.aclosing(listen()) as announcements:
                async for _ in announcements:
                    failures = 0
                    woken.set()
        except Unavailable as error:  # polling goes on meanwhile
            words = str(error)
        broke(words)
        await asyncio.sleep(wait_before(failures))
        failures += 1
