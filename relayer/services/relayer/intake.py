"""What the records of a lane's inbox mean to it.

Anybody may write to an inbox, so a record is a claim at most. What cannot be read, belongs to
another lane, or is no operator's word is refused by name; deliveries, voids and refunds are handed
back to be looked up on the chain before anything follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.authority import Signed
from relayer.domain.command import Command, ordered
from relayer.domain.distrust import Distrust
from relayer.domain.draft import Attestation
from relayer.domain.errors import DraftRefused, RecordRefused
from relayer.domain.facts import Attested, DepositSeen, Fact, HandedOver
from relayer.domain.orders import fact_of, objection
from relayer.domain.records import INBOX, InboxRecord, RefundDue
from relayer.domain.stage import Stage
from relayer.domain.transfer import (
    Delivery,
    Deposit,
    Refund,
    TransferId,
    Void,
    lane_of,
    owner_of,
)
from relayer.ports.bus import Record
from relayer.ports.chain import ChainDrafter
from relayer.ports.clock import Clock
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.relayer.book import Book
from relayer.services.relayer.observer import LaneObserver
from relayer.services.vouching import Voucher

Told = Delivery | Void | Refund
"""What a listener says became of a Transfer."""


CLAIMS: Final = 64
"""Claims that nobody vouches for whose chain was not read yet; each costs calls, again and again."""

CLAIMS_PER_SECOND: Final = 20.0
"""How many of those are begun in the long run: each is also told, logged and kept."""


class Intake:
    """Folds the inbox of one lane into its book."""

    def __init__(
        self,
        *,
        chain: ChainId,
        lanes: int,
        book: Book,
        drafter: ChainDrafter,
        gatekeeper: Gatekeeper,
        clock: Clock,
        observer: LaneObserver,
        voucher: Voucher,
    ) -> None:
        """Read for one of the ``lanes`` of a destination; ``serve`` says for which."""
        self._chain = chain
        self._lanes = lanes
        self._number = 0
        self._book = book
        self._drafter = drafter
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._observer = observer
        self._voucher = voucher
        self._claims: set[TransferId] = set()
        self._strangers = 0.0
        self._counted_at = 0.0

    def serve(self, number: int) -> None:
        """Read for the lane of this number."""
        self._number = number

    def read(self, records: Sequence[Record]) -> Sequence[Told]:
        """Fold records in order; what must be looked up first is given back."""
        told: list[Told] = []
        for record in records:
            try:
                content = self._decoded(record)
                if isinstance(content, Told):
                    told.append(content)
                else:
                    self._book.fold(self._facts_of(content, record))
            except RecordRefused as error:
                self._observer.refused(record, error)
        return told

    def _decoded(self, record: Record) -> InboxRecord:
        """What a record says; RecordRefused where that is nothing to this lane."""
        content = INBOX.decode(record.value or b"")
        strange = isinstance(content, Deposit) and not self.delivers(content)
        if strange or (isinstance(content, RefundDue) and not self.refunds(content.deposit)):
            msg = "the deposit belongs to another lane"
            raise RecordRefused(msg, Distrust.OTHER_LANE)
        if isinstance(content, Told) and content.id not in self._book.transfers:
            msg = "nothing of this id is open here"
            raise RecordRefused(msg, Distrust.LATE)
        return content

    def _facts_of(
        self, content: Deposit | RefundDue | Attestation | Signed, record: Record
    ) -> list[Fact]:
        """What a record tells the book; RecordRefused says why it is not taken."""
        now = self._clock.now()
        match content:
            case Deposit():
                vouched = self._voucher.knows(record)  # first: no copy of it counts any more
                self._compare(content)
                self._admit(content, vouched=vouched)
                return [DepositSeen(deposit=content, at=now)]
            case RefundDue(deposit=deposit):
                self._admit(deposit, vouched=self._voucher.knows(record))
                return [HandedOver(deposit=deposit, at=now)]
            case Attestation():
                return self._attested(content)
            case Signed():
                return self._commanded(content)

    def _compare(self, told: Deposit) -> None:
        """RecordRefused for a deposit whose id is open: it tells nothing new, or what is not so."""
        known = self._book.transfers.get(told.id)
        if known is not None:
            altered = known.verified and known.deposit != told
            msg = "the deposit is known already"
            raise RecordRefused(msg, Distrust.ALTERED if altered else Distrust.REPEATED)

    def _admit(self, claimed: Deposit, *, vouched: bool) -> None:
        """RecordRefused while as many claims wait for a look as may that nobody vouches for."""
        if vouched:
            return
        now = self._clock.now()
        rested = max(0.0, now - self._counted_at) * CLAIMS_PER_SECOND
        self._strangers, self._counted_at = max(0.0, self._strangers - rested), now
        if len(self._claims) >= CLAIMS:
            self._claims = {one for one in self._claims if self._is_unread(one)}
        if len(self._claims) >= CLAIMS or self._strangers >= CLAIMS:
            msg = "too many claims wait that nobody vouches for: the Sweep finds what is true"
            raise RecordRefused(msg, Distrust.CROWDED)
        self._claims.add(claimed.id)
        self._strangers += 1

    def _is_unread(self, claimed: TransferId) -> bool:
        known = self._book.transfers.get(claimed)
        return known is not None and not known.verified

    def delivers(self, deposit: Deposit) -> bool:
        """Whether this lane is the one that delivers a deposit."""
        lane = lane_of(deposit.id, self._lanes)
        return owner_of(deposit) == self._chain and lane == self._number

    def refunds(self, deposit: Deposit) -> bool:
        """Whether this lane gives the deposit back once its destination's lane has voided it."""
        lane = lane_of(deposit.id, self._lanes)
        here = deposit.source == self._chain and lane == self._number
        return here and deposit.destination is not None

    def _commanded(self, signed: Signed) -> list[Fact]:
        """What an operator's command means; RecordRefused by name if it means nothing here."""
        now = self._clock.now()
        command = self._command(signed, now)
        self._book.take(command, now)
        self._observer.commanded(command)
        return [fact_of(command, signed, now)]

    def _command(self, signed: Signed, now: float) -> Command:
        command = ordered(signed, self._gatekeeper.gate.policy.operators, now)
        transfer = self._book.transfers.get(command.transfer)
        refusal = objection(command, transfer, self._chain)
        why = Distrust.NOT_APPLICABLE
        if self._book.took(command):
            refusal, why = "it was taken before: a replay", Distrust.REPLAYED
        if refusal is not None:
            msg = f"{command.verb} of {command.transfer.hex()}: {refusal}"
            raise RecordRefused(msg, why)
        return command

    def _attested(self, attestation: Attestation) -> list[Fact]:
        """A signature that counts for the current draft; RecordRefused for any other."""
        transfer = self._book.transfers.get(attestation.id)
        draft = transfer.draft if transfer else None
        if transfer is None or draft is None or transfer.stage is not Stage.SIGNING:
            msg = "nobody waits for this signature"
            raise RecordRefused(msg, Distrust.LATE)
        if attestation.digest != draft.digest:
            msg = "it signs another draft"
            raise RecordRefused(msg, Distrust.OTHER_DRAFT)
        try:
            payload = self._drafter.payload(draft.kind, transfer.deposit, draft.terms)
        except DraftRefused:
            return []  # drafted under other settings: the wait for its quorum ends, a new one comes
        if not self._drafter.verifies(payload, attestation):
            msg = f"{attestation.attester.hex()[:80]} did not make it"
            raise RecordRefused(msg, Distrust.FORGED_SIGNATURE)
        needed = self._drafter.quorum
        return [Attested(attestation=attestation, needed=needed, at=self._clock.now())]
