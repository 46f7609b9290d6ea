"""Settings of the imitated Solana node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaDevnetConfig:
    """How the imitated node behaves; times in seconds, lags in blocks.

    The WebSocket listens on `port + 1`, as on the real node; port 0 takes any free pair.
    `skip_every` leaves every n-th slot without a block (0: none), so that nobody mistakes a slot
    for a block height. `block_transactions` bounds a block, and with it how long the event loop
    waits for one. `genesis` fixes the genesis hash; without it every devnet is a chain of its own.
    """

    host: str = "127.0.0.1"
    port: int = 0
    slot_seconds: float = 0.05
    confirmed_lag_slots: int = 1
    finalized_lag_slots: int = 4
    blockhash_lifetime: int = 150
    skip_every: int = 50
    block_transactions: int = 40
    kept_blocks: int = 2_000_000
    kept_transactions: int = 50_000
    faucet_lamports: int = 500_000_000 * 10**9
    genesis: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse settings under which commitments would lose their order (ValueError)."""
        if not 0 <= self.confirmed_lag_slots <= self.finalized_lag_slots:
            raise ValueError("finalized must not be ahead of confirmed, nor confirmed of processed")
        if self.slot_seconds <= 0 or self.kept_blocks <= self.blockhash_lifetime * 3:
            raise ValueError("slots need a length, and blocks must outlive the blockhash queue")
