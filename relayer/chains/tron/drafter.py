"""ChainDrafter for Tron: the gateway's drafter over the newest state of one's own node."""

from __future__ import annotations

import asyncio
import time

from relayer.chains.gateway.drafter import GatewayDrafter
from relayer.chains.gateway.reads import GatewayNow, read_now, snapshot_call
from relayer.chains.tron.codec import tron_address
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.errors import Unavailable

_FRESH_SECONDS = 1.0


class TronGatewayState:
    """Epoch and chain time at the head, asked for at most once a second."""

    def __init__(self, config: TronConfig, rpc: TronRpc) -> None:
        """Read the gateway that ``config`` names through ``rpc``."""
        self._gateway = tron_address(config.gateway)
        self._rpc = rpc
        self._now: GatewayNow | None = None
        self._read_at = 0.0
        self._one_read = asyncio.Lock()

    async def now(self) -> GatewayNow:
        """The gateway at the head, a second old at most; Unavailable if it can't be read."""
        async with self._one_read:
            moment = time.monotonic()
            if self._now is None or moment - self._read_at > _FRESH_SECONDS:
                answer = await self._rpc.call(self._gateway, snapshot_call())
                if answer.reverted is not None:
                    msg = f"the gateway reverted a read: {answer.reverted}"
                    raise Unavailable(msg)
                self._now, self._read_at = read_now(answer.data), moment
            return self._now


class TronDrafter(GatewayDrafter):
    """What a quorum signs for the gateway on Tron."""

    def __init__(self, config: TronConfig, rpc: TronRpc) -> None:
        """Draft for the gateway that ``config`` names."""
        super().__init__(config.place, TronGatewayState(config, rpc))
