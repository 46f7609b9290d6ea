"""The I/O of a lane up to a signed transaction: read again, draft, seal.

Every effect ends in facts or in an Outcome, never in an exception that stops the lane; what can be
tried again comes back as Held with a Reason and a time. Only an error nobody foresaw gets out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.amount import format_shares
from relayer.domain.backoff import MOST, wait_before
from relayer.domain.draft import RETURN_SECONDS, Act, Submission, Unwanted
from relayer.domain.errors import (
    Disagreement,
    FeeCapped,
    PayerEmpty,
    Rejected,
    RelayerError,
    Transient,
)
from relayer.domain.facts import (
    DepositDenied,
    DepositVerified,
    Drafted,
    Fact,
    Held,
    Parked,
)
from relayer.domain.reasons import Reason
from relayer.domain.refusals import FOR_GOOD, reason_of
from relayer.domain.stage import Transfer
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    Receipt,
    ReceiptKind,
    Refund,
    TransferId,
    Void,
    owner_of,
)
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter
from relayer.ports.clock import Clock
from relayer.services.relayer.attendance import Attendance

MOST_PATIENCE: Final = 4
"""How many times as long as at first a lane waits for a quorum at most."""

DOUBT: Final = 0.1
"""Part of its age that a deposit waits longer each time which is claimed and cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things may take, in seconds."""

    quorum: float = 5.0
    draft_life: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOutcome:
    """What came of sealing: a submission, or facts for the acts that must wait."""

    submission: Submission | None
    facts: tuple[Fact, ...] = ()


class Effects:
    """The lane's hands: readers of every source, and drafter and writer of its destination."""

    def __init__(
        self,
        *,
        readers: Mapping[ChainId, ChainReader],
        drafter: ChainDrafter,
        writer: ChainWriter,
        clock: Clock,
        pace: Pace,
    ) -> None:
        """Keep the ports; nothing is called yet."""
        self._readers = readers
        self._drafter = drafter
        self._writer = writer
        self._clock = clock
        self._pace = pace
        self._attendance = Attendance(drafter.wanted_from, drafter.quorum)

    @property
    def chain(self) -> ChainId:
        """The chain this lane writes to."""
        return self._drafter.chain

    @property
    def batch(self) -> int:
        """How many Transfers one transaction carries now."""
        return self._writer.batch

    async def verify(self, transfers: Sequence[Transfer]) -> list[Fact]:
        """Read deposits on their source chains, and what became of those that exist."""
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(self._read_again(transfer)) for transfer in transfers]
        facts = [read.result() for read in reads]
        found = [fact for fact in facts if isinstance(fact, Deposit)]
        return [fact for fact in facts if not isinstance(fact, Deposit)] + await self._marks(found)

    async def _read_again(self, transfer: Transfer) -> Deposit | DepositDenied | Held:
        deposit = transfer.deposit
        reader = self._readers.get(deposit.source)
        if reader is None:
            return DepositDenied(id=deposit.id, at=self._clock.now())
        try:
            found = await reader.deposit_at(deposit.location, deposit.height)
        except Transient as error:
            hold = self._hold(deposit, _reading(error, Reason.SOURCE_UNREADABLE), error, 0)
            return replace(hold, until=hold.until + self._doubt(transfer))
        for candidate in found:
            if candidate.id == deposit.id and self._is_ours(transfer.act, candidate):
                return candidate
        return DepositDenied(id=deposit.id, at=self._clock.now())

    def _doubt(self, transfer: Transfer) -> float:
        """Seconds more to wait for a deposit that is only claimed, the longer it stays unread.

        A claim costs a forger nothing, but each look at its chain costs this process a call.
        """
        age = self._clock.now() - transfer.seen_at
        return 0.0 if transfer.verified else min(MOST, max(0.0, age) * DOUBT)

    def _is_ours(self, act: ActKind, deposit: Deposit) -> bool:
        """Whether the deposit, as the chain has it, belongs to this lane's chain."""
        owner = deposit.source if act is ActKind.REFUND else owner_of(deposit)
        return owner == self._drafter.chain

    async def _marks(self, deposits: Sequence[Deposit]) -> list[Fact]:
        """The deposits with their receipts, grouped by the chain that holds these."""
        facts: list[Fact] = []
        for chain in dict.fromkeys(deposit.destination for deposit in deposits):
            some = [deposit for deposit in deposits if deposit.destination == chain]
            facts += await self._marked(chain, some)
        return facts

    async def _marked(self, chain: ChainId | None, deposits: Sequence[Deposit]) -> list[Fact]:
        try:
            receipts = await self._receipts(chain, deposits)
            refunded = await self._refunded(deposits)
        except Transient as error:
            reason = _reading(error, Reason.DESTINATION_UNREADABLE)
            return [self._hold(deposit, reason, error, 0) for deposit in deposits]
        return [
            self._verified(deposit, receipts.get(deposit.id), refunded=deposit.id in refunded)
            for deposit in deposits
        ]

    async def _receipts(
        self, chain: ChainId | None, deposits: Sequence[Deposit]
    ) -> Mapping[TransferId, Receipt]:
        if chain is None:
            return {}
        return await self._readers[chain].receipts([deposit.id for deposit in deposits])

    async def _refunded(self, deposits: Sequence[Deposit]) -> frozenset[TransferId]:
        """Those that are given back, where this lane does that or no void would tell of it."""
        found: frozenset[TransferId] = frozenset()
        asked = [one for one in deposits if one.source == self.chain or not one.counted]
        for source in dict.fromkeys(one.source for one in asked):
            ids = [one.id for one in asked if one.source == source]
            found |= await self._readers[source].refunded(ids)
        return found

    def _verified(self, deposit: Deposit, receipt: Receipt | None, *, refunded: bool) -> Fact:
        now = self._clock.now()
        here = deposit.destination == self.chain
        delivered = receipt is not None and receipt.kind is ReceiptKind.DELIVERED
        if here and delivered and receipt is not None and receipt.digest:
            expected = self._content(deposit)
            if expected is not None and receipt.digest != expected:
                detail = f"the receipt holds {receipt.digest.hex()}, not this deposit's content"
                return Parked(id=deposit.id, reason=Reason.DELIVERY_REFUSED, at=now, detail=detail)
        return DepositVerified(deposit=deposit, receipt=receipt, refunded=refunded, at=now)

    def _content(self, deposit: Deposit) -> bytes | None:
        """What the receipt should hold; nothing that fits, for an asset that is not served here."""
        try:
            return self._drafter.content(deposit)
        except Rejected:
            return b""

    async def believe(
        self, told: Sequence[Delivery | Void | Refund]
    ) -> Collection[TransferId] | None:
        """The ids among listener records that are so on the chain; None where it cannot be read."""
        reader = self._readers[self.chain]
        marked = [fact for fact in told if not isinstance(fact, Refund)]
        returned = [fact.id for fact in told if isinstance(fact, Refund)]
        try:
            receipts = await reader.receipts([fact.id for fact in marked]) if marked else {}
            refunded = await reader.refunded(returned) if returned else frozenset()
        except Transient:
            return None
        return refunded | {
            fact.id
            for fact in marked
            if (receipt := receipts.get(fact.id)) is not None
            and (receipt.kind is ReceiptKind.VOIDED) is isinstance(fact, Void)
        }

    async def draft(
        self, transfers: Sequence[Transfer], lease_ends: Mapping[str, int]
    ) -> list[Fact]:
        """Draft acts; deliveries die with the lease of their asset at the latest."""
        async with asyncio.TaskGroup() as group:
            drafts = [
                group.create_task(self._draft(transfer, lease_ends)) for transfer in transfers
            ]
        return [draft.result() for draft in drafts]

    async def _draft(self, transfer: Transfer, lease_ends: Mapping[str, int]) -> Fact:
        deposit, now = transfer.deposit, self._clock.now()
        dies_at = int(now + min(self._pace.draft_life, RETURN_SECONDS / 2))
        if transfer.act is ActKind.DELIVER:
            dies_at = min(lease_ends.get(deposit.asset, 0), int(now + self._pace.draft_life))
        if dies_at <= now + 1:
            detail = "the lease ends too soon to sign under it"
            return Held(id=deposit.id, reason=Reason.NO_LEASE, until=now + 1, at=now, detail=detail)
        attesters = self._drafter.attesters
        self._attendance.learn(transfer, attesters, now)
        try:
            draft = await self._drafter.draft(
                transfer.act,
                deposit,
                dies_at=dies_at,
                attesters=self._attendance.order(attesters, transfer.attempts, now),
                attempt=transfer.attempts,
            )
        except Transient as error:
            return self._hold(deposit, Reason.DESTINATION_UNREADABLE, error, transfer.attempts)
        except Rejected as error:
            return Parked(
                id=deposit.id,
                reason=Reason.RECIPIENT_REFUSED,
                at=now,
                detail=str(error),
                act=transfer.act,
            )
        now = self._clock.now()
        until = min(now + self._patience(transfer), float(dies_at))
        return Drafted(id=deposit.id, draft=draft, until=until, at=now)

    def _patience(self, transfer: Transfer) -> float:
        """Seconds to wait for a quorum, longer after each one that did not come.

        Attesters that cannot keep up would else sign only what nobody waits for any more.
        """
        return self._pace.quorum * min(1 + transfer.attempts, MOST_PATIENCE)

    async def seal(self, transfers: Sequence[Transfer], nonce: int | None) -> SealOutcome:
        """Sign a transaction for Transfers that have their quorum; nothing is sent."""
        acts = [
            Act(deposit=t.deposit, draft=t.draft, attestations=t.attestations)
            for t in transfers
            if t.draft is not None
        ]
        try:
            return SealOutcome(submission=await self._writer.seal(acts, nonce=nonce))
        except PayerEmpty as error:
            return self._unsealed(transfers, Reason.PAYER_EMPTY, error)
        except FeeCapped as error:
            return self._unsealed(transfers, Reason.FEE_CAPPED, error)
        except Transient as error:
            return self._unsealed(transfers, Reason.DESTINATION_UNREADABLE, error)
        except Rejected as error:
            words = error.words if isinstance(error, Unwanted) else {}
            refused = [self._refused(t, words.get(t.deposit.id, str(error))) for t in transfers]
            return SealOutcome(submission=None, facts=tuple(refused))

    def _refused(self, transfer: Transfer, word: str) -> Held | Parked:
        """Wait for what ends by itself; park what the chain refuses for good."""
        now, reason, deposit = self._clock.now(), reason_of(word), transfer.deposit
        if reason is Reason.NO_INVENTORY:
            word = f"{word}: {format_shares(deposit.shares)} shares are needed"
        if reason in FOR_GOOD:
            return Parked(id=deposit.id, reason=reason, at=now, detail=word, act=transfer.act)
        wait = wait_before(transfer.attempts + 1)
        if reason is Reason.SUBMISSION_EXPIRED:  # nothing is wrong with the act: it came too late
            wait = min(wait, self._pace.quorum)
        return Held(id=deposit.id, reason=reason, until=now + wait, at=now, detail=word)

    def _unsealed(
        self, transfers: Sequence[Transfer], reason: Reason, error: RelayerError
    ) -> SealOutcome:
        facts = [self._hold(t.deposit, reason, error, t.attempts + 1) for t in transfers]
        return SealOutcome(submission=None, facts=tuple(facts))

    async def balance(self) -> float | None:
        """Whole native coins of the payer; None where nobody answers."""
        try:
            return await self._writer.balance()
        except Transient:
            return None

    def _hold(self, deposit: Deposit, reason: Reason, error: RelayerError, attempt: int) -> Held:
        now = self._clock.now()
        until = now + wait_before(attempt)
        return Held(id=deposit.id, reason=reason, until=until, at=now, detail=str(error))


def _reading(error: Transient, otherwise: Reason) -> Reason:
    return Reason.ENDPOINTS_DISAGREE if isinstance(error, Disagreement) else otherwise


def by_source(transfers: Sequence[Transfer]) -> list[list[Transfer]]:
    """Transfers grouped by source, so that a slow chain does not delay the others."""
    groups: dict[ChainId, list[Transfer]] = {}
    for transfer in transfers:
        groups.setdefault(transfer.deposit.source, []).append(transfer)
    return list(groups.values())
