"""The WebSocket side; subscriptions are told block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from relayer.devnet.solana.node import Node


class PubSub:
    def __init__(self, node: Node) -> None:
        self._node = node

    def application(self) -> web.Application:
        return web.Application()

    async def close(self) -> None:
        return
