"""Follow signing requests; check, journal, sign, answer.

Nothing a request says is believed: the deposit is read again on this attester's own endpoints, the
payload is rebuilt from what was read, the terms are checked on its own node, and the gate (leases
and halts) is its own fold.
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
from relayer.domain.draft import Attestation, SigningRequest, payload_digest
from relayer.domain.errors import DraftRefused, RecordRefused, Rejected, RelayerError, Transient
from relayer.domain.limits import route_of
from relayer.domain.records import INBOX, REQUESTS, SIGNING_REQUESTS, inbox
from relayer.domain.transfer import ActKind, Deposit, lane_of
from relayer.ports.bus import Bus, Out, Record
from relayer.ports.chain import ChainDrafter, ChainReader
from relayer.ports.clock import Clock
from relayer.ports.signer import Signer
from relayer.services.attester.journal import Binding, Journal
from relayer.services.gatekeeper import Gatekeeper

RECENT: Final = timedelta(minutes=5)
AT_ONCE: Final = 64
"""Requests checked at the same time."""

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

    def declined(self, request: SigningRequest, error: RelayerError) -> None:
        """A request was not signed."""

    def refused(self, record: Record, why: str) -> None:
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
    ) -> None:
        """Keep the parts; ``run`` does the work."""
        self._bus = bus
        self._readers = readers
        self._posts = posts
        self._journal = journal
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._observer = observer
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Answer signing requests until cancelled."""
        await self._gatekeeper.ready()
        async with (
            asyncio.TaskGroup() as group,
            aclosing(self._bus.follow(SIGNING_REQUESTS, RECENT)) as follower,
        ):
            async for record in follower:
                request = self._decoded(record)
                if request is not None and self._wanted(request):
                    await self._room.acquire()
                    group.create_task(self._answer(request))

    def _decoded(self, record: Record) -> SigningRequest | None:
        try:
            return REQUESTS.decode(record.value or b"")
        except RecordRefused as error:
            self._observer.refused(record, str(error))
            return None

    def _wanted(self, request: SigningRequest) -> bool:
        post = self._posts.get(request.draft.chain)
        if post is None or request.draft.dies_at <= self._clock.now():
            return False
        return post.drafter.wanted_from(post.signer.public, request.draft.terms)

    async def _answer(self, request: SigningRequest) -> None:
        """Answer, or decline; what may pass is tried again while the lane still waits."""
        try:
            for attempt in range(ATTEMPTS):
                if await self._answered(request):
                    return
                await self._clock.sleep(wait_before(attempt) / 2)
        except Rejected as error:
            self._observer.declined(request, error)
        finally:
            self._room.release()

    async def _answered(self, request: SigningRequest) -> bool:
        try:
            await self._bus.publish([await self.attest(request)])
        except Transient as error:
            self._observer.declined(request, error)
            return False
        self._observer.attested(request)
        return True

    async def attest(self, request: SigningRequest) -> Out:
        """The answer to a request; DraftRefused or Transient if it must not be given (now)."""
        draft, post = request.draft, self._posts[request.draft.chain]
        deposit = await self._deposit(request)
        self._check_gate(deposit)
        latest = self._gatekeeper.gate.good_until(deposit.asset, self._clock.now())
        await post.drafter.check_terms(draft.kind, deposit, draft.terms, latest=latest)
        await self._check_receipt(deposit)
        payload = post.drafter.payload(draft.kind, deposit, draft.terms)
        if payload_digest(payload) != draft.digest:
            msg = "the draft's digest is not that of its rebuilt payload"
            raise DraftRefused(msg)
        refusal = self._journal.bind([binding_of(draft.kind, draft.chain, deposit)])[0]
        if refusal is not None:
            raise refusal
        # The gate again: it may have closed while the chains were read.
        self._check_gate(deposit)
        return self._out(post, draft.chain, deposit, payload, await post.signer.sign(payload))

    async def _deposit(self, request: SigningRequest) -> Deposit:
        claimed = request.deposit
        reader = self._readers.get(claimed.source)
        if reader is None or request.draft.id != claimed.id:
            msg = "the request names no source of mine, or two ids"
            raise DraftRefused(msg)
        if request.draft.kind is not ActKind.DELIVER or request.draft.chain != claimed.destination:
            msg = "only deliveries on the deposit's own destination are signed here"
            raise DraftRefused(msg)
        for found in await reader.deposit_at(claimed.location, claimed.height):
            if found.id == claimed.id and found.flaw is None:
                return self._same_destination(found, request)
        msg = f"{claimed.source} has no such deposit at {claimed.location.tx}"
        raise DraftRefused(msg)

    def _same_destination(self, found: Deposit, request: SigningRequest) -> Deposit:
        if found.destination != request.draft.chain:
            msg = "the deposit goes to another chain than the draft"
            raise DraftRefused(msg)
        return found

    def _check_gate(self, deposit: Deposit) -> None:
        route = route_of(deposit)
        refusal = self._gatekeeper.gate.refusal(route, self._clock.now()) if route else None
        if route is None or refusal is not None:
            msg = f"{refusal[0]}: {refusal[1]}" if refusal else "the deposit has no route"
            raise DraftRefused(msg)

    async def _check_receipt(self, deposit: Deposit) -> None:
        assert deposit.destination is not None  # noqa: S101 - _same_destination has checked it
        receipts = await self._readers[deposit.destination].receipts([deposit.id])
        if deposit.id in receipts:
            msg = f"{deposit.id.hex()} is {receipts[deposit.id].kind} already"
            raise DraftRefused(msg)

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
