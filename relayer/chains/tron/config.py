"""What the Tron adapter must be told. Values only; the settings class fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayer.chains.gateway.place import GatewayPlace
from relayer.domain.address import Account, ChainId
from relayer.domain.transfer import TokenPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class TronConfig:
    """One Tron chain behind one endpoint, and the gateway on it.

    An endpoint is two URLs, because java-tron serves ``/wallet`` and ``/walletsolidity`` on two
    ports; a provider that joins them gives the same URL twice. ``attesters`` are 20-byte
    addresses. Native coin is in sun, energy in energy units, times are in seconds.
    """

    chain: ChainId
    url: str
    solidity_url: str
    gateway: Account
    tokens: tuple[TokenPlace, ...]
    peers: tuple[ChainId, ...]
    attesters: tuple[bytes, ...]
    quorum: int
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
    batch: int = 4
    """The most acts in one transaction: a witness gives it 80 ms, and time lost burns the limit."""

    @property
    def place(self) -> GatewayPlace:
        """The gateway as the shared code knows it."""
        return GatewayPlace(
            chain=self.chain,
            gateway=self.gateway,
            tokens=self.tokens,
            peers=self.peers,
            attesters=self.attesters,
            quorum=self.quorum,
        )
