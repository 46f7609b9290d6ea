"""The book of one lane: its open Transfers and Submissions, and what changed since the last commit.

The book only folds facts through ``transition`` and gathers what follows from them for the lane:
work to start, and state and records for its next commit.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from relayer.domain.command import Command
from relayer.domain.draft import Draft, Submission
from relayer.domain.facts import Due, Fact, Sealed, id_of
from relayer.domain.keep import Keeper
from relayer.domain.lifecycle import Effect, transition
from relayer.domain.records import (
    NUMBER_STATE,
    SUBMISSION_KEY,
    SUBMISSION_STATE,
    TRANSFER_KEY,
    TRANSFER_STATE,
)
from relayer.domain.stage import LEFT, SIGNED, Stage, Transfer
from relayer.domain.submission import Race, key_of, rivals
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Out
from relayer.services.relayer.outbox import Outbox, Spread

_COMMAND: Final = "command/"
SWEEP: Final = "sweep/"

UNSIGNED: Final = 64
"""Transfers of a lane that wait for signatures at once.

A burst that asked for all of its signatures at once would get most of them after the time a draft
waits, draft anew, and never end: attesters would be busy with what nobody waits for any more.
"""


@dataclass(slots=True)
class Work:
    """What a lane may start at once: it reads chains and moves nothing."""

    verify: list[Transfer] = field(default_factory=list)
    draft: list[Transfer] = field(default_factory=list)


@dataclass(slots=True)
class Changes:
    """What one commit of the lane must carry."""

    state: dict[str, bytes | None] = field(default_factory=dict)
    outs: list[Out] = field(default_factory=list)
    told: list[tuple[Transfer, Stage]] = field(default_factory=list)
    awaited: bool = False
    """Whether somebody else waits for one of the records."""


class Book:
    """Open Transfers and Submissions of one lane."""

    def __init__(self, keeper: Keeper, spread: Spread) -> None:
        """Begin an empty book."""
        self.transfers: dict[TransferId, Transfer] = {}
        self.submissions: dict[str, Submission] = {}
        self.marks: dict[str, int] = {}
        self._commands: dict[bytes, int] = {}
        self.forged = 0
        self.forgotten: set[TransferId] = set()
        self._role = self._keeper = keeper
        self._outbox = Outbox(spread)
        self._dues: list[tuple[float, TransferId]] = []
        self._waiting: set[TransferId] = set()
        self._ready: dict[TransferId, None] = {}
        self._to_draft: dict[TransferId, None] = {}
        self._unsigned: set[TransferId] = set()
        self._work = Work()
        self._altered: dict[TransferId, None] = {}
        self._changes = Changes()

    def genuine(self, key: str, value: bytes) -> bool:
        """Whether a value of the state is of this place; a forged one is counted."""
        found = self._keeper.opened(key, value) is not None
        self.forged += not found
        return found

    def restore(self, kept: Mapping[str, bytes], place: str) -> None:
        """Fill the book from the state kept at a place, for whose lane alone it keeps from now on.

        It may come in parts. Forged values, and those of another place, are passed over and counted.
        """
        self._keeper = self._role.at(place)
        for key, value in kept.items():
            text = self._keeper.opened(key, value)
            if text is None:
                self.forged += 1
            elif key.startswith(TRANSFER_KEY):
                transfer = self._keeper.decode(key, text, TRANSFER_STATE)
                self._place(transfer.deposit.id, transfer)
            elif key.startswith(SUBMISSION_KEY):
                submission = self._keeper.decode(key, text, SUBMISSION_STATE)
                self.submissions[submission.tx] = submission
            elif key.startswith(_COMMAND):
                command = bytes.fromhex(key.removeprefix(_COMMAND))
                self._commands[command] = self._keeper.decode(key, text, NUMBER_STATE)
            elif key.startswith(SWEEP):
                mark = self._keeper.decode(key, text, NUMBER_STATE)
                self.marks[key.removeprefix(SWEEP)] = mark

    def resume(self, now: float) -> None:
        """Start the work that a crash may have cut short; all of it is harmless to repeat."""
        for transfer in list(self.transfers.values()):
            match transfer.stage:
                case Stage.SEEN:
                    self._work.verify.append(transfer)
                case Stage.DRAFTING:
                    self._to_draft[transfer.deposit.id] = None
                case Stage.SIGNING:
                    self._request(transfer)
                case Stage.SUBMITTED if transfer.submission not in self.submissions:
                    self._place(transfer.deposit.id, replace(transfer, due_at=now))
                case _:
                    pass

    def fold(self, facts: Iterable[Fact]) -> None:
        """Take facts in order."""
        for fact in facts:
            self._fold_one(fact)

    def _fold_one(self, fact: Fact) -> None:
        transfer_id = id_of(fact)
        before = self.transfers.get(transfer_id)
        step = transition(before, fact)
        after = step.transfer
        if after is not None and after is not before:
            self._keep(transfer_id, after, kept=step.kept)
            for effect in step.effects:
                self._start(effect, after)
        elif after is None and before is not None:
            self._forget(transfer_id)
        elif after is not None:
            for effect in step.effects:
                self._start(effect, after)
        if step.told is not None and after is not None:
            self._tell(after, step.told, fact)

    def due(self, now: float) -> list[Fact]:
        """The facts that time alone brings by ``now`` (seconds since the epoch)."""
        facts: list[Fact] = []
        while self._dues and self._dues[0][0] <= now:
            due_at, transfer_id = heapq.heappop(self._dues)
            transfer = self.transfers.get(transfer_id)
            if transfer is not None and transfer.due_at is not None and transfer.due_at <= due_at:
                if transfer.stage is Stage.WAITING:
                    self._waiting.add(transfer_id)
                else:
                    facts.append(Due(id=transfer_id, at=now))
        return facts

    def seconds_to_next_due(self, now: float, most: float) -> float:
        """How long nothing becomes due by itself, at most ``most`` seconds."""
        return min(max(self._dues[0][0] - now, 0.0), most) if self._dues else most

    def to_judge(self) -> list[Transfer]:
        """The verified Transfers whose time to be judged has come; each is given once."""
        found = [self.transfers[i] for i in self._waiting if i in self.transfers]
        self._waiting.clear()
        return [transfer for transfer in found if transfer.stage is Stage.WAITING]

    def ready(self) -> Iterator[Transfer]:
        """Transfers with a quorum, oldest first, that no submission carries yet."""
        for transfer_id in list(self._ready):
            transfer = self.transfers.get(transfer_id)
            if transfer is None or transfer.stage is not Stage.READY:
                del self._ready[transfer_id]
            else:
                yield transfer

    def drafted(self) -> Iterator[tuple[Transfer, Draft]]:
        """Transfers whose current draft is being signed, or under way on the chain."""
        sent = (i for one in self.submissions.values() for i in one.ids)
        for transfer_id in {*self._unsigned, *self._ready, *sent}:
            transfer = self.transfers.get(TransferId(transfer_id))
            if transfer is not None and transfer.draft is not None and transfer.stage in SIGNED:
                yield transfer, transfer.draft

    def carry(self, transfers: Iterable[Transfer]) -> None:
        """Take Transfers out of ``ready``: something else is under way with them."""
        for transfer in transfers:
            self._ready.pop(transfer.deposit.id, None)

    def wants(self, submission: Submission) -> bool:
        """Whether a Transfer still waits for a newly sealed attempt; a refund may be ordered now."""
        waiting = (self.transfers.get(TransferId(i)) for i in submission.ids)
        return any(one is not None and one.stage is Stage.READY for one in waiting)

    def seal(self, submission: Submission, at: float) -> None:
        """Keep a signed attempt for its Transfers; it is broadcast only after the commit."""
        replaced = {one.tx for one in rivals(submission, self.submissions.values())}
        self.submissions[submission.tx] = submission
        self.fold(self._sealed(TransferId(i), submission.tx, replaced, at) for i in submission.ids)
        key = SUBMISSION_KEY + submission.tx
        self._changes.state[key] = self._keeper.seal(key, SUBMISSION_STATE.encode(submission))

    def _sealed(
        self, transfer_id: TransferId, tx: str, replaced: Collection[str | None], at: float
    ) -> Sealed:
        transfer = self.transfers.get(transfer_id)
        current = transfer.submission if transfer else None
        replaces = current if current in replaced else None
        return Sealed(id=transfer_id, tx=tx, at=at, replaces=replaces)

    def depends_on(self, race: Race) -> bool:
        """Whether a Transfer still waits for what becomes of a race."""
        found = (self.transfers.get(i) for i in race.carrier.ids)
        return any(
            one is not None and one.stage is Stage.SUBMITTED and one.submission == race.carrier.tx
            for one in found
        )

    def races(self) -> int:
        """How many submissions may still land."""
        return len({key_of(one) for one in self.submissions.values()})

    def drop_submission(self, tx: str) -> None:
        """Forget an attempt whose outcome is final."""
        if self.submissions.pop(tx, None) is not None:
            self._changes.state[SUBMISSION_KEY + tx] = None

    def lowest_nonce(self) -> int | None:
        """One above the newest unfinished submission's nonce; None: ask the chain."""
        nonces = [s.nonce for s in self.submissions.values() if s.nonce is not None]
        return max(nonces) + 1 if nonces else None

    def lacks(self, transfer_id: TransferId) -> bool:
        """Whether a Sweep that finds this id open finds what is not in the book.

        What was closed since the Sweep began was open when it looked; the next one looks again.
        """
        return transfer_id not in self.transfers and transfer_id not in self.forgotten

    def mark(self, chain: str, height: int) -> None:
        """Remember that every deposit of a chain up to a height is closed."""
        if self.marks.get(chain) != height:
            self.marks[chain] = height
            key = SWEEP + chain
            self._changes.state[key] = self._keeper.seal(key, str(height).encode())

    def took(self, command: Command) -> bool:
        """Whether a command was taken before; replays of older ones are refused as expired."""
        return command.command in self._commands

    def take(self, command: Command, now: float) -> None:
        """Remember a command until it expires; those that have by ``now`` are forgotten."""
        for known in [one for one, end in self._commands.items() if end <= now]:
            del self._commands[known]
            self._changes.state[_COMMAND + known.hex()] = None
        self._commands[command.command] = command.expires_at
        key = _COMMAND + command.command.hex()
        self._changes.state[key] = self._keeper.seal(key, str(command.expires_at).encode())

    def work(self) -> Work:
        """The work that has come up since the last call."""
        work, self._work = self._work, Work()
        work.draft += self._next_drafts()
        return work

    @property
    def changed(self) -> bool:
        """Whether a commit has anything to carry."""
        return bool(self._changes.state or self._changes.outs or self._altered)

    @property
    def awaited(self) -> bool:
        """Whether somebody else waits for what a commit would carry."""
        return self._changes.awaited

    def changes(self) -> Changes:
        """Everything gathered since the last call; a Transfer that changed twice is there once."""
        changes, self._changes = self._changes, Changes()
        for transfer_id in self._altered:
            key, transfer = TRANSFER_KEY + transfer_id.hex(), self.transfers[transfer_id]
            changes.state[key] = self._keeper.seal(key, TRANSFER_STATE.encode(transfer))
        self._altered.clear()
        return changes

    def _next_drafts(self) -> list[Transfer]:
        """Those to draft now, oldest first: no more wait for signatures than come in time."""
        found: list[Transfer] = []
        while self._to_draft and len(self._unsigned) < UNSIGNED:
            transfer_id = next(iter(self._to_draft))
            del self._to_draft[transfer_id]
            transfer = self.transfers.get(transfer_id)
            if transfer is not None and transfer.stage is Stage.DRAFTING:
                self._unsigned.add(transfer_id)
                found.append(transfer)
        return found

    def _keep(self, transfer_id: TransferId, transfer: Transfer, *, kept: bool) -> None:
        if transfer.stage in LEFT:
            self._forget(transfer_id)
            return
        self._place(transfer_id, transfer)
        if kept:
            self._altered[transfer_id] = None

    def _place(self, transfer_id: TransferId, transfer: Transfer) -> None:
        self.transfers[transfer_id] = transfer
        if transfer.due_at is not None:
            heapq.heappush(self._dues, (transfer.due_at, transfer_id))
        if transfer.stage is Stage.SIGNING:
            self._unsigned.add(transfer_id)
        elif transfer.stage is not Stage.DRAFTING:
            self._unsigned.discard(transfer_id)
        if transfer.stage is Stage.READY:
            self._ready[transfer_id] = None
        else:
            self._ready.pop(transfer_id, None)

    def _forget(self, transfer_id: TransferId) -> None:
        self._ready.pop(transfer_id, None)
        self._unsigned.discard(transfer_id)
        self._altered.pop(transfer_id, None)
        if self.transfers.pop(transfer_id, None) is not None:
            self.forgotten.add(transfer_id)
            self._changes.state[TRANSFER_KEY + transfer_id.hex()] = None

    def _start(self, effect: Effect, transfer: Transfer) -> None:
        match effect:
            case Effect.VERIFY:
                self._work.verify.append(transfer)
            case Effect.DRAFT:
                self._to_draft[transfer.deposit.id] = None
            case Effect.REQUEST_SIGNATURES:
                self._request(transfer)
            case Effect.HAND_OVER:
                self._hand_over(transfer)

    def _request(self, transfer: Transfer) -> None:
        if transfer.draft is not None:
            self._changes.outs.append(self._outbox.request(transfer, transfer.draft))
            self._changes.awaited = True

    def _hand_over(self, transfer: Transfer) -> None:
        handed = self._outbox.hand_over(transfer)
        if handed is not None:
            self._changes.outs.append(handed)
            self._changes.awaited = True

    def _tell(self, transfer: Transfer, stage: Stage, fact: Fact) -> None:
        self._changes.outs.append(self._outbox.tell(transfer, stage, fact))
        self._changes.told.append((transfer, stage))
