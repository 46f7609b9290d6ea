"""One soak from start to verdict."""

from __future__ import annotations

import asyncio
import random
import time
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from benchmarks.soak.doorway import Doorway, doorway
from benchmarks.soak.events import Events
from benchmarks.soak.faults import Hand, Nodes, Process
from benchmarks.soak.traffic import Traffic
from benchmarks.soak.verdict import judge
from benchmarks.soak.watch import Sample, Watch
from relayer.app.chains import kit_for
from relayer.app.topics import topics_of
from relayer.cli.demo.books import Books, delivered_once, read_books
from relayer.cli.demo.child import Child
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.address import ChainId
from relayer.domain.errors import Transient
from relayer.ports.chain import ChainReader
from relayer.settings import Settings, load

USERS: Final = 12
DRAIN_SECONDS: Final = 240.0
"""How long after the last fault everything may take to be delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how hard; times in seconds, ``rate`` in transfers per second."""

    directory: Path
    seconds: float
    rate: float
    seed: int
    sample_every: float = 10.0
    calm: float = 20.0
    """Seconds on average between two faults of one kind."""
    patience: float = 300.0
    growth: bool = True
    """Whether to judge growth; a short run cannot."""
    retention: Mapping[str, float] | None = None
    """Settings of ``[retention]``; None: the shortest that a run of this length can see at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run saw; ``wrong`` is empty exactly when all is well."""

    plan: Plan
    deposits: int
    delivered: int
    failed: Mapping[str, int]
    faults: Mapping[str, int]
    samples: tuple[Sample, ...]
    cpu_seconds: float
    wrong: tuple[str, ...]


async def soak(plan: Plan, say: Any = print) -> Report:
    """Run the world, the relayer, the traffic and the faults, then judge."""
    options = WorldOptions(users=USERS, slot_seconds=0.2, evm_block_seconds=1.0)
    async with LocalWorld(plan.directory, options) as world, doorway(world.anvil.url) as bnb:
        _rewrite(world, bnb, plan)
        settings = load(world.config_path)
        kits = {chain.id: kit_for(settings, chain, _unobserved) for chain in settings.chains}
        try:
            traffic = Traffic(
                settings=settings,
                kits=kits,
                users=USERS,
                rate=plan.rate,
                dice=random.Random(plan.seed),
            )
            readers = {chain: kit.reader() for chain, kit in kits.items()}
            return await _Soak(plan, world, bnb, settings, traffic, readers, say).run()
        finally:
            for kit in kits.values():
                await kit.close()


def _rewrite(world: LocalWorld, bnb: Doorway, plan: Plan) -> None:
    """BNB Chain is asked through the doorway, and the bus keeps its records for a short time."""
    text = world.config_path.read_text(encoding="utf-8").replace(world.anvil.url, bnb.url)
    config = tomllib.loads(text)
    short = max(60.0, plan.seconds / 6)
    config["retention"] = plan.retention or {
        "inbox_seconds": short,
        "requests_seconds": short,
        "supply_seconds": short,
        "transfers_seconds": 2 * short,
    }
    world.config_path.write_text(tomli_w.dumps(config), encoding="utf-8")


@dataclass(slots=True)
class _Soak:
    plan: Plan
    world: LocalWorld
    bnb: Doorway
    settings: Settings
    traffic: Traffic
    readers: dict[ChainId, ChainReader]
    say: Any

    async def run(self) -> Report:
        before = await self._books()
        child = Child(config=self.world.config_path, log=self.plan.directory / "relayer.log")
        watch = Watch(self.settings, child, self.plan.patience)
        hands = self._hands(child)
        await child.start()
        try:
            await self._storm(hands, watch)
            drained = await self._drain(watch)
            child.measure()
        finally:
            code = await child.stop()
        after = await self._books()
        wrong = [
            *drained,
            *self._judged(before, after),
            *judge_samples(self.plan, watch, self.settings),
        ]
        wrong += [f"the relayer drained with exit code {code}"] if code else []
        return Report(
            plan=self.plan,
            deposits=len(after.deposits),
            delivered=len(after.deliveries),
            failed=dict(self.traffic.failed),
            faults=dict(sum((hand.done for hand in hands), Counter())),
            samples=tuple(watch.samples),
            cpu_seconds=child.cpu,
            wrong=tuple(wrong),
        )

    def _hands(self, child: Child) -> list[Hand]:
        def dice(number: int) -> random.Random:
            return random.Random(self.plan.seed * 10 + number)

        nodes = Nodes(self.world, self.bnb, dice(1))
        events = Events(self.world, self.settings, self.readers, dice(2))
        process = Process(child, dice(3))
        calm = self.plan.calm
        return [
            Hand(nodes.acts(), calm, dice(4)),
            Hand(events.acts(), 1.5 * calm, dice(5)),
            Hand(process.acts(), 2 * calm, dice(6)),
        ]

    async def _storm(self, hands: list[Hand], watch: Watch) -> None:
        """Traffic and faults; the process is left alone in the second half."""
        half, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.traffic.run(stop))
            for hand, until in zip(hands, (stop, stop, half), strict=True):
                group.create_task(hand.run(until))
            ends = time.monotonic() + self.plan.seconds
            while (left := ends - time.monotonic()) > 0:
                if left < self.plan.seconds / 2:
                    half.set()
                    watch.child.check()
                await asyncio.sleep(min(left, self.plan.sample_every))
                self._tell(watch.look())
            stop.set()

    async def _drain(self, watch: Watch) -> list[str]:
        """Wait until nothing is open; what still is, is wrong: no fault is on any more."""
        ends = time.monotonic() + DRAIN_SECONDS
        sample = None
        while time.monotonic() < ends:
            await asyncio.sleep(2)
            watch.child.check()
            sample = watch.look() or sample
            if sample is not None and not sample.waiting and await self._all_delivered():
                return []
        self._tell(sample)
        return [
            f"still open after {DRAIN_SECONDS:.0f} s: {dict(sample.waiting) if sample else '?'}"
        ]

    async def _all_delivered(self) -> bool:
        books = await self._books()
        return len(books.deliveries) >= len([d for d in books.deposits if d.flaw is None])

    async def _books(self) -> Books:
        while True:
            try:
                books = await read_books(list(self.readers.values()))
            except* Transient:
                pass
            else:
                if all(k.low > 0 for k in books.k.values()):
                    return books
            await asyncio.sleep(0.5)

    def _judged(self, before: Books, after: Books) -> list[str]:
        """The books, from the chains alone."""
        wanted = len([deposit for deposit in after.deposits if deposit.flaw is None])
        few = self.traffic.made > wanted + len(self.traffic.failed) and wanted < 1
        wrong = ["nothing was deposited"] if few or not wanted else []
        return wrong + delivered_once(after, wanted) + _moved(before, after)

    def _tell(self, sample: Sample | None) -> None:
        if sample is None:
            self.say("  the relayer is away")
            return
        self.say(
            f"  {time.strftime('%H:%M:%S')} delivered {sample.delivered}, "
            f"open {dict(sample.waiting)}, {sample.resident / 2**20:.0f} MiB, "
            f"{sample.tasks} tasks, {sample.descriptors} files, "
            f"bus {sample.bus / 2**20:.1f} MiB with {sum(sample.records.values())} records"
        )


def _moved(before: Books, after: Books) -> list[str]:
    """Where K is surely another, or a rule is broken.

    At a multiplier that is not 1 a total supply is rounded, and K is an interval of some units.
    """
    wrong = [
        f"K of {asset} on {chain} moved from {before.k[asset, chain]} to {k}"
        for (asset, chain), k in after.k.items()
        if k.low > before.k[asset, chain].high or k.high < before.k[asset, chain].low
    ]
    return wrong + list(after.problems)


def judge_samples(plan: Plan, watch: Watch, settings: Settings) -> list[str]:
    """What the samples say."""
    if not watch.samples:
        return ["no sample could be taken"]
    retention = {
        topic.name: topic.retention.total_seconds()
        for topic in topics_of(settings)
        if topic.retention is not None
    }
    return judge(watch.samples, retention, growth=plan.growth)


def _unobserved(method: str, seconds: float, good: bool) -> None:  # noqa: FBT001 - the hook's shape
    del method, seconds, good
