"""What the Tron adapter must be told. Values only; the settings class fills them."""

from __future__ import annotations

from dataclasses import dataclass

from relayer.chains.gateway.config import GatewayConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TronConfig(GatewayConfig):
    """One Tron chain behind one endpoint, and the gateway on it.

    An endpoint is two URLs, because java-tron serves ``/wallet`` and ``/walletsolidity`` on two
    ports; a provider that joins them gives the same URL twice. ``attesters`` are 20-byte
    addresses. Native coin is in sun, energy in energy units, times are in seconds.
    """

    solidity_url: str
    first_height: int = 1
    poll_seconds: float = 1.5
    """Half of a block interval."""
    reads_at_once: int = 8
    """Blocks asked for at the same time while a range is read."""
    expiration_seconds: int = 60
    """How long after the head's time a submission may still be mined; below 24 hours."""
    energy_headroom_percent: int = 30
    fee_limit_cap: int = 3_000_000_000
    """The most that one transaction may burn for energy, in sun; the chain allows 15,000 TRX."""
    batch: int = 4
    """The most acts in one transaction: a witness gives it 80 ms, and time lost burns the limit."""
