"""The WebSocket side: connections, subscription ids, and telling them block by block."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.jsonrpc import answer_text, dumps
from relayer.devnet.solana.params import as_u64, describe
from relayer.devnet.solana.rpcerror import invalid_params, method_not_found
from relayer.devnet.solana.subscriptions import SUBSCRIBE, UNSUBSCRIBE, Tip, identity

if TYPE_CHECKING:
    from relayer.devnet.solana.chain import Block
    from relayer.devnet.solana.ledger import Landed
    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.subscriptions import Subscription

_BACKLOG = 10_000
"""Messages that wait for a slow reader before its connection is cut, as the real node does."""


class _Connection:
    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.outgoing: asyncio.Queue[str] = asyncio.Queue(_BACKLOG)
        self.lagging = False

    def send(self, text: str) -> None:
        if self.outgoing.full():
            self.lagging = True
        else:
            self.outgoing.put_nowait(text)

    async def write(self) -> None:
        with suppress(ConnectionError):
            while not self.lagging:
                await self.socket.send_str(await self.outgoing.get())
        await self.socket.close()


class _Shared:
    """One subscription with its number, and the connections that hold it."""

    def __init__(self, number: int, key: str, subscription: Subscription) -> None:
        self.number = number
        self.key = key
        self.subscription = subscription
        self.holders: set[_Connection] = set()


class PubSub:
    """Subscriptions of all connections; identical ones share a number and the work."""

    def __init__(self, node: Node) -> None:
        """Watch `node`."""
        self._node = node
        self._numbers = 0
        self._by_key: dict[str, _Shared] = {}
        self._by_number: dict[int, _Shared] = {}
        self._connections: set[_Connection] = set()
        self._told = dict.fromkeys(Commitment, 0)
        node.on_block.append(self._tell)

    def application(self) -> web.Application:
        """Return the web application, a WebSocket on every path."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        return application

    async def close(self) -> None:
        """Cut all connections."""
        for connection in list(self._connections):
            await connection.socket.close()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = _Connection(socket)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._answer(connection, message.data)
        finally:
            writer.cancel()
            self._connections.discard(connection)
            for shared in list(self._by_number.values()):
                self._leave(shared, connection)
        return socket

    def _answer(self, connection: _Connection, text: str | bytes) -> None:
        answer = answer_text(text, lambda name, params: self._call(connection, name, params))
        if answer:
            connection.send(answer)

    def _call(self, connection: _Connection, method: str, params: list[Any]) -> Any:
        if method in SUBSCRIBE:
            return self._subscribe(connection, method, params)
        if method in UNSUBSCRIBE:
            return self._unsubscribe(connection, params)
        raise method_not_found()

    def _subscribe(self, connection: _Connection, method: str, params: list[Any]) -> int:
        subscription: Subscription = SUBSCRIBE[method](self._node, params)
        key = identity(method, params)
        shared = self._by_key.get(key)
        if shared is None:
            shared = _Shared(self._numbers, key, subscription)
            self._numbers += 1
            self._by_key[key] = self._by_number[shared.number] = shared
        shared.holders.add(connection)
        return shared.number

    def _unsubscribe(self, connection: _Connection, params: list[Any]) -> bool:
        if len(params) != 1:
            found = describe(params or None)
            text = f"Invalid params: invalid type: {found}, expected a tuple of size 1."
            raise invalid_params(text)
        shared = self._by_number.get(as_u64(params[0]))
        if shared is None or connection not in shared.holders:
            raise invalid_params("Invalid subscription id.")
        self._leave(shared, connection)
        return True

    def _leave(self, shared: _Shared, connection: _Connection) -> None:
        shared.holders.discard(connection)
        if not shared.holders:
            self._forget(shared)

    def _forget(self, shared: _Shared) -> None:
        self._by_number.pop(shared.number, None)
        self._by_key.pop(shared.key, None)

    def _tell(self, _block: Block, _landed: list[Landed]) -> None:
        for commitment in Commitment:
            height = self._node.chain.tip(commitment)
            if height <= self._told[commitment] and commitment is not Commitment.PROCESSED:
                continue
            self._told[commitment] = height
            if self._by_number:
                self._notify(self._tip(commitment, height))

    def _tip(self, commitment: Commitment, height: int) -> Tip:
        node = self._node
        block = node.chain.block(height)
        finalized = commitment is Commitment.FINALIZED
        return Tip(
            commitment=commitment,
            height=height,
            slot=block.slot,
            parent_slot=block.parent_slot,
            root=node.chain.tip_slot(Commitment.FINALIZED),
            landed=node.ledger.in_block(height),
            phantoms=node.phantoms_of(height) if finalized else [],
        )

    def _notify(self, tip: Tip) -> None:
        for shared in list(self._by_number.values()):
            subscription = shared.subscription
            if subscription.commitment is not tip.commitment:
                continue
            for result in subscription.results(self._node, tip):
                body = {"result": result, "subscription": shared.number}
                method = subscription.notification
                text = dumps({"jsonrpc": "2.0", "method": method, "params": body})
                for connection in shared.holders:
                    connection.send(text)
            if subscription.ends:
                self._forget(shared)
