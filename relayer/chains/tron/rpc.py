"""The thin edge to java-tron: two URLs, a timeout on every call, domain errors for all others.

HTTP goes through one aiohttp session rather than tronpy's provider, which carries other people's
API keys and looks for the solid view on the full node's port. java-tron answers 200 to almost
everything: errors are recognised by what stands in the body.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from relayer.chains.answers import body_of, value_of
from relayer.chains.connections import Connections
from relayer.chains.tron.codec import (
    Block,
    ConstantResult,
    TxInfo,
    block_from,
    constant_result_from,
    infos_from,
    refusal_in,
    tx_info_from,
)
from relayer.domain.errors import HistoryPruned, Unavailable

Observe = Callable[[str, float, bool], None]
"""Told of every call: method, seconds, whether it was answered."""

ANYONE = "41" + "00" * 20
"""The zero account: whom a constant call is from when it does not matter."""

_FULL = "wallet"
_SOLID = "walletsolidity"
_MORE_TRIES = 3
"""For a call that ran out of time: a node goes by its own clock, and a cold one warms up by it."""


class CallRefused(Unavailable):
    """The node did not run a constant call, for instance because no contract is there."""


class CallTimedOut(CallRefused):
    """A constant call used more processor time than the chain allows a transaction."""


class TronRpc:
    """One endpoint: the full node's port and the solid view's."""

    def __init__(
        self,
        url: str,
        solidity_url: str,
        *,
        timeout_seconds: float = 10.0,
        headers: Mapping[str, str] | None = None,
        observe: Observe | None = None,
        connections: Connections | None = None,
    ) -> None:
        """Remember the endpoint; the session opens with the first call.

        ``connections`` are shared with others that ask the same endpoint, and stay open.
        """
        self._connections = connections or Connections()
        self._owned = connections is None
        self._urls = {
            _FULL: url.rstrip("/"),
            _SOLID: solidity_url.rstrip("/"),
        }
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._headers = dict(headers or {})
        self._observe = observe or _unobserved
        self._session: aiohttp.ClientSession | None = None

    async def head(self) -> Block:
        """The newest block of the full node; it may still be undone."""
        return self._known(await self._ask(_FULL, "getblock", {"detail": False}))

    async def solid_head(self) -> Block:
        """The newest block of the solid view: it cannot be undone."""
        return self._known(await self._ask(_SOLID, "getblock", {"detail": False}))

    async def genesis(self) -> Block:
        """Block 0: the last 4 bytes of its id are the chain's name in CAIP-2."""
        return self._known(await self._ask(_FULL, "getblock", {"id_or_num": "0"}))

    async def solid_genesis(self) -> Block:
        """Block 0 as the solid view has it."""
        return self._known(await self._ask(_SOLID, "getblock", {"id_or_num": "0"}))

    async def solid_block_infos(self, number: int) -> tuple[TxInfo, ...]:
        """Outcome of every transaction of a solid block, in block order.

        The node says ``[]`` for an empty block and for one that it does not have, so an empty
        answer is believed only if the block's header says that it has no transactions.
        Raises Unavailable (the view is behind) and HistoryPruned (the outcomes are gone).
        """
        answer = await self._ask(_SOLID, "gettransactioninfobyblocknum", {"num": number})
        with _sense("gettransactioninfobyblocknum"):
            infos = infos_from(answer, number)
        if not infos:
            await self._check_empty(number)
        return infos

    async def solid_tx_info(self, tx: str) -> TxInfo | None:
        """The final outcome of a transaction; None while the solid view has none."""
        return await self._tx_info(_SOLID, tx)

    async def tx_info(self, tx: str) -> TxInfo | None:
        """The outcome of a transaction in a block that may still be undone; None if unmined."""
        return await self._tx_info(_FULL, tx)

    async def solid_call(self, contract: bytes, data: bytes) -> ConstantResult:
        """A constant call on the solid state; ``contract`` has 21 bytes."""
        return await self._constant(_SOLID, contract, data, ANYONE, 0)

    async def call(
        self, contract: bytes, data: bytes, *, owner: bytes | None = None, sun: int = 0
    ) -> ConstantResult:
        """A constant call on the newest state, as from ``owner`` with ``sun``; nothing is sent."""
        sender = ANYONE if owner is None else owner.hex()
        return await self._constant(_FULL, contract, data, sender, sun)

    async def broadcast(self, raw: bytes) -> tuple[str, str]:
        """Send a signed transaction; the node's code (``SUCCESS`` if taken) and its message."""
        answer = await self._ask(_FULL, "broadcasthex", {"transaction": raw.hex()})
        with _sense("broadcasthex"):
            return str(answer.get("code", "")), str(answer.get("message", ""))

    async def chain_parameters(self) -> Mapping[str, int]:
        """The values that witnesses vote on, by name; absent ones are 0."""
        answer = await self._ask(_FULL, "getchainparameters", {})
        with _sense("getchainparameters"):
            return {
                str(entry["key"]): int(entry.get("value", 0)) for entry in answer["chainParameter"]
            }

    async def balance(self, address: bytes) -> int:
        """Sun of an account (21 bytes); 0 if it does not exist."""
        answer = await self._ask(_FULL, "getaccount", {"address": address.hex()})
        with _sense("getaccount"):
            return int(answer.get("balance", 0))

    async def staked_energy(self, address: bytes) -> int:
        """Energy units that an account (21 bytes) can use now without burning sun."""
        answer = await self._ask(_FULL, "getaccountresource", {"address": address.hex()})
        with _sense("getaccountresource"):
            left = int(answer.get("EnergyLimit", 0)) - int(answer.get("EnergyUsed", 0))
        return max(left, 0)

    async def close(self) -> None:
        """Release the connections."""
        if self._session is not None:
            await self._session.close()
            if self._owned:
                await self._connections.close()
            self._session = None

    async def _tx_info(self, view: str, tx: str) -> TxInfo | None:
        answer = await self._ask(view, "gettransactioninfobyid", {"value": tx})
        if not answer:
            return None
        with _sense("gettransactioninfobyid"):
            info = tx_info_from(answer)
        if info.tx != tx:
            raise Unavailable(f"asked for transaction {tx}, told of {info.tx}")
        return info

    async def _constant(
        self, view: str, contract: bytes, data: bytes, sender: str, sun: int
    ) -> ConstantResult:
        params: dict[str, object] = {
            "owner_address": sender,
            "contract_address": contract.hex(),
            "data": data.hex(),
        }
        if sun:
            params["call_value"] = sun
        for _ in range(_MORE_TRIES):
            with contextlib.suppress(CallTimedOut):
                return await self._try_constant(view, params)
        return await self._try_constant(view, params)

    async def _try_constant(self, view: str, params: Mapping[str, object]) -> ConstantResult:
        answer = await self._ask(view, "triggerconstantcontract", params)
        with _sense("triggerconstantcontract"):
            refusal = refusal_in(answer)
            if refusal is None:
                return constant_result_from(answer)
        kind = CallTimedOut if "OutOfTime" in refusal else CallRefused
        raise kind(f"triggerconstantcontract: {refusal}")

    async def _check_empty(self, number: int) -> None:
        answer = await self._ask(_SOLID, "getblock", {"id_or_num": str(number)})
        if not answer:
            msg = f"the solid view has no block {number}"
            raise Unavailable(msg)
        if not self._known(answer).empty:
            msg = f"block {number} has transactions, but the endpoint has no outcomes of them"
            raise HistoryPruned(msg)

    def _known(self, answer: Any) -> Block:
        with _sense("getblock"):
            return block_from(answer)

    async def _ask(self, view: str, method: str, params: Mapping[str, object]) -> Any:
        started = time.monotonic()
        answered = False
        try:
            answer = _decoded(method, await self._post(view, method, params))
            answered = True
        finally:
            self._observe(f"{view}/{method}", time.monotonic() - started, answered)
        return answer

    async def _post(self, view: str, method: str, params: Mapping[str, object]) -> bytes:
        url = f"{self._urls[view]}/{view}/{method}"
        host = urlsplit(url).netloc.rpartition("@")[2]
        try:
            status, body = await self._send(url, json.dumps(params).encode())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            msg = f"{host} {method}: {type(error).__name__} {error}"
            raise Unavailable(msg) from error
        if status != 200:
            msg = f"{host} {method}: HTTP {status}"
            raise Unavailable(msg)
        return body

    async def _send(self, url: str, body: bytes) -> tuple[int, bytes]:
        """HTTP status and body."""
        if self._session is None:
            self._session = self._connections.session(self._headers, self._timeout)
        async with self._session.post(url, data=body) as response:
            return response.status, await body_of(response)


@contextmanager
def _sense(method: str) -> Iterator[None]:
    """Turn what cannot be read out of an answer into Unavailable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        msg = f"{method}: the answer is not in the node's form ({type(error).__name__}: {error})"
        raise Unavailable(msg) from error


def _decoded(method: str, body: bytes) -> Any:
    """The JSON of an answer; Unavailable if it is none, or the node's own error."""
    try:
        answer = value_of(body)
    except ValueError as error:
        msg = f"{method}: the answer is not JSON ({len(body)} bytes, {error})"
        raise Unavailable(msg) from error
    if not isinstance(answer, dict | list):
        msg = f"{method}: the answer is neither object nor list"
        raise Unavailable(msg)
    if isinstance(answer, dict) and "Error" in answer:
        msg = f"{method}: {str(answer['Error'])[:200]}"
        raise Unavailable(msg)
    return answer


def _unobserved(_method: str, _seconds: float, _answered: bool) -> None:  # noqa: FBT001 - see Observe
    """Watch nothing."""
