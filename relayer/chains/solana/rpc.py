"""The thin edge to a node: JSON-RPC over one kept-alive session, single calls and batches.

solders builds and reads transactions; the transport is aiohttp, which costs a fifth of the
processor time of solana-py's client and lets several calls travel in one request.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import aiohttp

from relayer.domain.errors import Unavailable

Observe = Callable[[str, float, bool], None]
"""Told after each request: method (``batch`` for several), seconds, whether it was answered."""

_HEADERS: Final = MappingProxyType({"Content-Type": "application/json"})
_MAX_ANSWER: Final = 64 * 1024 * 1024


class NodeError(Unavailable):
    """The node answered with an error of its own; ``code`` and ``data`` are its words."""

    def __init__(self, method: str, error: Mapping[str, Any]) -> None:
        """Keep what the node said."""
        self.code = int(error.get("code", 0))
        self.data = error.get("data")
        super().__init__(f"{method}: {self.code} {error.get('message')}")


class Call(NamedTuple):
    """One method with its parameters."""

    method: str
    params: Sequence[Any] = ()


class SolanaRpc:
    """One endpoint."""

    def __init__(
        self,
        url: str,
        *,
        ws_url: str | None = None,
        timeout_seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
        observe: Observe = lambda _method, _seconds, _ok: None,
    ) -> None:
        """Remember where the node is; the session opens with the first call."""
        self._url = url
        self._ws_url = ws_url
        self._headers = {**_HEADERS, **(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._observe = observe
        self._session: aiohttp.ClientSession | None = None

    @property
    def has_stream(self) -> bool:
        """Whether a WebSocket address is known."""
        return self._ws_url is not None

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one method; NodeError if the node refuses, Unavailable if it is silent."""
        answer = await self._post(method, _body(0, method, params))
        return _result(method, answer)

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several methods in their order; raises the first refusal."""
        results = await self.try_batch(calls)
        for result in results:
            if isinstance(result, NodeError):
                raise result
        return results

    async def try_batch(self, calls: Sequence[Call]) -> list[Any]:
        """As ``batch``, with refusals standing as NodeError where their results would be."""
        if not calls:
            return []
        body = [_body(place, one.method, one.params) for place, one in enumerate(calls)]
        answers = await self._post("batch", body)
        if not isinstance(answers, list):
            _result("batch", answers)
            raise Unavailable("batch: the node answers a batch with something else")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        return [_kept(one.method, by_id.get(place)) for place, one in enumerate(calls)]

    async def listen(self, calls: Sequence[Call]) -> AsyncIterator[None]:
        """Subscribe, then yield at every notification until the connection ends.

        What a notification says is not looked at: simulations are announced as if they had
        happened. Unavailable when the connection fails.
        """
        if self._ws_url is None:
            raise Unavailable("no WebSocket address is configured")
        try:
            async with self._open().ws_connect(self._ws_url, heartbeat=20.0) as socket:
                for place, one in enumerate(calls):
                    await socket.send_json(_body(place, one.method, one.params))
                async for frame in socket:
                    if frame.type is aiohttp.WSMsgType.TEXT and '"params"' in frame.data:
                        yield
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"the subscription broke: {error!r}") from error

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=16, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector, headers=self._headers, timeout=self._timeout
            )
        return self._session

    async def _post(self, method: str, body: Any) -> Any:
        begun, answered = time.monotonic(), False
        try:
            async with self._open().post(self._url, data=json.dumps(body)) as response:
                if response.status != 200:
                    raise Unavailable(f"{method}: HTTP {response.status}")
                text = await _read(method, response)
            answer = json.loads(text)
            answered = True
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{method}: {type(error).__name__} {error}") from error
        finally:
            self._observe(method, time.monotonic() - begun, answered)
        return answer


async def _read(method: str, response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MAX_ANSWER:
            raise Unavailable(f"{method}: the answer is larger than {_MAX_ANSWER} bytes")
    return b"".join(parts)


def _body(place: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": place, "method": method, "params": params}


def _result(method: str, answer: Any) -> Any:
    kept = _kept(method, answer)
    if isinstance(kept, NodeError):
        raise kept
    return kept


def _kept(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise Unavailable(f"{method}: no answer in the node's reply")
    if isinstance(answer.get("error"), dict):
        return NodeError(method, answer["error"])
    if "result" not in answer:
        raise Unavailable(f"{method}: neither a result nor an error")
    return answer["result"]
