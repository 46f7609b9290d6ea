"""ChainDrafter for Tron: the gateway's drafter over the newest state of one's own node."""

from __future__ import annotations

from relayer.chains.gateway.drafter import GatewayDrafter, Remembered
from relayer.chains.gateway.reads import GatewayNow, read_now, snapshot_call
from relayer.chains.tron.codec import tron_address
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.errors import Unavailable

_FRESH_SECONDS = 1.0


class TronDrafter(GatewayDrafter):
    """What a quorum signs for the gateway on Tron."""

    def __init__(self, config: TronConfig, rpc: TronRpc) -> None:
        """Draft for the gateway that ``config`` names, whose epoch at the head is asked of ``rpc``."""
        gateway = tron_address(config.gateway)

        async def read() -> GatewayNow:
            answer = await rpc.call(gateway, snapshot_call())
            if answer.reverted is not None:
                msg = f"the gateway reverted a read: {answer.reverted}"
                raise Unavailable(msg)
            return read_now(answer.data)

        super().__init__(config.place, Remembered(read, _FRESH_SECONDS))
