"""A small JSON-RPC client for the devnet's own talk with its Anvil processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp

Call = tuple[str, Sequence[Any]]


class RpcFault(RuntimeError):
    """The node answered with an error; `data` holds what it carried (revert data as 0x text)."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        """Keep the node's code, words and data."""
        super().__init__(f"{method}: {error.get('message')}")
        self.code = int(error.get("code", 0))
        self.words = str(error.get("message", ""))
        self.data = error.get("data")


class RpcClient:
    """One endpoint; the HTTP session opens with the first call."""

    def __init__(self, url: str) -> None:
        """Remember the endpoint."""
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call; raises `RpcFault` and aiohttp's errors."""
        answer = await self._post(_request(0, (method, params)))
        return _result(method, answer)

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Return the results of several calls in their order; raises `RpcFault` for the first."""
        results = await self.settle(calls)
        for result in results:
            if isinstance(result, RpcFault):
                raise result
        return results

    async def settle(self, calls: Sequence[Call]) -> list[Any]:
        """Return for each call in order its result, or its `RpcFault` without raising it."""
        if not calls:
            return []
        answers = await self._post([_request(index, call) for index, call in enumerate(calls)])
        by_id = {answer["id"]: answer for answer in answers}
        return [_settled(call[0], by_id[index]) for index, call in enumerate(calls)]

    async def _post(self, body: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        async with self._session.post(self._url, json=body) as response:
            return await response.json()

    async def close(self) -> None:
        """Close the session; a later call opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _request(number: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": call[0], "params": list(call[1])}


def _settled(method: str, answer: dict[str, Any]) -> Any:
    return RpcFault(method, answer["error"]) if "error" in answer else answer["result"]


def _result(method: str, answer: dict[str, Any]) -> Any:
    result = _settled(method, answer)
    if isinstance(result, RpcFault):
        raise result
    return result
