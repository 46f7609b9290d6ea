"""The edge to an EVM node: JSON-RPC over one kept-alive HTTP session, single calls and batches.

Reads of the hot path are raw calls, because web3.py's formatters cost more than the decoding
that is needed; `EvmRpc.web3` is a whole AsyncWeb3 over the same session for everything else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import aiohttp
from web3 import AsyncWeb3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from relayer.domain.errors import Unavailable

Call = tuple[str, Sequence[Any]]
"""A method and its parameters."""

Observe = Callable[[str, float, bool], None]
"""Told after every call: method, seconds, and whether the node answered it."""

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer above which it is given up."""

_MAX_WORDS = 200


class NodeRefused(Unavailable):
    """The node answered with a JSON-RPC error; ``data`` is revert data where it carried some."""

    def __init__(self, method: str, error: Mapping[str, Any]) -> None:
        """Keep the node's code, words and data."""
        self.code = error.get("code")
        self.words = str(error.get("message", ""))[:_MAX_WORDS]
        self.data = _revert_data(error.get("data"))
        super().__init__(f"{method}: {self.words} ({self.code})")


class EvmRpc:
    """One endpoint. Every call has a timeout; the session opens with the first one."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
        observe: Observe | None = None,
        max_batch: int = 100,
    ) -> None:
        """Remember the endpoint; ``max_batch`` is how many calls it takes in one request."""
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._observe = observe or _unobserved
        self._max_batch = max_batch
        self._session: aiohttp.ClientSession | None = None
        self._web3: AsyncWeb3[_Provider] | None = None

    @property
    def web3(self) -> AsyncWeb3[_Provider]:
        """web3.py over this endpoint, fit for chains whose headers carry more than 32 bytes."""
        if self._web3 is None:
            self._web3 = AsyncWeb3(_Provider(self))
            self._web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        return self._web3

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """The result of one call; NodeRefused or Unavailable otherwise."""
        answer = await self._told((method,), _request(0, (method, params)))
        return good(_outcome(method, answer))

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several calls in their order; a refused one is a NodeRefused in its place.

        Unavailable if any has no answer at all.
        """
        results: list[Any] = []
        for start in range(0, len(calls), self._max_batch):
            results += await self._batch(calls[start : start + self._max_batch])
        return results

    async def _batch(self, calls: Sequence[Call]) -> list[Any]:
        body = [_request(number, call) for number, call in enumerate(calls)]
        answers = await self._told([method for method, _ in calls], body)
        if isinstance(answers, dict) and "error" in answers:
            raise NodeRefused("batch", answers["error"])
        if not isinstance(answers, list):
            raise Unavailable("the node did not answer a batch with a list")
        by_id = {one.get("id"): one for one in answers if isinstance(one, dict)}
        return [_outcome(method, by_id.get(number)) for number, (method, _) in enumerate(calls)]

    async def _told(self, methods: Sequence[str], body: object) -> Any:
        """Post, and tell the observer how it went for each method."""
        begin, ok = time.monotonic(), False
        try:
            answer = await self._post(json.dumps(body).encode())
            ok = True
        finally:
            for method in methods:
                self._observe(method, time.monotonic() - begin, ok)
        return answer

    async def post(self, body: bytes) -> Any:
        """The decoded answer to a request body; Unavailable if there is none."""
        return await self._post(body)

    async def _post(self, body: bytes) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        try:
            async with self._session.post(self._url, data=body) as response:
                text = await _read(response)
                if response.status >= 400 and not text.startswith((b"{", b"[")):
                    raise Unavailable(f"the node answered HTTP {response.status}")
                return json.loads(text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the node did not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise Unavailable("the node did not answer in JSON") from error

    async def close(self) -> None:
        """Close the session; again is harmless, and a later call opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)


class _Provider(AsyncJSONBaseProvider):
    """web3.py's calls over an EvmRpc."""

    def __init__(self, rpc: EvmRpc) -> None:
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one call as web3.py encodes it."""
        answer = await self._rpc.post(self.encode_rpc_request(method, params))
        return cast("RPCResponse", answer)


def good(result: Any) -> Any:
    """A result of a batch; raises the NodeRefused that stands in its place."""
    if isinstance(result, NodeRefused):
        raise result
    return result


def _request(number: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": call[0], "params": list(call[1])}


def _outcome(method: str, answer: object) -> Any:
    if not isinstance(answer, dict):
        raise Unavailable(f"the node did not answer {method}")
    if isinstance(error := answer.get("error"), dict):
        return NodeRefused(method, error)
    if "result" not in answer:
        raise Unavailable(f"the node answered {method} without a result")
    return answer["result"]


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 18):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            raise Unavailable(f"the node's answer is longer than {MAX_ANSWER} bytes")
    return b"".join(parts)


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
