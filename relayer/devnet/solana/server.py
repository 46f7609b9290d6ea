"""The running devnet: the node, its slot clock, and its two listeners."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiohttp import web

from relayer.devnet.solana.http import HttpEndpoint
from relayer.devnet.solana.node import Node
from relayer.devnet.solana.pubsub import PubSub

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from relayer.devnet.solana.config import SolanaDevnetConfig
    from relayer.devnet.solana.faults import Faults


_PORT_ATTEMPTS = 50


class SolanaDevnet:
    """An imitated Solana node; an async context manager that serves while it is open."""

    def __init__(
        self, config: SolanaDevnetConfig, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare the node; nothing listens before the context is entered.

        `clock` gives the time that blocks carry, in Unix seconds.
        """
        self.config = config
        self.node = Node(config, clock)
        self._port = config.port
        self._http = HttpEndpoint(self.node)
        self._pubsub = PubSub(self.node)
        self._runners: list[web.AppRunner] = []
        self._clock: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where JSON-RPC is answered over HTTP."""
        return f"http://{self.config.host}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Where subscriptions are answered over WebSocket."""
        return f"ws://{self.config.host}:{self._port + 1}"

    @property
    def genesis_hash(self) -> str:
        """Genesis hash in base58; its first 32 characters are the CAIP-2 reference."""
        return str(self.node.chain.genesis_hash)

    @property
    def faults(self) -> Faults:
        """The switches that make this node misbehave."""
        return self.node.faults

    def purge_history(self, slot: int) -> None:
        """Drop the transactions of all slots below `slot`, as a node does with an old ledger."""
        self.node.ledger.purge(self.node.chain.height_before(slot))

    def reorg(self, blocks: int) -> int:
        """Drop so many of the newest blocks that are not final; return how many went."""
        return self.node.reorg(blocks)

    async def cut_subscriptions(self) -> None:
        """Close all WebSocket connections, as a restarted proxy does."""
        await self._pubsub.close()

    async def __aenter__(self) -> Self:
        """Listen on both ports and start the slot clock; raises OSError if a port is taken."""
        try:
            http, pubsub = _two_ports(self.config.host, self.config.port)
            self.node.port = self._port = http.getsockname()[1]
            await self._listen(self._http.application(), http)
            await self._listen(self._pubsub.application(), pubsub)
        except OSError:
            await self._stop()
            raise
        self._clock = asyncio.create_task(self._tick(), name="solana-devnet-slots")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the clock, close all connections and free the ports."""
        await self._stop()

    async def _listen(self, application: web.Application, port: socket.socket) -> None:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, port).start()

    async def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            with suppress(asyncio.CancelledError):
                await self._clock
        await self._pubsub.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _tick(self) -> None:
        # Slots that a busy machine missed are not made up for: a late block is only late.
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self.config.slot_seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            if not self.faults.stalled:
                self.node.produce()


def _two_ports(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return listening sockets on `port` and the next one; any free pair for port 0."""
    for attempt in range(_PORT_ATTEMPTS):
        first = _bound(host, port)
        try:
            return first, _bound(host, first.getsockname()[1] + 1)
        except (OSError, OverflowError):
            first.close()
            if port or attempt == _PORT_ATTEMPTS - 1:
                raise
    raise OSError(f"no two neighbouring ports are free on {host}")


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), reuse_port=False)
    listener.setblocking(False)  # noqa: FBT003  the standard library takes no name here
    return listener
