"""Follow signing requests; check, journal, sign, answer.

Nothing a request says is believed: the deposit is read again on this attester's own endpoints, the
payload is rebuilt from what was read, the terms are checked on its own node, and the gate (leases
and halts) is its own fold. A void is signed under an operator's signed order alone, a refund when
the void is read as final; a deposit without a destination is refunded under an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from eth_hash.auto import keccak

from relayer.domain.address import ChainId, chain_key
from relayer.domain.backoff import wait_before
from relayer.domain.command import refund_ordered
from relayer.domain.distrust import Decline, Distrust
from relayer.domain.draft import RETURN_SECONDS, Attestation, SigningRequest, payload_digest
from relayer.domain.errors import DraftRefused, RecordRefused, Rejected, Transient
from relayer.domain.limits import route_of
from relayer.domain.records import INBOX, REQUESTS, SIGNING_REQUESTS, inbox
from relayer.domain.transfer import ActKind, Deposit, ReceiptKind, lane_of
from relayer.ports.bus import Bus, Out, Record
from relayer.ports.chain import ChainDrafter, ChainReader
from relayer.ports.clock import Clock
from relayer.ports.signer import Signer
from relayer.services.attester.binder import Binder
from relayer.services.attester.desk import Desk
from relayer.services.attester.journal import Binding, Journal
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.vouching import Voucher

RECENT: Final = timedelta(minutes=5)
ATTEMPTS: Final = 3
"""How often a request is looked at where a chain cannot be read; the lane then drafts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What an attester needs for one destination."""

    drafter: ChainDrafter
    signer: Signer
    lanes: int


class AttesterObserver(Protocol):
    """What an attester tells whoever measures and logs it."""

    def attested(self, request: SigningRequest) -> None:
        """A signature was published."""

    def declined(self, request: SigningRequest, why: Decline, words: str) -> None:
        """A request was not signed."""

    def refused(self, record: Record, error: RecordRefused) -> None:
        """A record did not decode."""


class Attester:
    """One attester: one key per destination, one journal."""

    def __init__(
        self,
        *,
        bus: Bus,
        readers: Mapping[ChainId, ChainReader],
        posts: Mapping[ChainId, Post],
        journal: Journal,
        gatekeeper: Gatekeeper,
        clock: Clock,
        observer: AttesterObserver,
        voucher: Voucher,
        quarantine: float,
    ) -> None:
        """Keep the parts; ``run`` does the work."""
        self._bus = bus
        self._readers = readers
        self._posts = posts
        self._binder = Binder(journal)
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._observer = observer
        self._voucher = voucher
        self._sure_from = journal.born + quarantine

    async def run(self) -> None:
        """Answer signing requests until cancelled."""
        await self._gatekeeper.ready()
        async with (
            asyncio.TaskGroup() as group,
            aclosing(self._bus.follow(SIGNING_REQUESTS, RECENT)) as follower,
        ):
            desk = Desk(self._answer, group)
            async for record in follower:
                self._take(record, desk)

    def _take(self, record: Record, desk: Desk) -> None:
        """Queue a request, or say why not: what costs least is looked at first."""
        vouched = self._voucher.knows(record)
        if desk.crowded and not vouched:
            words = "requests that nobody vouches for fill their places"
            self._observer.refused(record, RecordRefused(words, Distrust.CROWDED))
            return
        try:
            request = REQUESTS.decode(record.value or b"")
        except RecordRefused as error:
            self._observer.refused(record, error)
            return
        why = self._unwanted(request)
        if why is None and self._asks_me(request):
            why = desk.admit(request, vouched=vouched)
        if why is not None:
            self._observer.declined(request, why, "")

    def _unwanted(self, request: SigningRequest) -> Decline | None:
        """Why nobody has to look at a request, by what it says itself."""
        known = request.draft.chain in self._posts and request.deposit.source in self._readers
        if not known or request.draft.id != request.deposit.id:
            return Decline.NOT_SERVED
        return Decline.EXPIRED if request.draft.dies_at <= self._clock.now() else None

    def _asks_me(self, request: SigningRequest) -> bool:
        post = self._posts[request.draft.chain]
        return post.drafter.wanted_from(post.signer.public, request.draft.terms)

    async def _answer(self, request: SigningRequest) -> None:
        """Answer, or decline; what may pass is tried again while the lane still waits."""
        if (late := self._unwanted(request)) is not None:
            self._observer.declined(request, late, "it waited too long for its turn")
            return
        try:
            for attempt in range(ATTEMPTS):
                if await self._answered(request):
                    return
                await self._clock.sleep(wait_before(attempt) / 2)
        except Rejected as error:
            why = error.why if isinstance(error, DraftRefused) else Decline.TERMS
            self._observer.declined(request, why, str(error))

    async def _answered(self, request: SigningRequest) -> bool:
        try:
            await self._bus.publish([await self.attest(request)])
        except Transient as error:
            self._observer.declined(request, Decline.CHAIN_UNREADABLE, str(error))
            return False
        self._observer.attested(request)
        return True

    async def attest(self, request: SigningRequest) -> Out:
        """The answer to a request; DraftRefused or Transient if it must not be given (now)."""
        draft, post = request.draft, self._posts[request.draft.chain]
        self._check_age()
        deposit = await self._deposit(request)
        self._check_right(request, deposit)
        latest = self._latest(draft.kind, deposit)
        await post.drafter.check_terms(draft.kind, deposit, draft.terms, latest=latest)
        voided = await self._check_receipt(draft.kind, deposit)
        payload = post.drafter.payload(draft.kind, deposit, draft.terms)
        if payload_digest(payload) != draft.digest:
            msg = "the draft's digest is not that of its rebuilt payload"
            raise DraftRefused(msg, Decline.OTHER_DRAFT)
        binding = binding_of(draft.kind, draft.chain, deposit)
        await self._binder.bind(binding, voided=voided)
        # The gate again: it may have closed while the chains were read.
        self._check_right(request, deposit)
        return self._out(post, draft.chain, deposit, payload, await post.signer.sign(payload))

    async def _deposit(self, request: SigningRequest) -> Deposit:
        claimed = request.deposit
        reader = self._readers.get(claimed.source)
        if reader is None or request.draft.id != claimed.id:
            msg = "the request names no source of mine, or two ids"
            raise DraftRefused(msg, Decline.NOT_SERVED)
        for found in await reader.deposit_at(claimed.location, claimed.height):
            if found.id == claimed.id:
                return self._fitting(found, request)
        msg = f"{claimed.source} has no such deposit at {claimed.location.tx}"
        raise DraftRefused(msg, Decline.NOT_ON_CHAIN)

    def _fitting(self, found: Deposit, request: SigningRequest) -> Deposit:
        """The deposit, if it is one that this act on this chain can be about."""
        kind = request.draft.kind
        if kind is ActKind.DELIVER and found.flaw is not None:
            msg = f"the deposit can not be delivered: {found.flaw}"
            raise DraftRefused(msg, Decline.OTHER_ACT)
        place = found.source if kind is ActKind.REFUND else found.destination
        if place != request.draft.chain:
            msg = f"a {kind} of the deposit has no place on {request.draft.chain}"
            raise DraftRefused(msg, Decline.OTHER_ACT)
        return found

    def _check_right(self, request: SigningRequest, deposit: Deposit) -> None:
        """What an act needs beyond the chains: the gate, or an operator's order.

        A refund after a void needs neither: the void was ordered, and is final for ever.
        """
        if request.draft.kind is ActKind.DELIVER:
            self._check_gate(deposit)
        elif request.draft.kind is ActKind.VOID or deposit.destination is None:
            self._check_order(request)

    def _check_gate(self, deposit: Deposit) -> None:
        route = route_of(deposit)
        refusal = self._gatekeeper.gate.refusal(route, self._clock.now()) if route else None
        if route is None or refusal is not None:
            msg = f"{refusal[0]}: {refusal[1]}" if refusal else "the deposit has no route"
            raise DraftRefused(msg, Decline.GATE_CLOSED)

    def _check_order(self, request: SigningRequest) -> None:
        operators = self._gatekeeper.gate.policy.operators
        try:
            refund_ordered(request.order, request.draft.id, operators, self._clock.now())
        except RecordRefused as error:
            raise DraftRefused(str(error), Decline.NO_ORDER) from error

    def _latest(self, kind: ActKind, deposit: Deposit) -> int:
        """Until when (seconds) the signature may be of use: with the lease, or for a while."""
        now = self._clock.now()
        if kind is ActKind.DELIVER:
            return self._gatekeeper.gate.good_until(deposit.asset, now)
        return int(now + RETURN_SECONDS)

    async def _check_receipt(self, kind: ActKind, deposit: Deposit) -> bool:
        """Whether the void of the deposit is final; DraftRefused where the receipts forbid the act."""
        receipt = await self._receipt(deposit)
        wanted = ReceiptKind.VOIDED if kind is ActKind.REFUND and deposit.destination else None
        if receipt is not wanted:
            standing = receipt or "open"
            msg = f"{deposit.id.hex()} is {standing} on its destination: no {kind}"
            raise DraftRefused(msg, Decline.RECEIPT)
        pays = kind is ActKind.REFUND or (kind is ActKind.DELIVER and not deposit.counted)
        if pays and await self._readers[deposit.source].refunded([deposit.id]):
            msg = f"{deposit.id.hex()} is refunded already"
            raise DraftRefused(msg, Decline.RECEIPT)
        if deposit.time < self._sure_from:
            await self._check_elsewhere(deposit)
        return receipt is ReceiptKind.VOIDED

    def _check_age(self) -> None:
        """DraftRefused while a signature may live that a lost journal knew of and this does not."""
        wait = self._sure_from - self._clock.now()
        if wait > 0:
            msg = f"the journal is new: nothing is signed for another {wait:.0f} s"
            raise DraftRefused(msg, Decline.YOUNG_JOURNAL)

    async def _check_elsewhere(self, deposit: Deposit) -> None:
        """DraftRefused if an older journal may have bound the id to another chain, where it landed."""
        for chain, reader in self._readers.items():
            if chain != deposit.destination and await reader.receipts([deposit.id]):
                msg = f"{deposit.id.hex()} has a receipt on {chain}, which is not its destination"
                raise DraftRefused(msg, Decline.RECEIPT)

    async def _receipt(self, deposit: Deposit) -> ReceiptKind | None:
        if deposit.destination is None:
            return None
        reader = self._readers.get(deposit.destination)
        if reader is None:
            msg = f"{deposit.destination} is no chain of mine"
            raise DraftRefused(msg, Decline.NOT_SERVED)
        receipt = (await reader.receipts([deposit.id])).get(deposit.id)
        return receipt.kind if receipt else None

    def _out(
        self, post: Post, chain: ChainId, deposit: Deposit, payload: bytes, signature: bytes
    ) -> Out:
        attestation = Attestation(
            id=deposit.id,
            digest=payload_digest(payload),
            attester=post.signer.public,
            signature=signature,
        )
        return Out(
            topic=inbox(chain),
            partition=lane_of(deposit.id, post.lanes),
            key=deposit.id.hex(),
            value=INBOX.encode(attestation),
        )


def binding_of(kind: ActKind, chain: ChainId, deposit: Deposit) -> Binding:
    """What a signature binds an id to, whatever the terms of a draft: see Journal."""
    parts = (
        deposit.id,
        chain_key(chain),
        deposit.recipient if kind is ActKind.DELIVER else deposit.refund_to,
        deposit.shares.to_bytes(32, "big"),
        deposit.asset.encode(),
    )
    return deposit.id, chain, kind.value, keccak(b"".join(parts))
