"""A bus that takes nothing for a while stops deliveries, and no process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import aiohttp
from prometheus_client import CollectorRegistry

from relayer.app.control import control_routes
from relayer.domain.errors import Transient, Unavailable
from relayer.domain.gate import CONTROL_RECORDS, GatePolicy
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.records import CONTROL, SUPPLY
from relayer.ports.bus import Bus, Out
from relayer.services.gatekeeper import Gatekeeper
from relayer.telemetry.http import serve_health
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import MONITOR, Bridge, until
from tests.services.silence import Silence


class Deaf:
    """A bus that takes no record of some topics until it is mended."""

    def __init__(self, refuses: str = SUPPLY) -> None:
        self._bus: Any = None
        self.refuses, self.deaf = {refuses}, True
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
        if self.deaf and any(out.topic in self.refuses for out in outs):
            self.first.append(outs[0].topic)
            raise Transient(f"User:x may not Write topic {outs[0].topic}")
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
    async with bridge.running() as real, aclosing(real.follow(CONTROL, None)) as control:
        async with asyncio.timeout(10):
            raised = CONTROL_RECORDS.decode((await anext(control)).value or b"")

    assert isinstance(raised, Halt)
    assert bridge.ended is None


class Unreachable:
    """A key that cannot be reached until it is mended."""

    def __init__(self) -> None:
        self.public, self.mended, self.asked = MONITOR.public, False, 0

    async def sign(self, payload: bytes) -> bytes:
        self.asked += 1
        if not self.mended:
            raise Unavailable("no answer of the key's keeper")
        return await MONITOR.sign(payload)


async def test_a_monitor_whose_key_cannot_be_reached_still_halts_and_goes_on(
    tmp_path: Path,
) -> None:
    """A halt needs no signature; readings and leases come again with the key."""
    key = Unreachable()
    bridge = Bridge(tmp_path, between=lambda _, port: key if port is MONITOR else port)
    async with bridge.running() as bus, aclosing(bus.follow(CONTROL, None)) as control:
        await until(lambda: key.asked > 3)
        bridge.reserve.stock = 1
        async with asyncio.timeout(10):
            raised = CONTROL_RECORDS.decode((await anext(control)).value or b"")
        key.mended = True
        async with asyncio.timeout(10), aclosing(bus.follow(SUPPLY, None)) as supply:
            await anext(supply)

    assert isinstance(raised, Halt)
    assert bridge.ended is None


async def test_a_halt_that_the_bus_does_not_take_is_not_said_to_be_published() -> None:
    """Whoever raises it is told so, and why, and can turn to another process."""
    halt = Halt(
        scope=Scope(kind=ScopeKind.GLOBAL), reason="r", evidence="e", raised_at=1, raised_by="x"
    )
    bus = cast("Bus", Deaf(CONTROL))
    policy = GatePolicy(monitors=frozenset(), operators=frozenset())
    routes = control_routes(bus, Gatekeeper(bus, policy, Silence()), lambda *_: None)
    health = serve_health("127.0.0.1", 0, CollectorRegistry(), lambda: (), routes)
    async with health as port, aiohttp.ClientSession() as client:
        data = CONTROL_RECORDS.encode(halt)
        async with client.post(f"http://127.0.0.1:{port}/control", data=data) as answer:
            assert answer.status == 503
            assert await answer.text() == "User:x may not Write topic bridge.control\n"
