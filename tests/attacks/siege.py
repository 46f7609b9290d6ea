"""A whole bridge with real services and real metrics, and a thief who may write to every topic."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.distrust import Distrust
from relayer.domain.draft import SigningRequest
from relayer.domain.errors import Unavailable
from relayer.domain.gate import GatePolicy, Lease
from relayer.domain.records import (
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    InboxRecord,
    inbox,
)
from relayer.domain.transfer import Deposit, Location, Route, TransferId
from relayer.ports.bus import Bus, Out, Record
from relayer.services.gatekeeper import Gatekeeper
from relayer.telemetry.metrics import Extent, declare
from relayer.telemetry.observer import Observer
from tests.attacks.prefixed import Prefixed
from tests.bus.kafka_wire import stranger
from tests.domain.samples import BNB, SOLANA, deposit
from tests.real_kafka import cluster
from tests.services.bridge import MONITOR, OPERATOR, PAIR, Bridge, topics, until
from tests.services.fakes import FakeReader, HonestReader

PATIENCE = 30.0
"""Seconds within which an honest transfer is delivered whatever the thief does."""


class Besieged(Bridge):
    """A bridge on a bus that is given, told about by the real observer."""

    def __init__(
        self, directory: Path, bus: Callable[[], AbstractAsyncContextManager[Bus]]
    ) -> None:
        super().__init__(directory, tracked=True, sweep_every=1.0)
        self.registry = CollectorRegistry()
        routes = [Route(source=a, destination=b, asset="TSLAx") for a in PAIR for b in PAIR]
        self.observer = Observer(  # type: ignore[assignment]  # the real one
            declare(
                self.registry,
                Extent(
                    chains=PAIR,
                    routes=[route for route in routes if route.source != route.destination],
                    assets=["TSLAx"],
                    topics=[topic.name for topic in topics()],
                ),
                "1",
            )
        )
        self.policy = GatePolicy(
            monitors=frozenset({MONITOR.public}),
            operators=frozenset({OPERATOR.public}),
            assets=frozenset({"TSLAx"}),
            chains=frozenset(PAIR),
        )
        self._bus = bus

    def gate_of(self, bus: Any) -> Gatekeeper:
        """The gate, remembered for whoever lists its halts."""
        self.gatekeeper = super().gate_of(bus)
        return self.gatekeeper

    def opened(self) -> AbstractAsyncContextManager[Any]:
        """The bus of this siege."""
        return self._bus()

    def reader(self, chain: ChainId) -> FakeReader:
        """A reader that says so where a block is not final yet."""
        return HonestReader(self.chains[chain])


class Siege:
    """The running bridge, what honest users do on it, and what the thief writes."""

    def __init__(self, bridge: Besieged) -> None:
        self.bridge = bridge
        self.honest: list[Deposit] = []
        self.requests: list[SigningRequest] = []
        self.seen: list[Record] = []
        self._number = 0
        self._unreadable: set[str] = set()
        bridge.chains[SOLANA].fault = self._fault
        self.raw: Raw | None = None

    # -- the bridge

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The services run; a thief reads along."""
        async with self.bridge.running() as bus:
            self.bus: Bus = bus
            reading = [
                asyncio.create_task(self._read(topic))
                for topic in (SIGNING_REQUESTS, "bridge.supply", inbox(SOLANA))
            ]
            try:
                yield
            finally:
                for task in reading:
                    task.cancel()
        assert self.bridge.ended is None, "the services ended by themselves"

    async def _read(self, topic: str) -> None:
        async for record in self.bus.follow(topic, None):
            self.seen.append(record)

    def counted(self, name: str, **labels: str) -> float:
        """What a metric says; all its labels named."""
        return self.bridge.registry.get_sample_value(name, labels) or 0.0

    def _fault(self, name: str) -> None:
        if name in self._unreadable:
            raise Unavailable(f"{name}: held up for the moment of an attack")

    def attesters_wait(self) -> None:
        """From now on no attester can read the terms of a draft."""
        self._unreadable.add("check_terms")

    def deliveries_wait(self) -> None:
        """From now on no delivery is sealed."""
        self._unreadable.add("seal")

    def drafts_wait(self) -> None:
        """From now on nothing is drafted."""
        self._unreadable.add("draft")

    def release(self) -> None:
        """Everything goes on."""
        self._unreadable.clear()

    def refused_supply(self) -> float:
        """How many records of ``supply`` were refused as forged or told before."""
        topic, name = "bridge.supply", "relayer_records_refused_total"
        reasons = (Distrust.NOT_AUTHENTIC, Distrust.REPLAYED)
        return sum(self.counted(name, topic=topic, reason=reason) for reason in reasons)

    def leases(self) -> list[Lease]:
        """What the gate holds of the monitor's leases."""
        return list(self.bridge.gatekeeper.gate.leases("TSLAx"))

    async def settled_leases(self) -> list[Lease]:
        """The leases, once no more come: there is one, and it lasts for a while."""
        lent: list[Lease] = []
        async with asyncio.timeout(PATIENCE):
            while not lent or self.leases() != lent:
                lent = self.leases()
                await asyncio.sleep(4 * self.bridge.every)
        assert lent[0].expires_at > time.time() + 15
        return lent

    @contextmanager
    def lending_nothing(self) -> Iterator[None]:
        """The monitor finds the reserve stale: it withholds, and leaves the lease to its end."""
        self.bridge.reserve.age = 10_000
        try:
            yield
        finally:
            self.bridge.reserve.age = 0

    async def disagreement(self) -> None:
        """Chains disagree on the multiplier for a moment: the monitor takes its lease back itself."""
        chain = self.bridge.chains[BNB]
        self.bridge.reserve.stock = 10**26  # enough for either multiplier
        chain.multiplier = 2 * 10**18
        await until(lambda: not self._is_open(), PATIENCE)
        chain.multiplier = 10**18
        await until(self._is_open, PATIENCE)

    def _is_open(self) -> bool:
        return self.bridge.gatekeeper.gate.good_until("TSLAx", time.time()) > 0

    # -- honest users

    async def moment(self) -> None:
        """Let what was written be taken."""
        await asyncio.sleep(0.05)

    def new(self, **changes: Any) -> Deposit:
        """A deposit that nobody has made yet, of a place of its own."""
        self._number += 1
        place = Location(tx=f"tx{self._number}", index=0)
        name = TransferId(self._number.to_bytes(32, "big"))
        plain = deposit(id=name, shares=Shares(5 * RAW_UNIT), location=place)
        return replace(plain, **changes)

    def make(self) -> Deposit:
        """Deposit honestly."""
        made = self.bridge.chains[BNB].deposit(self.new())
        self.honest.append(made)
        return made

    def is_delivered(self, made: Deposit) -> Callable[[], bool]:
        """Whether an honest deposit has arrived."""
        return lambda: made.id in self.bridge.chains[SOLANA].executed

    async def serves(self, within: float = PATIENCE) -> float:
        """Deliver an honest deposit; how many seconds it took."""
        made, begun = self.make(), time.monotonic()
        await until(self.is_delivered(made), within)
        return time.monotonic() - begun

    async def is_whole(self) -> None:
        """Every honest deposit is delivered, once, and nothing else was minted or given back."""
        there, back = self.bridge.chains[SOLANA], self.bridge.chains[BNB]
        await until(lambda: all(made.id in there.executed for made in self.honest), PATIENCE)
        assert sorted(there.executed) == sorted(made.id for made in self.honest)
        assert there.supply == 10**24 + sum(made.shares for made in self.honest)
        assert not back.executed
        assert not back.refunded

    def listed(self) -> list[bytes]:
        """The halts in force, by name, as an operator lists them."""
        return list(self.bridge.gatekeeper.gate.halts)

    # -- the thief

    async def write(self, topic: str, *values: bytes | None, key: str = "k") -> None:
        """Append these values to a topic's first partition."""
        await self.bus.publish(
            [Out(topic=topic, partition=0, key=key, value=value) for value in values]
        )

    async def claim(self, *records: InboxRecord, chain: ChainId = SOLANA) -> None:
        """Tell a lane what is not so."""
        await self.write(inbox(chain), *(INBOX.encode(record) for record in records))

    async def ask(self, *requests: SigningRequest) -> None:
        """Ask attesters."""
        await self.write(SIGNING_REQUESTS, *(REQUESTS.encode(one) for one in requests))

    def is_asked_for(self, made: Deposit) -> bool:
        """Whether a lane has asked attesters to sign for a deposit."""
        asked = [r.value or b"" for r in self.seen if r.topic == SIGNING_REQUESTS]
        return any(made.id.hex().encode() in value for value in asked)

    def marked(self, topic: str) -> list[Record]:
        """What services of ours have written to a topic that asks for reads of chains."""
        asks = (b'{"type":"deposit"', b'{"type":"signing_request"')
        ours = [r for r in self.seen if r.topic == topic and r.key.count("-") == 1]
        return [record for record in ours if (record.value or b"").startswith(asks)]

    def newest_request(self) -> SigningRequest | None:
        """What a lane asked for last."""
        asked = [r.value for r in self.seen if r.topic == SIGNING_REQUESTS and r.key != "k"]
        return REQUESTS.decode(asked[-1] or b"") if asked else None


@asynccontextmanager
async def on_kafka(directory: Path, servers: str) -> AsyncIterator[tuple[Siege, Any]]:
    """A siege on a real Kafka, and a producer of the thief's own."""
    prefix, here = f"t{secrets.token_hex(6)}.", cluster(servers)
    named = [replace(topic, name=prefix + topic.name) for topic in topics()]

    @asynccontextmanager
    async def bus() -> AsyncIterator[Bus]:
        async with KafkaBus(here, named) as kafka:
            yield Prefixed(kafka, prefix)

    await create(here, Catalog(named))
    try:
        async with stranger(here) as producer:
            yield Siege(Besieged(directory, bus)), Raw(producer, prefix, here)
    finally:
        await delete(here, Catalog(named))


class Raw:
    """The thief's own client of Kafka."""

    def __init__(self, producer: Any, prefix: str, where: Cluster) -> None:
        self.producer, self.prefix, self.cluster = producer, prefix, where

    async def send(self, topic: str, value: bytes | None, **how: Any) -> None:
        """Append a record to the first partition in any way that the protocol knows."""
        await self.producer.send_and_wait(self.prefix + topic, value, partition=0, **how)


@asynccontextmanager
async def on_the_embedded_bus(directory: Path) -> AsyncIterator[Siege]:
    """A siege on the embedded bus."""

    def bus() -> AbstractAsyncContextManager[Bus]:
        return SqliteBus(directory / "bus.db", topics(), full_sync=False)

    yield Siege(Besieged(directory, bus))
