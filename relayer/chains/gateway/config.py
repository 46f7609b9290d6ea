"""What an adapter of a chain that runs a gateway must be told. Values only; the kit fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayer.chains.gateway.place import GatewayPlace
from relayer.domain.address import Account, ChainId
from relayer.domain.transfer import TokenPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """One chain behind one endpoint, and the gateway on it; ``attesters`` are 20-byte addresses."""

    chain: ChainId
    url: str
    gateway: Account
    tokens: tuple[TokenPlace, ...]
    peers: tuple[ChainId, ...]
    attesters: tuple[bytes, ...]
    quorum: int
    first_height: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every call, for a provider's key; never shown."""
    timeout_seconds: float = 10.0

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
