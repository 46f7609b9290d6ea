"""A whole bridge over two chains in memory and the embedded bus, to be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.gate import GatePolicy
from relayer.domain.keep import Keeper
from relayer.domain.limits import Limits
from relayer.domain.records import (
    CONTROL,
    SIGNING_REQUESTS,
    SUPPLY,
    TRANSFERS_TOPIC,
    inbox,
    state,
)
from relayer.domain.submission import Patience
from relayer.domain.supply import Reserve
from relayer.domain.transfer import Route
from relayer.domain.verdict import SupplyPolicy
from relayer.ports.bus import Partition, Topic
from relayer.ports.chain import ChainReader
from relayer.ports.clock import Clock
from relayer.services.attester.attester import Attester, Post
from relayer.services.attester.journal import Journal
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.listener import Listener, ListenerSettings
from relayer.services.monitor.ledger_file import LedgerFile
from relayer.services.monitor.monitor import Monitor, MonitorSettings
from relayer.services.relayer.effects import Effects, Pace
from relayer.services.relayer.following import Following
from relayer.services.relayer.lane import Lane, LaneSettings
from relayer.services.relayer.outbox import Spread
from relayer.services.relayer.sweep import Sweep
from relayer.services.tracker import Tracker
from relayer.services.vouching import Voucher
from relayer.sharing.reader import SharedReader
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA
from tests.services.fake_chain import FakeChain
from tests.services.fakes import FakeDrafter, FakeReader, FakeWriter, RealClock
from tests.services.pool import Pool, PoolWriter
from tests.services.silence import Silence

ATTESTERS = tuple(Ed25519Signer(bytes([n]) * 32) for n in (11, 12, 13))
MONITOR = Ed25519Signer(b"\x21" * 32)
OPERATOR = Ed25519Signer(b"\x22" * 32)
PAIR = (BNB, SOLANA)
KEEPER = Keeper(b"secret")


@dataclass(slots=True)
class FixedReserve:
    """A reserve that a test sets."""

    stock: int
    age: int = 0
    now: Callable[[], float] = time.time

    async def reserve(self, asset: str) -> Reserve:
        """The stock as of now, less an age."""
        return Reserve(asset=asset, stock=self.stock, at=int(self.now()) - self.age, source="test")


def topics() -> list[Topic]:
    """Every topic of two chains with one lane each."""
    kept = [(SIGNING_REQUESTS, 2), (TRANSFERS_TOPIC, 2), (SUPPLY, 1), (CONTROL, 1)]
    kept += [(inbox(chain), 1) for chain in PAIR]
    own = [state(role, chain) for role in ("relayer", "listener") for chain in PAIR]
    return [
        *(
            Topic(name=n, partitions=p, retention=timedelta(days=1), compacted=False)
            for n, p in kept
        ),
        *(Topic(name=n, partitions=1, retention=None, compacted=True) for n in own),
    ]


@dataclass(slots=True)
class Bridge:
    """The truth of both chains, and the files of the processes."""

    directory: Path
    between: Callable[[str, Any], Any] = lambda _name, port: port
    """Given each port before a service gets it: a test may stand in between."""
    pace: Pace = field(default_factory=lambda: Pace(quorum=0.5, draft_life=20))
    limits: Limits = field(default_factory=Limits)
    every: float = 0.05
    """Seconds between two readings of the monitor."""
    sweep_every: float = 0.2
    purse_every: float = 0.1
    confirm_every: float = 0.01
    full_sync: bool = True
    quarantine: float = 0.0
    """Seconds that an attester with a new journal signs nothing."""
    tracked: bool = False
    """Whether a tracker runs too."""
    chains: dict[ChainId, FakeChain] = field(
        default_factory=lambda: {c: FakeChain(chain=c, supply=10**24) for c in PAIR}
    )
    reserve: FixedReserve = field(default_factory=lambda: FixedReserve(2 * 10**24))
    observer: Silence = field(default_factory=Silence)
    clock: Clock = field(default_factory=RealClock)
    patience: Patience = field(default_factory=Patience)
    pools: dict[ChainId, Pool] = field(default_factory=dict)
    """Chains whose payer has nonces, prices and coins; the others execute at once."""
    read: dict[ChainId, FakeReader] = field(default_factory=dict)
    """What the checks of the last process have asked."""
    shared: dict[ChainId, SharedReader] = field(default_factory=dict)
    ended: BaseException | None = None
    """What ended the services by themselves, if anything did."""
    policy: GatePolicy = field(
        default_factory=lambda: GatePolicy(
            monitors=frozenset({MONITOR.public}), operators=frozenset({OPERATOR.public})
        )
    )

    voucher: Voucher = field(init=False)
    """What all services of the deployment vouch with."""

    def __post_init__(self) -> None:
        """Vouch by the clock of this bridge."""
        self.voucher = Voucher(KEEPER, self.clock)

    def opened(self) -> AbstractAsyncContextManager[SqliteBus]:
        """The bus that all services of a process share."""
        path = self.directory / "bus.db"
        return SqliteBus(path, topics(), full_sync=self.full_sync, now=self.clock.now)

    @asynccontextmanager
    async def running(self, *, attesters: bool = True) -> AsyncIterator[SqliteBus]:
        """All services in one task group, cancelled at the end: as a kill would, without a word."""
        self.shared = {}
        async with self.opened() as bus:
            task = asyncio.create_task(self._serve(self.between("bus", bus), attesters=attesters))
            try:
                yield bus
            finally:
                self.ended = task.exception() if task.done() and not task.cancelled() else None
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
                    await task

    async def _serve(self, bus: SqliteBus, *, attesters: bool) -> None:
        gatekeeper = self.gate_of(bus)
        async with asyncio.TaskGroup() as group:
            group.create_task(gatekeeper.run())
            if self.tracked:
                path = self.directory / "tracker.db"
                tracker = Tracker(
                    bus,
                    path,
                    monitors=self.policy.monitors,
                    now=self.clock.now,
                    refused=self.observer.refused,
                )
                group.create_task(tracker.run())
            group.create_task(self.watch(bus, gatekeeper))
            for number, signer in enumerate(ATTESTERS if attesters else ()):
                group.create_task(self.attest(bus, gatekeeper, number, signer))
            for chain in PAIR:
                group.create_task(bus.serve(None, state("listener", chain), self.listen(chain)))
                body = self.lane(bus, gatekeeper, chain)
                group.create_task(bus.serve(inbox(chain), state("relayer", chain), body))

    def gate_of(self, bus: SqliteBus) -> Gatekeeper:
        """The gate that all services of a process ask."""
        return Gatekeeper(bus, self.policy, self.observer)

    def readers(self) -> dict[ChainId, FakeReader]:
        """Fresh readers of both chains."""
        return {chain: self.reader(chain) for chain in self.chains}

    def reader(self, chain: ChainId) -> FakeReader:
        """A fresh reader of one chain."""
        reader: FakeReader = self.between("reader", FakeReader(self.chains[chain]))
        return reader

    def checking(self) -> dict[ChainId, SharedReader]:
        """What lanes and attesters of one process share; a new process begins with nothing."""
        if not self.shared:
            self.read = self.readers()
            self.shared = {chain: SharedReader(reader) for chain, reader in self.read.items()}
        return self.shared

    def lane_reads(self) -> Mapping[ChainId, ChainReader]:
        """What lanes and their Sweeps read with."""
        return self.checking()

    def drafter(self, chain: ChainId) -> FakeDrafter:
        """A drafter that wants two of three."""
        drafter = FakeDrafter(self.chains[chain], ATTESTERS, 2)
        watched: FakeDrafter = self.between("drafter", drafter)
        return watched

    @property
    def watched_clock(self) -> Clock:
        """The clock that services get."""
        clock: Clock = self.between("clock", self.clock)
        return clock

    def writer(self, chain: ChainId, drafter: FakeDrafter) -> FakeWriter:
        """A writer of a chain, through its pool where it has one."""
        pool = self.pools.get(chain)
        world = self.chains[chain]
        return PoolWriter(world, drafter, pool) if pool else FakeWriter(world, drafter)

    def listen(self, chain: ChainId) -> Callable[[Partition], Awaitable[None]]:
        """The body of a listener."""

        async def body(partition: Partition) -> None:
            await Listener(
                reader=self.reader(chain),
                keeper=KEEPER,
                settings=ListenerSettings(lanes=dict.fromkeys(PAIR, 1), span=3),
                clock=self.watched_clock,
                observer=self.observer,
                voucher=self.voucher,
            ).run(partition)

        return body

    def lane(
        self, bus: SqliteBus, gatekeeper: Gatekeeper, chain: ChainId
    ) -> Callable[[Partition], Awaitable[None]]:
        """The body of a lane."""

        async def body(partition: Partition) -> None:
            drafter, readers = self.drafter(chain), self.lane_reads()
            writer = self.between("writer", self.writer(chain, drafter))
            await Lane(
                settings=LaneSettings(
                    chain=chain,
                    lanes=1,
                    limits={
                        Route(source=a, destination=b, asset="TSLAx"): self.limits
                        for a in PAIR
                        for b in PAIR
                        if a != b
                    },
                    ordered=writer.ordered,
                    sweep_every=self.sweep_every,
                    purse_every=self.purse_every,
                ),
                keeper=KEEPER,
                spread=Spread(
                    requests=bus.partitions(SIGNING_REQUESTS),
                    transfers=bus.partitions(TRANSFERS_TOPIC),
                    lanes=dict.fromkeys(PAIR, 1),
                ),
                effects=Effects(
                    readers=readers,
                    drafter=drafter,
                    writer=writer,
                    clock=self.watched_clock,
                    pace=self.pace,
                ),
                following=Following(
                    writer=writer,
                    clock=self.watched_clock,
                    patience=self.patience,
                    every=self.confirm_every,
                ),
                sweep=Sweep(readers, chain),
                drafter=drafter,
                gatekeeper=gatekeeper,
                clock=self.watched_clock,
                observer=self.observer,
                voucher=self.voucher,
            ).run(partition)

        return body

    async def attest(
        self, bus: SqliteBus, gatekeeper: Gatekeeper, number: int, signer: Ed25519Signer
    ) -> None:
        """Run one attester with its journal."""
        path = self.directory / f"journal-{number}.db"
        with contextlib.closing(Journal(path, str(number), self.clock.now())) as journal:
            await Attester(
                bus=bus,
                readers=self.checking(),
                posts={
                    c: Post(drafter=self.drafter(c), signer=self.between("signer", signer), lanes=1)
                    for c in PAIR
                },
                journal=self.between("journal", journal),
                gatekeeper=gatekeeper,
                clock=self.watched_clock,
                observer=self.observer,
                voucher=self.voucher,
                quarantine=self.quarantine,
            ).run()

    async def watch(self, bus: SqliteBus, gatekeeper: Gatekeeper) -> None:
        """Run the monitor, which goes on from what the one before it has read."""
        with contextlib.closing(self.kept()) as kept:
            await self.monitor(bus, gatekeeper, self.readers(), kept).run()

    def kept(self) -> LedgerFile:
        """The monitor's file."""
        return LedgerFile(self.directory / "monitor.db", KEEPER, "bridge")

    def monitor(
        self,
        bus: SqliteBus,
        gatekeeper: Gatekeeper,
        readers: dict[ChainId, FakeReader],
        kept: LedgerFile,
    ) -> Monitor:
        """The monitor over both chains."""
        policy = SupplyPolicy(chains=PAIR, lease=30, elsewhere={}, excluded={}, issued={})
        return Monitor(
            bus=bus,
            readers=readers,
            reserves=self.between("reserve", self.reserve),
            signer=self.between("signer", MONITOR),
            settings=MonitorSettings(
                assets=("TSLAx",), policy=policy, every=self.every, save_every=0.0
            ),
            gatekeeper=gatekeeper,
            clock=self.watched_clock,
            observer=self.observer,
            kept=self.between("ledger", kept),
        )


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something to become true; TimeoutError otherwise."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)
