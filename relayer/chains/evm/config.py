"""What the EVM adapter must be told. Values only; the settings class fills them."""

from __future__ import annotations

from dataclasses import dataclass

from relayer.chains.gateway.config import GatewayConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmConfig(GatewayConfig):
    """One EVM chain behind one endpoint.

    ``attesters`` are 20-byte addresses. Amounts of native coin are wei, gas is gas units, times
    are seconds, ranges are blocks.
    """

    ws_url: str | None = None
    """Where the node announces new blocks; without it every block is polled for."""
    poll_seconds: float = 0.5
    """About a block interval: how often a new final block may be there."""
    range_blocks: int = 2_000
    """The widest range asked for at once; narrowed where the endpoint refuses it."""
    state_seconds: float = 1.0
    """How long epoch and chain time may be remembered between drafts."""
    fee_percent: int = 125
    """What is offered, in percent of the node's ``eth_gasPrice``."""
    fee_step_percent: int = 125
    """What a submission that does not get in is outbid with, in percent of its own price."""
    fee_most_percent: int = 400
    """The most that is offered, in percent of the node's ``eth_gasPrice``."""
    gas_price_cap: int = 200_000_000_000
    """The most that is ever offered for one unit of gas, in wei."""
    gas_cap: int = 16_777_216
    """The most gas one transaction may carry (BEP-652)."""
    batch: int = 20
    """Acts in one transaction; each may need a little more than the gateway's ``itemGas``."""
