"""What the Tron adapter must be told. Values only; the settings class fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayer.chains.gateway.place import GatewayPlace
from relayer.domain.address import ChainId


@dataclass(frozen=True, slots=True, kw_only=True)
class TronConfig:
    """One Tron chain behind one endpoint, and the gateway on it.

    An endpoint is two URLs, because java-tron serves ``/wallet`` and ``/walletsolidity`` on two
    ports; a provider that joins them gives the same URL twice. Native coin is in sun, energy in
    energy units, times are in seconds.
    """

    url: str
    solidity_url: str
    place: GatewayPlace
    first_height: int = 1
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every call, for a provider's key; never shown."""
    timeout_seconds: float = 10.0
    poll_seconds: float = 1.5
    """Half of a block interval."""
    reads_at_once: int = 8
    """Blocks asked for at the same time while a range is read."""
    expiration_seconds: int = 60
    """How long after the head's time a submission may still be mined; below 24 hours."""
    energy_headroom_percent: int = 30
    fee_limit_cap: int = 3_000_000_000
    """The most that one transaction may burn for energy, in sun; the chain allows 15,000 TRX."""
    item_energy: int = 600_000
    """What the gateway keeps free for each item of a batch: its ``itemGas``."""
    batch: int = 8

    @property
    def chain(self) -> ChainId:
        """The chain's CAIP-2 name."""
        return self.place.chain
