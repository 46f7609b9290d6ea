"""Drafts for a gateway on an EVM chain."""

from __future__ import annotations

import asyncio
import time

from relayer.chains.evm.codec import hex_of, read_data
from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.gateway.drafter import GatewayDrafter
from relayer.chains.gateway.reads import GatewayNow, read_now, snapshot_call


class EvmDrafter(GatewayDrafter):
    """ChainDrafter over one endpoint."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc) -> None:
        """Draft for the gateway of ``config``, whose epoch is asked of ``rpc``."""
        super().__init__(config.place, EvmState(config, rpc))


class EvmState:
    """GatewayState at the newest block, remembered for a moment: an epoch hardly ever changes."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc) -> None:
        """Ask the gateway of ``config`` through ``rpc``."""
        self._gateway = hex_of(config.place.address)
        self._seconds = config.state_seconds
        self._rpc = rpc
        self._now: GatewayNow | None = None
        self._read_at = 0.0
        self._one_read = asyncio.Lock()

    async def now(self) -> GatewayNow:
        """Epoch and chain time (seconds), at most ``state_seconds`` old."""
        async with self._one_read:
            moment = time.monotonic()
            if self._now is None or moment - self._read_at >= self._seconds:
                call = {"to": self._gateway, "data": hex_of(snapshot_call())}
                answer = await self._rpc.call("eth_call", [call, "latest"])
                self._now, self._read_at = read_now(read_data(answer, "snapshot")), moment
            return self._now
