"""A bridge over Kafka to be unkind to: three attesters and two monitors, each a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import aiohttp

from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.kafka import KafkaBus
from relayer.cli.demo.books import Books, read_books, unchanged
from relayer.cli.demo.child import Child
from relayer.cli.demo.fleet import Fleet, Member, crew_of, replica
from relayer.cli.demo.kafka import fleet
from relayer.devnet.world import LocalWorld
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.authority import Signed
from relayer.domain.distrust import Decline, Distrust
from relayer.domain.draft import Attestation
from relayer.domain.errors import Fatal, RecordRefused, Transient
from relayer.domain.gate import MONITOR_WORDS, SUPPLY_RECORDS, Lease
from relayer.domain.reasons import Reason
from relayer.domain.records import INBOX, SUPPLY, inbox
from relayer.domain.stage import Stage
from relayer.domain.transfer import Deposit
from relayer.ports.bus import Follower
from relayer.process_settings import BusSettings
from relayer.services.tracks import Tracks
from relayer.settings import Settings, load
from tests.e2e.dying import VARIABLE
from tests.e2e.scene import Scene, around

PATIENCE = 120.0
"""Seconds until something that should happen is given up: a dozen processes share the machine."""

SHORT_LEASE = 5
"""Seconds for which a monitor that is to die gives leases, so that the gate closes soon."""

QUICK = {"pace": {"quorum_seconds": 1.5}}
"""So that a relayer asks others soon when an attester is silent."""

_REFUSALS = ("relayer_records_refused_total", "relayer_attestations_declined_total")


def _counts(line: str, why: Distrust | Decline) -> bool:
    return f'reason="{why}"' in line and not line.endswith(" 0.0")


@dataclass(slots=True)
class Crowd:
    """The processes, the bus between them, and users who deposit towards each chain."""

    scene: Scene
    fleet: Fleet
    bus: KafkaBus
    before: Books | None = None
    _made: int = field(default=0, init=False)

    async def deposit(self) -> list[str]:
        """One more deposit towards each chain; their transactions."""
        scene = self.scene
        ring = (scene.bnb, scene.tron, scene.solana)
        self._made += 1
        shares = Shares((1_000 + self._made) * RAW_UNIT)
        async with asyncio.TaskGroup() as group:
            sent = [
                group.create_task(
                    scene.sent(source, destination, scene.user(destination, 1), shares=shares)
                )
                for source, destination in zip(ring, (*ring[1:], ring[0]), strict=True)
            ]
        return [task.result() for task in sent]

    async def until(self, txs: Sequence[str], stage: Stage, reason: Reason | None = None) -> None:
        """Wait until a transfer of each transaction is in a stage; forged ones may be beside it."""
        waiting = list(txs)
        try:
            async with asyncio.timeout(PATIENCE):
                while waiting := [tx for tx in waiting if not self._stands(tx, stage, reason)]:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            stand = [(t.stage, t.reason, t.detail) for tx in waiting for t in self.scene.told(tx)]
            msg = f"not {stage} {reason or ''} after {PATIENCE:.0f} s: {stand}"
            raise AssertionError(msg) from None

    def _stands(self, tx: str, stage: Stage, reason: Reason | None) -> bool:
        told = self.scene.told(tx)
        return any(one.stage is stage and reason in (None, one.reason) for one in told)

    async def waited(self, txs: Sequence[str], reason: Reason) -> None:
        """Wait until all have waited for this reason; a transfer may be tried again meanwhile."""
        async with asyncio.timeout(PATIENCE):
            while not all(reason in self._reasons(tx) for tx in txs):
                await asyncio.sleep(0.1)

    def _reasons(self, tx: str) -> set[Reason | None]:
        file = self.scene.settings.path(self.scene.settings.state_dir) / "tracker.db"
        with Tracks(file) as tracks:
            stories = tracks.trace(tx)
        return {fact.reason for story in stories for fact in story.facts}

    async def delivered(self, txs: Sequence[str]) -> None:
        """Wait until all are delivered."""
        await self.until(txs, Stage.DELIVERED)

    async def restart(self, name: str, **variables: str) -> None:
        """Start a process, anew if it runs, with more environment variables."""
        child = self.fleet[name]
        await child.kill()
        child.variables = {**child.variables, **variables}
        await child.start()

    async def refuses(self, name: str, why: Distrust | Decline) -> None:
        """Wait until a process has counted a record or a request that it refused for a reason."""
        port = self.scene.settings.base / "processes" / name / "http.port"
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError):  # it may be starting
                    url = f"http://127.0.0.1:{port.read_text()}/metrics"
                    async with session.get(url) as answer:
                        lines = (await answer.text()).splitlines()
                    if any(line.startswith(_REFUSALS) and _counts(line, why) for line in lines):
                        return
                await asyncio.sleep(0.2)

    async def leases_get_short(self) -> None:
        """Wait until the newest lease of each asset is such a short one."""
        missing = {asset.symbol for asset in self.scene.settings.assets}
        async with asyncio.timeout(30), aclosing(self.bus.follow(SUPPLY, timedelta(0))) as follower:
            while missing:
                record = SUPPLY_RECORDS.decode((await anext(follower)).value or b"")
                assert isinstance(record, Signed)
                word = MONITOR_WORDS.decode(record.body.encode())
                if isinstance(word, Lease) and word.expires_at - word.issued_at == SHORT_LEASE:
                    missing.discard(word.asset)

    async def answers(self, deposit: Deposit, attester: bytes) -> set[bytes]:
        """The digests over which an attester has signed for a deposit, by the whole inbox."""
        assert deposit.destination is not None
        found: set[bytes] = set()
        async with aclosing(self.bus.follow(inbox(deposit.destination), None)) as follower:
            reading = asyncio.create_task(_answers(follower, deposit, attester, found))
            await follower.caught_up.wait()
            reading.cancel()
            await asyncio.wait([reading])
        return found

    async def found(self, tx: str) -> Deposit:
        """The final deposit of a transaction, by its chain."""
        async with asyncio.timeout(30):
            while True:
                for deposit in (await self.books()).deposits:
                    if deposit.location.tx == tx:
                        return deposit
                await asyncio.sleep(0.3)

    async def books(self) -> Books:
        """What the chains say of all transfers."""
        while True:
            try:
                return await read_books([kit.reader() for kit in self.scene.kits.values()])
            except Transient:
                await asyncio.sleep(0.3)

    async def wrong(self) -> list[str]:
        """What the chains' books have against the bridge: a forged or second delivery, moved K."""
        books = await self.books()
        deposits = {deposit.id for deposit in books.deposits}
        ids = [delivery.id for delivery in books.deliveries]
        twice = [f"{one.hex()} twice" for one in set(ids) if ids.count(one) > 1]
        forged = [f"{one.hex()} forged" for one in ids if one not in deposits]
        assert self.before is not None
        return [*twice, *forged, *unchanged(self.before, books)]


async def _answers(
    follower: Follower, deposit: Deposit, attester: bytes, found: set[bytes]
) -> None:
    async for record in follower:
        try:
            told = INBOX.decode(record.value or b"")
        except RecordRefused:
            continue
        if isinstance(told, Attestation) and (told.id, told.attester) == (deposit.id, attester):
            found.add(told.digest)


@asynccontextmanager
async def mortals(crowd: Crowd, deaths: deque[str]) -> AsyncIterator[list[str]]:
    """Two relayers of which each takes the next death and dies it, until none of both is left.

    Yields the deaths died so far.
    """
    crew = [replace(replica(name), own=QUICK) for name in ("relayer-two", "relayer-three")]
    fleet, died = Fleet(crowd.scene.settings, crowd.scene.settings.bus, crew), list[str]()
    for name in fleet.names:
        fleet[name].command = ("-m", "tests.e2e.dying")
    lives = [asyncio.create_task(_live(fleet[name], deaths, died)) for name in fleet.names]
    try:
        yield died
    finally:
        for life in lives:
            life.cancel()
        await asyncio.wait(lives)
        await fleet.stop()


async def _live(child: Child, deaths: deque[str], died: list[str]) -> None:
    """One life after the other, while there are deaths to die."""
    own = child.variables
    while deaths:
        death = deaths.popleft()
        child.variables = {**own, VARIABLE: death}
        await child.start()
        try:
            while True:
                child.check()
                await asyncio.sleep(0.1)
        except Fatal as end:
            died.append(death if "code -9" in str(end) else str(end))
            await child.kill()


def _crew(settings: Settings) -> list[Member]:
    """Listener and tracker in one process, everything else by itself, and quick to wait."""
    state = {"state_dir": str(settings.state_dir)}
    core = Member(name="core", services=("listener", "tracker"), own=state)
    relayer = replace(replica("relayer-one"), own=QUICK)
    others = [m for m in crew_of(settings) if m.services[0] in {"attester", "monitor"}]
    return [core, relayer, *others]


@asynccontextmanager
async def crowd_of(world: LocalWorld, bus: BusSettings) -> AsyncIterator[Crowd]:
    """Start all, yield, and end all; a process that has ended by itself fails the test."""
    own = {"state_dir": Path("crowd"), "bus": bus}
    settings = load(world.config_path).model_copy(update=own)
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(fleet(settings, bus, _crew(settings)))
        kafka = KafkaBus(cluster_of(settings), topics_of(settings))
        await stack.enter_async_context(kafka)
        scene = await stack.enter_async_context(around(world, settings, made["core"]))
        crowd = Crowd(scene=scene, fleet=made, bus=kafka)
        crowd.before = await crowd.books()
        await made.start()
        try:
            yield crowd
            made.check()
        finally:
            code = await made.stop()
        assert code == 0
