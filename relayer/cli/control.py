"""Talking to a running relayer's HTTP server about halts and commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from relayer.domain.errors import Unavailable
from relayer.settings import Settings


async def halts_of(settings: Settings, url: str | None) -> list[dict[str, Any]]:
    """The halts in force; Unavailable if the relayer does not answer."""
    return list(await _ask("GET", _base(settings, url) + "/halts"))


async def publish(settings: Settings, url: str | None, record: bytes) -> None:
    """Hand a control record to the relayer; Unavailable if it does not take it."""
    await _ask("POST", _base(settings, url) + "/control", record)


async def hand_over(settings: Settings, url: str | None, record: bytes) -> None:
    """Hand a signed command to the relayer; Unavailable with its word if it does not take it."""
    await _ask("POST", _base(settings, url) + "/commands", record)


def _base(settings: Settings, url: str | None) -> str:
    if url is not None:
        return url.rstrip("/")
    port_file = settings.path(settings.state_dir) / "http.port"
    port = settings.http.port
    if port == 0:
        port = _port_in(port_file)
    return f"http://{settings.http.host}:{port}"


def _port_in(file: Path) -> int:
    """The port that a running relayer wrote down; Unavailable if there is none to be read."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        msg = f"{file} names no port: is the relayer running? (--url names it by hand)"
        raise Unavailable(msg) from error


async def _ask(method: str, url: str, body: bytes | None = None) -> Any:
    try:
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, data=body) as answer,
        ):
            if answer.status >= 400:
                msg = f"the relayer at {url} refused: {(await answer.text()).strip()}"
                raise Unavailable(msg)
            return await answer.json() if method == "GET" else None
    except (aiohttp.ClientError, TimeoutError) as error:
        msg = f"no relayer answers at {url}: is it running? (--url names another one)"
        raise Unavailable(msg) from error
