"""A bus that takes nothing for a while stops deliveries, and no process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relayer.domain.errors import Transient
from relayer.domain.records import CONTROL, SUPPLY
from relayer.ports.bus import Out
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import Bridge, until


class Deaf:
    """A bus that takes no record of `supply` until it is mended."""

    def __init__(self) -> None:
        self._bus: Any = None
        self.deaf = True
        self.first: list[str] = []
        """The topics of the first records of what was not taken."""

    def between(self, name: str, port: Any) -> Any:
        """Stand before the bus; every other port is as it was."""
        if name != "bus":
            return port
        self._bus = port
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, outs: Sequence[Out]) -> None:
        if self.deaf and any(out.topic == SUPPLY for out in outs):
            self.first.append(outs[0].topic)
            raise Transient("User:monitor may not Write topic bridge.supply")
        await self._bus.publish(outs)


async def test_a_monitor_that_cannot_tell_goes_on_and_tells_later(tmp_path: Path) -> None:
    """Nothing is delivered without its leases; once they get through, all is."""
    bus = Deaf()
    bridge = Bridge(tmp_path, between=bus.between)
    made = bridge.chains[BNB].deposit(deposit())
    async with bridge.running():
        await until(lambda: len(bus.first) > 3)
        assert bridge.chains[SOLANA].executed == []
        bus.deaf = False
        await until(lambda: made.id in bridge.chains[SOLANA].executed)

    assert bridge.ended is None


async def test_a_halt_goes_out_before_the_reading_that_raised_it(tmp_path: Path) -> None:
    """What stops deliveries is not behind anything that the bus may refuse."""
    bus = Deaf()
    bridge = Bridge(tmp_path, between=bus.between)
    bridge.reserve.stock = 1
    async with bridge.running():
        await until(lambda: CONTROL in bus.first)

    assert bridge.ended is None
