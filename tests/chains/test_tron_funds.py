"""How the Tron writer remembers what its payer can burn."""

from __future__ import annotations

import pytest

from relayer.chains.tron.funds import Funds
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.errors import PayerEmpty


class Purse(TronRpc):
    """An endpoint that knows one account's sun and staked energy, and counts how often it is asked."""

    def __init__(self, sun: int, energy: int) -> None:
        super().__init__("http://nowhere.invalid", "http://nowhere.invalid")
        self.sun, self.energy, self.asked = sun, energy, 0

    async def balance(self, address: bytes) -> int:  # noqa: ARG002 - it knows one account
        self.asked += 1
        return self.sun

    async def staked_energy(self, address: bytes) -> int:  # noqa: ARG002 - it knows one account
        return self.energy


async def test_what_was_set_aside_is_counted_down_without_asking() -> None:
    """Staked energy goes first, then sun; the second transaction costs no further question."""
    purse = Purse(sun=1_000, energy=50)
    funds = Funds(purse, b"\x41" + bytes(20))
    await funds.spend(energy=40, price=10, bandwidth_sun=100)
    await funds.spend(energy=40, price=10, bandwidth_sun=100)
    assert purse.asked == 1
    with pytest.raises(PayerEmpty, match="short of 1 sun"):
        await funds.spend(energy=51, price=10, bandwidth_sun=991)
    assert purse.asked == 2


async def test_a_shortage_in_memory_is_looked_up_before_it_is_believed() -> None:
    """Money that came, or that an earlier transaction did not burn, is found at once."""
    purse = Purse(sun=500, energy=0)
    funds = Funds(purse, b"\x41" + bytes(20))
    await funds.spend(energy=50, price=10, bandwidth_sun=0)
    purse.sun = 400
    await funds.spend(energy=40, price=10, bandwidth_sun=0)
    assert purse.asked == 2
