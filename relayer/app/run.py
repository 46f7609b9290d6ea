"""Run services in one process: build what they need, start them in one task group, drain.

Draining is cancelling: whatever a lane has committed is picked up by its next owner, and nothing
leaves the process before the commit that makes it safe to repeat.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from relayer import __version__
from relayer.app.bus import bus_of
from relayer.app.chains import ChainKit, ed25519, kit_for, secp256k1
from relayer.app.clock import SystemClock
from relayer.app.control import control_routes
from relayer.app.files import listening, state_directory
from relayer.app.measured import MeasuredBus
from relayer.app.policies import gate_policy_of, limits_of, state_key, supply_policy_of
from relayer.app.rights import rights_of
from relayer.app.services import Service
from relayer.app.subject import subject_of
from relayer.app.topics import LISTENER, RELAYER, topics_of
from relayer.domain.address import ChainId, Family, family_of
from relayer.domain.errors import SettingRefused
from relayer.domain.keep import Keeper
from relayer.domain.records import SIGNING_REQUESTS, TRANSFERS_TOPIC, inbox, state
from relayer.domain.submission import Patience
from relayer.ports.bus import Bus, Partition
from relayer.ports.chain import ChainDrafter, ChainReader
from relayer.ports.signer import Signer
from relayer.reserves.file import FileReserve
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
from relayer.settings import AttesterSettings, ChainSettings, Settings
from relayer.sharing.reader import SharedReader
from relayer.telemetry.http import serve_health
from relayer.telemetry.metrics import Extent, declare
from relayer.telemetry.observer import Observer

_log = structlog.get_logger("relayer.app")


class Process:
    """One process: the services it was asked to run, over one bus."""

    def __init__(self, settings: Settings, services: Sequence[Service]) -> None:
        """Check what can be checked without I/O; SettingRefused names what is missing."""
        self._settings = settings
        self._services = frozenset(services)
        self._clock = SystemClock()
        self._registry = CollectorRegistry()
        metrics = declare(self._registry, _extent(settings), __version__)
        self._observer = Observer(metrics)
        self._kits = {
            chain.id: kit_for(
                settings, chain, _rpc_observer(self._observer, chain.id), self._observer
            )
            for chain in settings.chains
        }
        self._keepers = {role: Keeper(state_key(settings, role)) for role in (LISTENER, RELAYER)}
        self._voucher = Voucher(Keeper(state_key(settings, "voucher")), self._clock)
        self._policy = gate_policy_of(settings)

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Run until SIGTERM or SIGINT (then drain and return), or until something fails."""
        directory = state_directory(self._settings)
        async with AsyncExitStack() as stack:
            needs = rights_of(self._settings, self._services)
            opened = bus_of(self._settings, directory, needs, self._observer.denied)
            bus = MeasuredBus(await stack.enter_async_context(opened), self._observer)
            stack.push_async_callback(self._close)
            stop = asyncio.Event()
            _on_signals(stop)
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work(bus, directory))
                _log.info("process.started", services=sorted(map(str, self._services)))
                if started is not None:
                    started.set()
                group.create_task(_cancel_when(stop, work))
        _log.info("process.drained")

    async def _work(self, bus: Bus, directory: Path) -> None:
        gatekeeper = Gatekeeper(bus, self._policy, self._observer)
        http = self._settings.http
        health = serve_health(
            http.host,
            http.port,
            self._registry,
            gatekeeper.pending,
            control_routes(bus, gatekeeper, self._observer.refused),
        )
        async with listening(health, http, directory) as port, asyncio.TaskGroup() as group:
            _log.info("http.listening", host=http.host, port=port)
            group.create_task(gatekeeper.run())
            for body in self._bodies(bus, directory, gatekeeper):
                group.create_task(_awaited(body))
            gc.freeze()  # what the start has made stays: collections need not walk it, 100 ms each

    def _bodies(self, bus: Bus, directory: Path, gatekeeper: Gatekeeper) -> list[Awaitable[None]]:
        bodies: list[Awaitable[None]] = []
        if Service.LISTENER in self._services:
            bodies += [self._listen(bus, chain) for chain in self._settings.chains]
        if Service.RELAYER in self._services:
            bodies += [self._relay(bus, chain, gatekeeper) for chain in self._settings.chains]
        if Service.ATTESTER in self._services:
            bodies += [
                self._attest(bus, one, directory, gatekeeper) for one in self._settings.attesters
            ]
        if Service.MONITOR in self._services:
            bodies.append(self._monitor(bus, directory, gatekeeper))
        if Service.TRACKER in self._services:
            keep = timedelta(seconds=self._settings.retention.transfers_seconds)
            path, refused = directory / "tracker.db", self._observer.refused
            trusted = self._policy.monitors
            tracker = Tracker(bus, path, monitors=trusted, keep=keep, refused=refused)
            bodies.append(tracker.run())
        return bodies

    def _readers(self) -> dict[ChainId, ChainReader]:
        """Fresh readers of every chain, for a service that shares with no other."""
        return {chain: self._reader(kit) for chain, kit in self._kits.items()}

    @cached_property
    def _checking(self) -> dict[ChainId, ChainReader]:
        """The readers of what lanes, their Sweep and attesters check; see docs/adr.

        Whoever claims (listener) and whoever audits (monitor) have readers of their own.
        """
        return {chain: SharedReader(reader) for chain, reader in self._readers().items()}

    @cached_property
    def _judges(self) -> dict[ChainId, ChainDrafter]:
        """What the attesters of this process rebuild drafts with, on one node of each chain."""
        return {chain: kit.drafter(None) for chain, kit in self._kits.items()}

    def _reader(self, kit: ChainKit) -> ChainReader:
        return kit.reader()

    def _listen(self, bus: Bus, chain: ChainSettings) -> Awaitable[None]:
        reader = self._reader(self._kits[chain.id])

        async def body(partition: Partition) -> None:
            listener = Listener(
                reader=reader,
                keeper=self._keepers[LISTENER],
                settings=ListenerSettings(lanes=lanes_of(self._settings)),
                clock=self._clock,
                observer=self._observer,
                voucher=self._voucher,
            )
            await listener.run(partition)

        return bus.serve(None, state(LISTENER, chain.id), body)

    def _relay(self, bus: Bus, chain: ChainSettings, gatekeeper: Gatekeeper) -> Awaitable[None]:
        if not chain.payers:
            msg = f"chains {chain.chain}: payers are needed where the relayer runs"
            raise SettingRefused(msg)
        for payer in chain.payers:  # a key that cannot be used is told now, and not at a take-over
            self._kits[chain.id].writer(payer)
        readers = self._checking

        async def body(partition: Partition) -> None:
            await self._lane(bus, chain, gatekeeper, readers, partition).run(partition)

        return bus.serve(inbox(chain.id), state(RELAYER, chain.id), body)

    def _lane(
        self,
        bus: Bus,
        chain: ChainSettings,
        gatekeeper: Gatekeeper,
        readers: Mapping[ChainId, ChainReader],
        partition: Partition,
    ) -> Lane:
        pace, kit = self._settings.pace, self._kits[chain.id]
        payer = chain.payers[partition.number]
        drafter, writer = kit.drafter(payer), kit.writer(payer)
        effects = Effects(
            readers=readers,
            drafter=drafter,
            writer=writer,
            clock=self._clock,
            pace=Pace(
                quorum=pace.quorum_seconds,
                draft_life=pace.draft_seconds,
            ),
        )
        following = Following(
            writer=writer,
            clock=self._clock,
            patience=Patience(resend=pace.resend_seconds, outbid=pace.outbid_seconds),
            every=pace.confirm_seconds,
        )
        lane_settings = LaneSettings(
            chain=chain.id,
            lanes=len(chain.payers),
            limits=limits_of(self._settings),
            ordered=writer.ordered,
            in_flight=pace.in_flight,
            sweep_every=pace.sweep_seconds,
        )
        return Lane(
            settings=lane_settings,
            keeper=self._keepers[RELAYER],
            spread=Spread(
                requests=bus.partitions(SIGNING_REQUESTS),
                transfers=bus.partitions(TRANSFERS_TOPIC),
                lanes=lanes_of(self._settings),
            ),
            effects=effects,
            following=following,
            sweep=Sweep(readers, chain.id),
            drafter=drafter,
            gatekeeper=gatekeeper,
            clock=self._clock,
            observer=self._observer,
            voucher=self._voucher,
        )

    async def _attest(
        self, bus: Bus, one: AttesterSettings, directory: Path, gatekeeper: Gatekeeper
    ) -> None:
        pace = self._settings.pace
        posts = {
            chain.id: Post(
                drafter=self._judges[chain.id],
                signer=self._attester_key(one, chain.id),
                lanes=max(1, len(chain.payers)),
            )
            for chain in self._settings.chains
        }
        path, now = directory / f"attester-{one.name}.db", self._clock.now()
        if not path.exists():
            _log.warning("journal.new", path=str(path), quiet_seconds=pace.quarantine_seconds)
        journal = Journal(path, _names(posts), now)
        attester = Attester(
            bus=bus,
            readers=self._checking,
            posts=posts,
            journal=journal,
            gatekeeper=gatekeeper,
            clock=self._clock,
            observer=self._observer,
            voucher=self._voucher,
            quarantine=pace.quarantine_seconds,
        )
        await _closing(journal, attester.run)

    def _attester_key(self, one: AttesterSettings, chain: ChainId) -> Signer:
        if family_of(chain) is Family.SOLANA:
            return ed25519(self._settings, one.solana_key)
        return secp256k1(self._settings, one.evm_key)

    def _monitor(self, bus: Bus, directory: Path, gatekeeper: Gatekeeper) -> Awaitable[None]:
        settings = self._settings
        if settings.monitor.key is None or settings.reserves is None:
            msg = "monitor.key and reserves are needed where a monitor runs"
            raise SettingRefused(msg)
        kept = LedgerFile(
            directory / "monitor.db", Keeper(state_key(settings, "monitor")), subject_of(settings)
        )
        monitor = Monitor(
            bus=bus,
            readers=self._readers(),
            reserves=FileReserve(settings.path(settings.reserves.file)),
            signer=ed25519(settings, settings.monitor.key),
            settings=MonitorSettings(
                assets=tuple(asset.symbol for asset in settings.assets),
                policy=supply_policy_of(settings),
                every=settings.monitor.every_seconds,
            ),
            gatekeeper=gatekeeper,
            clock=self._clock,
            observer=self._observer,
            kept=kept,
        )
        return _closing(kept, monitor.run)

    async def _close(self) -> None:
        for kit in self._kits.values():
            await kit.close()


async def _closing(file: Journal | LedgerFile, run: Callable[[], Awaitable[None]]) -> None:
    with closing(file):
        await run()


def lanes_of(settings: Settings) -> dict[ChainId, int]:
    """How many lanes each chain has: one per payer."""
    return {chain.id: max(1, len(chain.payers)) for chain in settings.chains}


def _extent(settings: Settings) -> Extent:
    return Extent(
        chains=[chain.id for chain in settings.chains],
        routes=list(limits_of(settings)),
        assets=[asset.symbol for asset in settings.assets],
        topics=[topic.name for topic in topics_of(settings)],
        endpoints={chain.id: len(chain.endpoints) for chain in settings.chains},
    )


def _rpc_observer(observer: Observer, chain: ChainId) -> Callable[[str, float, bool], None]:
    def observe(method: str, seconds: float, good: bool) -> None:  # noqa: FBT001 - the hook's shape
        observer.called(chain, method, seconds, failed=not good)

    return observe


def _names(posts: Mapping[ChainId, Post]) -> str:
    return ",".join(sorted({post.signer.public.hex() for post in posts.values()}))


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _cancel_when(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    await asyncio.wait(
        [asyncio.create_task(stop.wait()), work], return_when=asyncio.FIRST_COMPLETED
    )
    work.cancel()


async def _awaited(body: Awaitable[None]) -> None:
    await body
