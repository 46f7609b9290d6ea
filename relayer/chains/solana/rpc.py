"""The thin edge to a node: JSON-RPC over one kept-alive session, single calls and batches.

solders builds and reads transactions; the transport is aiohttp, which costs a fifth of the
processor time of solana-py's client and lets several calls travel in one request.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import aiohttp

from relayer.chains.answers import body_of, value_of
from relayer.chains.connections import Connections
from relayer.chains.wakeups import announced
from relayer.chains.width import Width
from relayer.domain.errors import Unavailable

Observe = Callable[[str, float, bool], None]
"""Told after each call: method, seconds, whether the node answered."""

_HEADERS: Final = MappingProxyType({"Content-Type": "application/json"})


class NodeError(Unavailable):
    """The node answered with an error of its own; ``code`` and ``data`` are its words."""

    def __init__(self, method: str, error: Mapping[str, Any]) -> None:
        """Keep what the node said."""
        code = error.get("code")
        self.code = code if isinstance(code, int) else 0
        self.data = error.get("data")
        super().__init__(f"{method}: {self.code} {error.get('message')}")


class TooMuch(Unavailable):
    """The node does not take so many calls, or so long an answer, at once."""


class Call(NamedTuple):
    """One method with its parameters."""

    method: str
    params: Sequence[Any] = ()


_SIZE_STATUS: Final = frozenset({400, 403, 413, 422})
"""HTTP states by which providers refuse a batch as such, for its length or at all."""
_SIZE_CODES: Final = frozenset({-32600, -32602, -32615, 413})
_SIZE_WORDS: Final = ("too many", "too large", "too big", "limit", "exceed", "maximum")


def is_too_much(error: NodeError) -> bool:
    """Whether a node refused a call because of how much it asks for, in any of their words."""
    words = str(error).lower()
    return error.code in _SIZE_CODES or (
        "rate" not in words and any(w in words for w in _SIZE_WORDS)
    )


_Waiting = tuple[Call, asyncio.Future[Any]]


class SolanaRpc:
    """One endpoint."""

    def __init__(
        self,
        url: str,
        *,
        ws_url: str | None = None,
        timeout_seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
        batch_calls: int = 25,
        observe: Observe = lambda _method, _seconds, _ok: None,
        connections: Connections | None = None,
    ) -> None:
        """Remember where the node is; the session opens with the first call.

        ``batch_calls`` bounds the calls put into one request, which may have 50 kB.
        ``connections`` are shared with others that ask the same endpoint, and stay open.
        """
        self._connections = connections or Connections()
        self._owned = connections is None
        self._url = url
        self._ws_url = ws_url
        self._headers = {**_HEADERS, **(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._observe = observe
        self.width = Width(batch_calls)
        """Calls that the node takes in one request, as far as is known."""
        self._session: aiohttp.ClientSession | None = None
        self._waiting: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_stream(self) -> bool:
        """Whether a WebSocket address is known."""
        return self._ws_url is not None

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one method; NodeError if the node refuses, Unavailable if it is silent.

        Calls made in the same turn of the event loop travel together in one request.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((Call(method, params), answer))
        if len(self._waiting) == 1:
            self._start(self._flush())
        return await answer

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several methods in their order; raises the first refusal."""
        results = await self.try_batch(calls)
        for result in results:
            if isinstance(result, NodeError):
                raise result
        return results

    async def try_batch(self, calls: Sequence[Call]) -> list[Any]:
        """As ``batch``, with refusals standing as NodeError where their results would be.

        All travel in one request, so that one backend answers them: TooMuch if it has too many.
        """
        if not calls:
            return []
        begun, answered = time.monotonic(), False
        try:
            answers = await self._exchange(calls)
            answered = True
        finally:
            for one in calls:
                self._observe(one.method, time.monotonic() - begun, answered)
        return answers

    async def try_each(self, calls: Sequence[Call]) -> list[Any]:
        """As ``try_batch``, in as many requests as the node wants: for calls that stand alone."""
        results: list[Any] = []
        while len(results) < len(calls):
            part = calls[len(results) : len(results) + self.width.now]
            try:
                results += await self.try_batch(part)
            except TooMuch:
                if not self.width.refused(len(part)):
                    raise
            except Unavailable:  # slow, rationed or cut: not again at once, and then less
                self.width.refused(len(part))
                raise
            else:
                self.width.took(len(part))
        return results

    def listen(self, calls: Sequence[Call]) -> AsyncGenerator[None, None]:
        """Subscribe, then yield at every notification until the connection ends.

        What a notification says is not looked at: simulations are announced as if they had
        happened. Unavailable when the connection fails.
        """
        if self._ws_url is None:
            raise Unavailable("no WebSocket address is configured")
        bodies = [_body(place, one.method, one.params) for place, one in enumerate(calls)]
        return announced(self._ws_url, bodies, headers=self._headers)

    async def close(self) -> None:
        """Close the session; calls under way end as Unavailable."""
        for task in tuple(self._tasks):
            task.cancel()
        for _, answer in self._waiting:
            answer.cancel()
        if self._session is not None:
            await self._session.close()
            if self._owned:
                await self._connections.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._connections.session(self._headers, self._timeout)
        return self._session

    async def _flush(self) -> None:
        """Send what was asked in this turn, in as few requests as the node's limits allow."""
        await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, []
        size = self.width.now
        for at in range(0, len(waiting), size):
            self._start(self._answer(waiting[at : at + size]))

    async def _answer(self, waiting: list[_Waiting]) -> None:
        results: list[Any] = [Unavailable("the connection was closed") for _ in waiting]
        try:
            results = await self.try_each([one for one, _ in waiting])
        except Unavailable as error:
            results = [Unavailable(str(error)) for _ in waiting]
        finally:
            _tell(waiting, results)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _exchange(self, calls: Sequence[Call]) -> list[Any]:
        bodies = [_body(place, one.method, one.params) for place, one in enumerate(calls)]
        names = ", ".join(sorted({one.method for one in calls}))
        if len(calls) == 1:
            return [_kept(names, await self._post(names, bodies[0]))]
        answers = await self._post(names, bodies)
        if not isinstance(answers, list):
            raise TooMuch(f"{names}: the node answers a batch with {str(answers)[:200]}")
        by_id = {answer["id"]: answer for answer in answers if _has_number(answer)}
        return [_kept(one.method, by_id.get(place)) for place, one in enumerate(calls)]

    async def _post(self, method: str, body: Any) -> Any:
        data = json.dumps(body, separators=(",", ":")).encode()
        try:
            status, text = await self._send(data)
            if status in _SIZE_STATUS and isinstance(body, list):
                raise TooMuch(f"{method}: HTTP {status} for {len(body)} calls")
            if status != 200:
                raise Unavailable(f"{method}: HTTP {status}")
            return value_of(text)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{method}: {type(error).__name__} {error}") from error

    async def _send(self, data: bytes) -> tuple[int, bytes]:
        """HTTP status and body."""
        async with self._open().post(self._url, data=data) as response:
            return response.status, await body_of(response)


def _has_number(answer: object) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("id"), int)


def _body(place: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": place, "method": method, "params": params}


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn an answer of another shape than the protocol's into Unavailable.

    Wraps nothing but the reading of answers: there a missing part is the node's fault.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise Unavailable(f"{what}: the node answers in a way we cannot read: {error!r}") from error


def _tell(waiting: Sequence[_Waiting], results: Sequence[Any]) -> None:
    for (_, answer), result in zip(waiting, results, strict=True):
        if answer.done():
            continue  # whoever asked was cancelled
        if isinstance(result, Unavailable):
            answer.set_exception(result)
        else:
            answer.set_result(result)


def _kept(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise Unavailable(f"{method}: no answer in the node's reply")
    if isinstance(answer.get("error"), dict):
        return NodeError(method, answer["error"])
    if "result" not in answer:
        raise Unavailable(f"{method}: neither a result nor an error")
    return answer["result"]
