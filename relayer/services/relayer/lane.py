"""One lane: take, fold, begin what only reads and signs, commit, and only then broadcast.

A turn takes records and results and folds them into the book; everything that changed is committed
in one piece, at once or with what the next turns bring. A commit that is not known to have
succeeded raises Lost out of here: fence, restore, go on; there is no other error path.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relayer.domain.address import ChainId
from relayer.domain.distrust import Distrust
from relayer.domain.draft import Submission
from relayer.domain.facts import (
    Accepted,
    Delivered,
    Fact,
    Held,
    Parked,
    Refunded,
    Voided,
)
from relayer.domain.keep import Keeper
from relayer.domain.limits import Limits, World, judge, judge_return, route_of
from relayer.domain.records import lane_place
from relayer.domain.stage import Transfer
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Refund,
    Route,
    Void,
    lane_of,
)
from relayer.ports.bus import Partition
from relayer.ports.chain import ChainDrafter
from relayer.ports.clock import Clock
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.relayer.book import Book
from relayer.services.relayer.doubts import doubts
from relayer.services.relayer.effects import Effects, SealOutcome, by_source
from relayer.services.relayer.epochs import Epochs
from relayer.services.relayer.following import Dearer, Following, RaceOutcome
from relayer.services.relayer.intake import Intake, Told
from relayer.services.relayer.observer import LaneObserver
from relayer.services.relayer.outbox import Spread
from relayer.services.relayer.purse import Purse
from relayer.services.relayer.rest import Rest
from relayer.services.relayer.restoring import restore
from relayer.services.relayer.sweep import Owned, Sweep, SweepOutcome, news
from relayer.services.relayer.window import COMING, WINDOW, Window, longest_of
from relayer.services.vouching import Voucher

TAKE: Final = 256
IDLE_SECONDS: Final = 5.0

Result = Sequence[Fact] | SealOutcome | Dearer | RaceOutcome | SweepOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """How one destination's lanes behave; ``in_flight`` bounds unfinished submissions of a lane."""

    chain: ChainId
    lanes: int
    limits: Mapping[Route, Limits]
    ordered: bool
    in_flight: int = 256
    sweep_every: float = 120.0
    purse_every: float = 10.0
    """Seconds between looks at what the payer holds, and between tries while it is too little."""


class Lane:
    """The single writer of one payer's transactions on one destination."""

    def __init__(
        self,
        *,
        settings: LaneSettings,
        keeper: Keeper,
        spread: Spread,
        effects: Effects,
        following: Following,
        sweep: Sweep,
        drafter: ChainDrafter,
        gatekeeper: Gatekeeper,
        clock: Clock,
        observer: LaneObserver,
        voucher: Voucher,
    ) -> None:
        """Keep the parts; ``run`` does the work."""
        self._settings = settings
        self._book = Book(keeper, spread)
        self._effects = effects
        self._intake = Intake(
            chain=settings.chain,
            lanes=settings.lanes,
            book=self._book,
            drafter=drafter,
            gatekeeper=gatekeeper,
            clock=clock,
            observer=observer,
            voucher=voucher,
        )
        self._voucher = voucher
        self._following = following
        self._epochs = Epochs(book=self._book, drafter=drafter, following=following, clock=clock)
        self._sweep = sweep
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._observer = observer
        self._window = Window()
        self._purse = Purse(settings.purse_every)
        self._results: deque[Result] = deque()
        self._wake = asyncio.Event()
        self._fresh: list[Submission] = []
        self._rest = Rest()
        self._working = 0
        self._sealing = 0
        self._number = 0

    async def run(self, partition: Partition) -> None:
        """Serve one partition until cancelled, or until a commit is lost."""
        self._number = partition.number
        self._intake.serve(partition.number)
        place = lane_place(self._settings.chain, self._number, self._settings.lanes)
        await restore(self._book, partition, place)
        chain, count = self._settings.chain, len(self._book.transfers)
        self._observer.restored(chain, self._number, count, self._book.forged)
        await self._gatekeeper.ready()
        self._book.resume(self._clock.now())
        async with asyncio.TaskGroup() as effects:
            self._following.resume(self._book.submissions.values())
            effects.create_task(self._following.run(self._book.depends_on, self._done))
            effects.create_task(self._epochs.run(self._done))
            self._begin(effects)
            effects.create_task(self._recount())
            effects.create_task(self._sweep_for_ever())
            effects.create_task(self._weigh_purse_for_ever())
            while True:
                await self._turn(partition, effects)

    async def _turn(self, partition: Partition, effects: asyncio.TaskGroup) -> None:
        wait = self._book.seconds_to_next_due(self._clock.now(), IDLE_SECONDS)
        records = await partition.take(TAKE, min(wait, self._rest.left()), self._wake)
        self._wake.clear()
        if told := self._intake.read(records):
            self._launch(effects, self._believed(told))
        self._fresh += self._drain()
        self._book.fold(self._book.due(self._clock.now()))
        self._judge()
        self._begin(effects)
        if self._rest.over(taken=bool(records), changed=self._book.changed, urgent=self._urgent):
            await self._commit(partition, effects)

    @property
    def _urgent(self) -> bool:
        """Whether a commit is waited for: by a submission, by others, or by all that is left."""
        return bool(self._fresh) or self._book.awaited or not self._working

    async def _commit(self, partition: Partition, effects: asyncio.TaskGroup) -> None:
        changes = self._book.changes()
        await partition.commit(self._voucher.vouch(changes.outs), changes.state)
        self._rest.begin()
        self._observer.told(changes.told)
        fresh, self._fresh = self._fresh, []
        for submission in fresh:
            self._observer.submitted(submission)
            self._launch(effects, self._following.send(submission))

    async def _believed(self, told: Sequence[Told]) -> list[Fact]:
        """Listener records that are so on the chain; a recheck closes the others."""
        seen = await self._effects.believe(told)
        if seen is None:
            return []
        missed = [(fact.id, Distrust.UNCONFIRMED) for fact in told if fact.id not in seen]
        self._observer.compared(self._settings.chain, missed)
        facts: list[Fact] = []
        for fact in told:
            if fact.id in seen and isinstance(fact, Delivery):
                facts.append(Delivered(delivery=fact, at=self._clock.now()))
            elif fact.id in seen and isinstance(fact, Void):
                facts.append(Voided(void=fact, at=self._clock.now()))
            elif fact.id in seen and isinstance(fact, Refund):
                facts.append(Refunded(refund=fact, at=self._clock.now()))
        return facts

    async def _sweep_for_ever(self) -> None:
        owned = Owned(delivers=self._intake.delivers, refunds=self._intake.refunds)
        while True:
            self._book.forgotten.clear()
            for outcome in await self._sweep.run(dict(self._book.marks), owned):
                self._results.append(outcome)
            self._wake.set()
            await self._clock.sleep(self._settings.sweep_every)

    async def _recount(self) -> None:
        """Count into the window what was in flight, and what the destination delivered lately."""
        for transfer in self._book.transfers.values():
            if transfer.stage in COMING and transfer.act is ActKind.DELIVER:
                self._window.accept(transfer.deposit, self._clock.now())
        mark, longest = self._book.marks.get(WINDOW, 0), longest_of(self._settings.limits)
        found = await self._sweep.deliveries(mark, longest, self._clock)
        lanes = self._settings.lanes
        self._window.recount(one for one in found if lane_of(one.id, lanes) == self._number)
        self._wake.set()

    async def _weigh_purse_for_ever(self) -> None:
        while True:
            coins = await self._effects.balance()
            if coins is not None:
                self._observer.paid_from(self._settings.chain, self._number, coins)
            await self._clock.sleep(self._settings.purse_every)

    def _swept(self, outcome: SweepOutcome) -> None:
        now = self._clock.now()
        denied, begun = news(outcome, self._book.transfers, self._book.lacks, now)
        belied = [(one.id, Distrust.ALTERED) for one in denied]
        self._observer.compared(self._settings.chain, belied)
        self._book.fold([*denied, *begun])
        self._book.mark(outcome.source, outcome.mark)
        longest = longest_of(self._settings.limits)
        own = outcome.source == self._settings.chain
        if own and (height := self._window.mark(outcome.mark, now, longest)) is not None:
            self._book.mark(WINDOW, height)
        self._observer.swept(outcome.source, outcome.found, len(begun))

    def _drain(self) -> list[Submission]:
        """Fold finished work; return submissions that may be broadcast after the commit."""
        fresh: list[Submission] = []
        while self._results:
            match self._results.popleft():
                case SealOutcome(submission=submission, facts=facts):
                    self._sealing -= 1
                    self._paid(facts, sealed=submission is not None)
                    self._book.fold(facts)
                    if submission is not None and self._book.wants(submission):
                        self._book.seal(submission, self._clock.now())
                        fresh.append(submission)
                case Dearer(submission=submission):
                    self._book.seal(submission, self._clock.now())
                    fresh.append(submission)
                case RaceOutcome() as outcome:
                    self._ended(outcome)
                case SweepOutcome() as outcome:
                    self._swept(outcome)
                case facts:
                    found = doubts(self._book.transfers, facts)
                    self._observer.compared(self._settings.chain, found)
                    self._purse.learn(facts, self._clock.now())
                    self._book.fold(facts)
                    self._observer.facts(facts)
        return fresh

    def _paid(self, facts: Sequence[Fact], *, sealed: bool) -> None:
        self._purse.learn(facts, self._clock.now())
        if sealed:
            self._purse.paid()

    def _ended(self, outcome: RaceOutcome) -> None:
        for submission, landing in outcome.landings:
            self._book.drop_submission(submission.tx)
            self._observer.landed(submission, landing)
        self._book.fold(outcome.facts)

    def _judge(self) -> None:
        if not (waiting := self._book.to_judge()):
            return
        now = self._clock.now()
        world = self._world(now)
        for transfer in waiting:
            delivers = transfer.act is ActKind.DELIVER
            verdict = (
                judge(transfer.deposit, world, now) if delivers else judge_return(transfer, now)
            )
            if isinstance(verdict, Accepted):
                verdict = self._purse.hold(transfer.deposit, now) or verdict
            self._book.fold([verdict])
            if delivers and not isinstance(verdict, Held | Parked):
                self._window.accept(transfer.deposit, now)

    def _world(self, now: float) -> World:
        return World(
            gate=self._gatekeeper.gate,
            limits=self._settings.limits,
            paused=self._gatekeeper.paused(self._settings.chain),
            inventory=self._gatekeeper.inventory(self._settings.chain),
            used=self._window.used(self._settings.limits, now) if self._window.ready else None,
        )

    def _begin(self, effects: asyncio.TaskGroup) -> None:
        """Start what only reads, drafts and signs: a commit that fails afterwards undoes it."""
        work, now = self._book.work(), self._clock.now()
        for transfers in by_source(work.verify):
            self._launch(effects, self._effects.verify(transfers))
        if work.draft:
            assets = {transfer.deposit.asset for transfer in work.draft}
            ends = {asset: self._gatekeeper.gate.good_until(asset, now) for asset in assets}
            self._launch(effects, self._effects.draft(work.draft, ends))
        self._seal(effects)

    def _seal(self, effects: asyncio.TaskGroup) -> None:
        """Start sealing while there is a quorum waiting and room in flight."""
        while self._room() > 0 and (batch := self._next_batch()):
            self._book.carry(batch)
            self._sealing += 1
            nonce = self._book.lowest_nonce() if self._settings.ordered else None
            self._launch(effects, self._effects.seal(batch, nonce))

    def _next_batch(self) -> list[Transfer]:
        """What may go now, oldest first, of one act, as many as one transaction carries."""
        batch: list[Transfer] = []
        for transfer in self._book.ready():
            if (not batch or transfer.act is batch[0].act) and self._open(transfer):
                batch.append(transfer)
            if len(batch) == self._effects.batch:
                break
        return batch

    def _room(self) -> int:
        if self._settings.ordered and self._sealing:
            return 0
        return self._settings.in_flight - self._sealing - self._book.races()

    def _open(self, transfer: Transfer) -> bool:
        """The gate once more, immediately before the submission of a delivery."""
        if transfer.act is not ActKind.DELIVER:
            return True
        route = route_of(transfer.deposit)
        now = self._clock.now()
        refusal = self._gatekeeper.gate.refusal(route, now) if route else None
        if refusal is None:
            return True
        hold = Held(
            id=transfer.deposit.id, reason=refusal[0], until=now + 1, at=now, detail=refusal[1]
        )
        self._book.carry([transfer])
        self._done([hold])
        return False

    def _launch(self, effects: asyncio.TaskGroup, work: Coroutine[Any, Any, Result]) -> None:
        self._working += 1
        effects.create_task(self._perform(work))

    async def _perform(self, work: Coroutine[Any, Any, Result]) -> None:
        result = await work
        self._working -= 1
        self._done(result)

    def _done(self, result: Result) -> None:
        self._results.append(result)
        self._wake.set()
