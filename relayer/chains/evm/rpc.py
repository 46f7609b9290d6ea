"""The edge to an EVM node: JSON-RPC over one kept-alive HTTP session, single calls and batches.

Calls are raw, because web3.py's formatters cost more than the decoding that is needed; what users
and set-up want of web3.py stands over the same session (`relayer.chains.evm.web3py`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import aiohttp

from relayer.chains.answers import body_of, value_of
from relayer.chains.connections import Connections
from relayer.chains.wakeups import announced
from relayer.chains.width import Width
from relayer.domain.errors import Unavailable

Call = tuple[str, Sequence[Any]]
"""A method and its parameters."""

_Group = list[tuple[Call, asyncio.Future[Any]]]
"""Calls that travel in one request, and who waits for them."""

Observe = Callable[[str, float, bool], None]
"""Told after every call: method, seconds, and whether the node answered it."""

_SILENCE_SECONDS: Final = 30.0
"""Seconds without a new block after which a stream of blocks is opened anew."""

_MAX_WORDS = 200


class NodeRefused(Unavailable):
    """The node answered with a JSON-RPC error; ``data`` is revert data where it carried some."""

    def __init__(self, method: str, error: Mapping[str, Any]) -> None:
        """Keep the node's code, words and data."""
        self.code = error.get("code")
        self.words = str(error.get("message", ""))[:_MAX_WORDS]
        self.data = _revert_data(error.get("data"))
        super().__init__(f"{method}: {self.words} ({self.code})")


class TooMuch(Unavailable):
    """The node does not take so many calls, or so long an answer, in one request."""


_SIZE_STATUS: Final = frozenset({400, 403, 413, 422})
"""HTTP states by which providers refuse a batch as such, for its length or at all."""


class EvmRpc:
    """One endpoint. Every call has a timeout; the session opens with the first one."""

    def __init__(
        self,
        url: str,
        *,
        ws_url: str | None = None,
        timeout_seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
        observe: Observe | None = None,
        max_batch: int = 100,
        connections: Connections | None = None,
    ) -> None:
        """Remember the endpoint; ``max_batch`` is the most calls put into one request.

        Fewer are, where the endpoint refuses so many. ``ws_url`` is where it announces new blocks,
        if it does.
        ``connections`` are shared with others that ask the same endpoint, and stay open.
        """
        self._connections = connections or Connections()
        self._owned = connections is None
        self._url, self._ws_url = url, ws_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._observe = observe or _unobserved
        self._width = Width(max_batch)
        self._session: aiohttp.ClientSession | None = None
        self._queue: list[_Group] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """The result of one call; NodeRefused or Unavailable otherwise."""
        return good((await self.batch([(method, params)]))[0])

    def room(self, beside: int) -> int:
        """How many calls one request takes beside some others, as far as is known; at least 1."""
        return max(1, self._width.now - beside)

    async def batch(self, calls: Sequence[Call], *, together: bool = False) -> list[Any]:
        """The results of several calls in their order; a refused one is a NodeRefused in its place.

        Calls made by others in the same turn of the loop travel in the same request, which the
        node may want to be cut; those that go ``together`` are never cut, so that one backend
        answers them (TooMuch if it has too many). Unavailable if any call has no answer at all.
        """
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[Any]] = [loop.create_future() for _ in calls]
        if not self._queue:
            loop.call_soon(self._flush)
        pairs = list(zip(calls, waiting, strict=True))
        self._queue += [pairs] if together else [[pair] for pair in pairs]
        return [await future for future in waiting]

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        self._send_all(queue)

    def _send_all(self, groups: Sequence[_Group]) -> None:
        for some in _packed(groups, self._width.now):
            task = asyncio.create_task(self._send(some))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, groups: Sequence[_Group]) -> None:
        """Ask for queued calls in one request, and hand every answer to who waits for it."""
        queue = [pair for group in groups for pair in group]
        try:
            results = await self._told([call for call, _ in queue])
            self._width.took(len(queue))
        except Unavailable as error:
            self._width.refused(len(queue))
            if isinstance(error, TooMuch) and len(groups) > 1:
                self._send_all(groups)
                return
            results = [error] * len(queue)
        except Exception as error:  # noqa: BLE001 - an answer out of all form; nobody may wait for ever
            told = Unavailable(f"the node's answer is not in form: {error!r}"[:_MAX_WORDS])
            results = [told] * len(queue)
        for (_, future), result in zip(queue, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Unavailable) and not isinstance(result, NodeRefused):
                future.set_exception(result)
                future.exception()  # marks it as seen: a batch stops at its first failure
            else:
                future.set_result(result)

    async def _told(self, calls: Sequence[Call]) -> list[Any]:
        """Results of calls, telling the observer how it went for each."""
        begin, ok = time.monotonic(), False
        try:
            results = await self._ask(calls)
            ok = True
        finally:
            for method, _ in calls:
                self._observe(method, time.monotonic() - begin, ok)
        return results

    async def _ask(self, calls: Sequence[Call]) -> list[Any]:
        body = [_request(number, call) for number, call in enumerate(calls)]
        answer = await self.post(json.dumps(body if len(body) > 1 else body[0]).encode())
        answers = answer if isinstance(answer, list) else [answer]
        if len(calls) > 1 and not isinstance(answer, list):
            error = answer.get("error") if isinstance(answer, dict) else None
            raise TooMuch(f"the node does not answer such a batch: {str(error)[:_MAX_WORDS]}")
        by_id = {one["id"]: one for one in answers if _has_number(one)}
        return [_outcome(method, by_id.get(number)) for number, (method, _) in enumerate(calls)]

    async def post(self, body: bytes) -> Any:
        """The decoded answer to a request body; Unavailable if there is none."""
        try:
            status, text = await self._exchange(body)
            if status in _SIZE_STATUS and body.startswith(b"["):
                raise TooMuch(f"the node answered HTTP {status} to a batch")
            if status >= 400 and not text.startswith((b"{", b"[")):
                raise Unavailable(f"the node answered HTTP {status}")
            return value_of(text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the node did not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise Unavailable(f"the node did not answer in JSON: {error}"[:_MAX_WORDS]) from error

    @property
    def has_stream(self) -> bool:
        """Whether a WebSocket address is known."""
        return self._ws_url is not None

    def new_heads(self) -> AsyncGenerator[None, None]:
        """Yield at each new block the node announces; Unavailable when the stream ends."""
        if self._ws_url is None:
            raise Unavailable("no WebSocket address is configured")
        asked = _request(1, ("eth_subscribe", ["newHeads"]))
        return announced(self._ws_url, [asked], headers=self._headers, silence=_SILENCE_SECONDS)

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        """HTTP status and body."""
        if self._session is None:
            self._session = self._connections.session(self._headers, self._timeout)
        async with self._session.post(self._url, data=body) as response:
            return response.status, await body_of(response)

    async def close(self) -> None:
        """Close the session; again is harmless, and a later call opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            if self._owned:
                await self._connections.close()
            await asyncio.sleep(0)


def _packed(groups: Sequence[_Group], most: int) -> Iterator[list[_Group]]:
    """Groups in requests of at most ``most`` calls; a larger one travels alone."""
    some: list[_Group] = []
    for group in groups:
        if some and sum(map(len, some)) + len(group) > most:
            yield some
            some = []
        some.append(group)
    if some:
        yield some


def good(result: Any) -> Any:
    """A result of a batch; raises the NodeRefused that stands in its place."""
    if isinstance(result, NodeRefused):
        raise result
    return result


def _has_number(answer: object) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("id"), int)


def _request(number: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": call[0], "params": list(call[1])}


def _outcome(method: str, answer: object) -> Any:
    if not isinstance(answer, dict):
        return Unavailable(f"the node did not answer {method}")
    if isinstance(error := answer.get("error"), dict):
        return NodeRefused(method, error)
    if "result" not in answer:
        return Unavailable(f"the node answered {method} without a result")
    return answer["result"]


def _revert_data(data: object) -> bytes | None:
    if isinstance(data, dict):
        data = data.get("data")
    if not isinstance(data, str) or not data.startswith("0x"):
        return None
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return None


def _unobserved(_method: str, _seconds: float, _ok: bool) -> None:  # noqa: FBT001 - the hook's form
    return
