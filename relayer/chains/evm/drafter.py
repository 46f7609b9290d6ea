"""Drafts for a gateway on an EVM chain."""

from __future__ import annotations

from relayer.chains.evm.codec import hex_of, read_data
from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.gateway.drafter import GatewayDrafter, Remembered
from relayer.chains.gateway.reads import GatewayNow, read_now, snapshot_call


class EvmDrafter(GatewayDrafter):
    """ChainDrafter over one endpoint."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc) -> None:
        """Draft for the gateway of ``config``, whose epoch is asked of ``rpc``."""
        call = {"to": hex_of(config.place.address), "data": hex_of(snapshot_call())}

        async def read() -> GatewayNow:
            answer = await rpc.call("eth_call", [call, "latest"])
            return read_now(read_data(answer, "snapshot"))

        super().__init__(config.place, Remembered(read, config.state_seconds))
