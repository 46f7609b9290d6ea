"""What a payer can still burn, remembered for one block interval and counted down meanwhile."""

from __future__ import annotations

import time

from relayer.chains.tron.rpc import TronRpc
from relayer.domain.errors import PayerEmpty

_FRESH_SECONDS = 3.0


class Funds:
    """Sun and staked energy of one account (21 bytes)."""

    def __init__(self, rpc: TronRpc, owner: bytes) -> None:
        """Nothing is asked before the first ``spend``."""
        self._rpc = rpc
        self._owner = owner
        self._sun = 0
        self._energy = 0
        self._read_at: float | None = None

    async def spend(self, *, energy: int, price: int, bandwidth_sun: int) -> None:
        """Set aside the most that a transaction may burn: energy at a price in sun, and bytes.

        PayerEmpty with the missing sun. A shortage in memory is looked up before it is believed.
        """
        if not self._fresh() or self._missing(energy, price, bandwidth_sun) > 0:
            await self._read()
        missing = self._missing(energy, price, bandwidth_sun)
        if missing > 0:
            raise PayerEmpty(f"the payer {self._owner.hex()} is short of {missing} sun")
        self._sun -= max(energy - self._energy, 0) * price + bandwidth_sun
        self._energy = max(self._energy - energy, 0)

    def _fresh(self) -> bool:
        return self._read_at is not None and time.monotonic() - self._read_at < _FRESH_SECONDS

    def _missing(self, energy: int, price: int, bandwidth_sun: int) -> int:
        return max(energy - self._energy, 0) * price + bandwidth_sun - self._sun

    async def _read(self) -> None:
        self._energy = await self._rpc.staked_energy(self._owner)
        self._sun = await self._rpc.balance(self._owner)
        self._read_at = time.monotonic()
