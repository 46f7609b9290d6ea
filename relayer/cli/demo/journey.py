"""One demo from start to proof."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from relayer.app.chains import ChainKit, kit_for
from relayer.cli.demo.books import Books, delivered_once, read_books, unchanged
from relayer.cli.demo.chaos import Chaos, Struck, kept_back
from relayer.cli.demo.child import Child
from relayer.cli.demo.crashes import Moment, moments
from relayer.cli.demo.finality import Finality
from relayer.cli.demo.fleet import Fleet
from relayer.cli.demo.plan import Journey, plan, user_account, user_secret
from relayer.cli.demo.show import Board
from relayer.cli.demo.stops import stops
from relayer.domain.address import Account, ChainId
from relayer.domain.errors import Rejected, Transient, Unavailable
from relayer.domain.stage import Stage
from relayer.ports.chain import ChainReader, Depositor
from relayer.services.tracks import Filter, Story, Tracks
from relayer.settings import Settings

TRIES = 5
"""How often a user makes a deposit that a chain refuses or undoes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a demo proved: ``wrong`` is empty exactly when all is well."""

    before: Books
    after: Books
    stories: tuple[Story, ...]
    wrong: tuple[str, ...]
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    exit_code: int | None
    kills: tuple[int, ...]
    """How many transfers were in flight at each SIGKILL."""
    struck: tuple[Struck, ...] = ()
    """The blows of chaos, if there was any."""
    took: tuple[float, ...] = ()
    """Seconds from each deposit in its block to its final delivery, ascending."""


@dataclass(slots=True)
class Demo:
    """Transfers through a relayer process of its own, over chains that already run."""

    settings: Settings
    config_path: Path
    console: Console
    transfers: int
    users: int
    crashes: int = 0
    seed: int = 0
    patience: float = 90.0
    """Seconds without progress after which the demo gives up."""
    grace: float = 90.0
    """Seconds of final chain time after which a deposit that was undone is made again."""
    crew: Child | Fleet | None = None
    """The relayer's processes; by default one that runs every service."""
    rate: float = 0.0
    """Deposits begun per second; 0: all at once."""
    chaos: Chaos | None = None
    """What befalls a fleet while deposits are made; needs ``rate``."""
    _kits: dict[ChainId, ChainKit] = field(default_factory=dict, init=False)
    _depositors: dict[tuple[ChainId, int], Depositor] = field(default_factory=dict, init=False)
    _turns: dict[tuple[ChainId, int], asyncio.Lock] = field(default_factory=dict, init=False)
    _made: set[int] = field(default_factory=set, init=False)
    _made_at: dict[str, float] = field(default_factory=dict, init=False)
    _began: float = field(default=0.0, init=False)
    _due: int = field(default=0, init=False)
    _kills: list[int] = field(default_factory=list, init=False)
    _finalities: dict[ChainId, Finality] = field(default_factory=dict, init=False)
    _final_journeys: int = field(default=0, init=False)

    async def run(self) -> Outcome:
        """Start the relayer, deposit, wait, stop it, and read the proof from the chains."""
        self._kits = {
            chain.id: kit_for(self.settings, chain, _unobserved) for chain in self.settings.chains
        }
        readers = [kit.reader() for kit in self._kits.values()]
        self._finalities = {reader.chain: Finality(reader, self.grace) for reader in readers}
        try:
            return await self._run(readers)
        finally:
            for kit in self._kits.values():
                await kit.close()

    async def _run(self, readers: list[ChainReader]) -> Outcome:
        before = await self._settled(readers)
        child = self.crew or Child(
            config=self.config_path, log=self.config_path.parent / "relayer.log"
        )
        began = time.monotonic()
        await child.start()
        try:
            with Board(self.console, self.transfers) as board:
                await self._move(child, board)
            child.measure()
        finally:
            code = await child.stop()
        seconds = time.monotonic() - began
        after = await self._final(readers)
        wrong = [*delivered_once(after, self._final_deposits), *unchanged(before, after)]
        wrong += [f"the relayer drained with exit code {code}"] if code else []
        wrong += self.chaos.unclean if self.chaos else []
        stories = self._stories()
        wrong += await stops(self._on_its_bus, stories)
        return Outcome(
            before=before,
            after=after,
            stories=tuple(stories),
            wrong=tuple(wrong),
            seconds=seconds,
            cpu_seconds=child.cpu,
            peak_bytes=child.peak_bytes,
            exit_code=code,
            kills=tuple(self._kills),
            struck=tuple(self.chaos.struck) if self.chaos else (),
            took=tuple(sorted(self._took(stories))),
        )

    async def _move(self, child: Child | Fleet, board: Board) -> None:
        async with asyncio.TaskGroup() as group:
            looking = [group.create_task(one.run()) for one in self._finalities.values()]
            for journey in plan(self.settings, self.transfers, self.users):
                group.create_task(self._travel(journey, board))
            if self.crashes:
                group.create_task(self._crash(child, board))
            if self.chaos and isinstance(child, Fleet):
                group.create_task(self._storm(self.chaos, child, board))
            await self._watch(child, board)
            for task in looking:
                task.cancel()

    async def _travel(self, journey: Journey, board: Board) -> None:
        """Deposit, and again if the chain undid it, until it is final."""
        recipient = user_account(self.settings, journey.destination, journey.user)
        depositor = self._depositor(journey)
        wanted = (depositor.account, recipient, journey.shares)
        await self._turn_of(journey)
        for attempt in range(1, TRIES + 1):
            try:
                await self._deposit(journey, depositor, recipient)
                self._deposited(journey, board)
            except Transient as error:
                board.say(f"  deposit {journey.number} is in doubt: {error}")
            except Rejected as error:
                if attempt == TRIES:
                    raise
                board.say(f"  deposit {journey.number} was refused: {error}")
                await asyncio.sleep(1)
                continue
            if await self._finalities[journey.source].settled(wanted):
                self._deposited(journey, board)
                self._final_journeys += 1
                return
            board.say(f"  deposit {journey.number} was undone by its chain: it is made again")
        msg = f"deposit {journey.number} did not become final"
        raise Unavailable(msg)

    async def _turn_of(self, journey: Journey) -> None:
        """Wait for a journey's time by the rate; the last ones wait for kills, or the end of chaos.

        Under chaos the clock starts when the first of them has arrived: all processes are up then.
        """
        while self.chaos and journey.number and not self._began:
            await asyncio.sleep(0.05)
        self._began = self._began or (0.0 if self.chaos else time.time())
        if self.rate and self._began:
            await asyncio.sleep(self._began + journey.number / self.rate - time.time())
        while journey.number >= self.transfers - self._kept + self._due:
            await asyncio.sleep(0.05)

    @property
    def _kept(self) -> int:
        """How many of the last deposits are kept back at first."""
        return kept_back(self.transfers) if self.chaos else self.crashes

    async def _storm(self, chaos: Chaos, fleet: Fleet, board: Board) -> None:
        """Let chaos last as long as deposits are made, then make those that were kept back."""
        while not self._delivered():
            await asyncio.sleep(0.1)
        self._began = time.time()
        await chaos.run(fleet, (self.transfers - self._kept) / self.rate, board.say)
        self._due = self._kept

    async def _deposit(self, journey: Journey, depositor: Depositor, recipient: Account) -> None:
        """A user's deposits on one chain are made one after the other."""
        async with self._turns.setdefault((journey.source, journey.user), asyncio.Lock()):
            tx = await depositor.deposit(
                journey.asset, journey.shares, journey.destination, recipient
            )
            self._made_at[tx] = time.time()

    def _deposited(self, journey: Journey, board: Board) -> None:
        """A journey's deposit stands in a block, perhaps not for the first time."""
        if journey.number not in self._made:
            self._made.add(journey.number)
            board.deposited()

    def _depositor(self, journey: Journey) -> Depositor:
        who = (journey.source, journey.user)
        if who not in self._depositors:
            secret = user_secret(self.settings, *who)
            self._depositors[who] = self._kits[journey.source].depositor(secret)
        return self._depositors[who]

    @property
    def _all_final(self) -> bool:
        return self._final_journeys == self.transfers

    @property
    def _final_deposits(self) -> int:
        return sum(len(one.deposits) for one in self._finalities.values())

    async def _watch(self, child: Child | Fleet, board: Board) -> None:
        last, since = -1, time.monotonic()
        while True:
            if not self.crashes:
                child.check()
            stages = self._stages()
            board.stages(stages)
            if stages[Stage.DELIVERED] >= self._final_deposits and self._all_final:
                return
            moved = sum(stages.values()) + stages[Stage.DELIVERED] + self._final_deposits
            if moved != last:
                last, since = moved, time.monotonic()
            if time.monotonic() - since > self.patience:
                waiting = {f"{stage}": count for stage, count in stages.items()}
                msg = f"nothing moved for {self.patience:.0f} s; transfers by stage: {waiting}"
                raise Unavailable(msg)
            child.measure()
            await asyncio.sleep(0.2)

    async def _crash(self, child: Child | Fleet, board: Board) -> None:
        """SIGKILL at the moments drawn, then start again."""
        for moment in moments(self.crashes, self.transfers - self.crashes, self.seed):
            in_flight = await self._in_flight_at(moment)
            await child.kill()
            self._kills.append(in_flight)
            board.say(
                f"  relayer killed (SIGKILL {len(self._kills)} of {self.crashes}, "
                f"{in_flight} transfers in flight), starting again"
            )
            await child.start()

    async def _in_flight_at(self, moment: Moment) -> int:
        """Wait for a moment; one deposit is kept for it, so that it finds a transfer in flight."""
        await asyncio.sleep(moment.age)
        while self._delivered() < moment.delivered:
            await asyncio.sleep(0.05)
        self._due += 1
        while (in_flight := len(self._made) - self._delivered()) <= 0:
            await asyncio.sleep(0.05)
        return in_flight

    def _delivered(self) -> int:
        return self._stages()[Stage.DELIVERED]

    def _stages(self) -> Counter[Stage]:
        try:
            with Tracks(self._tracker) as tracks:
                counts: Counter[Stage] = Counter()
                for (stage, _), count in tracks.counts().items():
                    counts[stage] += count
                return counts
        except Unavailable:
            return Counter()

    def _stories(self) -> list[Story]:
        with Tracks(self._tracker) as tracks:
            found = tracks.status(Filter(limit=self.transfers * 2))
            stories = [story for track in found for story in tracks.trace(track.told.id.hex())]
        return sorted(stories, key=lambda story: story.track.seen_at)

    def _took(self, stories: Sequence[Story]) -> Iterator[float]:
        for story in stories:
            made = self._made_at.get(story.track.told.source_tx)
            for fact in story.facts:
                if made is not None and fact.stage is Stage.DELIVERED:
                    yield fact.at - made
                    break

    @property
    def _on_its_bus(self) -> Settings:
        """The settings, with the bus that the processes were on."""
        fleet = self.crew if isinstance(self.crew, Fleet) else None
        return self.settings.model_copy(update={"bus": fleet.bus}) if fleet else self.settings

    @property
    def _tracker(self) -> Path:
        return self.settings.path(self.settings.state_dir) / "tracker.db"

    async def _settled(self, readers: list[ChainReader]) -> Books:
        """The first reading: setting up must be final on every chain."""
        books = await self._read_until(
            readers, lambda books: all(k.low > 0 for k in books.k.values())
        )
        if books is None:
            msg = "the chains did not become final in time"
            raise Unavailable(msg)
        return books

    async def _final(self, readers: list[ChainReader]) -> Books:
        """A reading in which the newest deliveries are final too, if they become so."""
        wanted = self._final_deposits
        books = await self._read_until(readers, lambda books: len(books.deliveries) >= wanted)
        return books or await read_books(readers)

    async def _read_until(
        self, readers: list[ChainReader], holds: Callable[[Books], bool]
    ) -> Books | None:
        """The first reading that is as wanted; None if there is none in time."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            with contextlib.suppress(Transient):
                books = await read_books(readers)
                if holds(books):
                    return books
            await asyncio.sleep(0.2)
        return None


def _unobserved(method: str, seconds: float, good: bool) -> None:  # noqa: FBT001 - the hook's shape
    del method, seconds, good
