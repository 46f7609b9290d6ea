"""An attester's key in the wrong hands: it signs and publishes whatever might be believed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from relayer.domain.address import Family, family_of
from relayer.domain.amount import Shares
from relayer.domain.draft import Attestation, SigningRequest, payload_digest
from relayer.domain.errors import RecordRefused
from relayer.domain.records import INBOX, REQUESTS, SIGNING_REQUESTS, InboxRecord, inbox
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Out, Record
from relayer.ports.signer import Signer
from tests.e2e.crowd import Crowd


@dataclass(slots=True)
class Turncoat:
    """Answers each honest request with forgeries, and asks the others to sign them too."""

    crowd: Crowd
    name: str
    """The attester whose keys it holds."""
    lies: int = 0
    _forged: set[bytes] = field(default_factory=set)

    async def run(self) -> None:
        """Lie until cancelled."""
        async with aclosing(self.crowd.bus.follow(SIGNING_REQUESTS, timedelta(0))) as follower:
            async for record in follower:
                request = self._honest(record)
                if request is not None:
                    await self.crowd.bus.publish(await self._lies_about(request))
                    self.lies += 1

    def _honest(self, record: Record) -> SigningRequest | None:
        with contextlib.suppress(RecordRefused):
            request = REQUESTS.decode(record.value or b"")
            return None if request.draft.digest in self._forged else request
        return None

    async def _lies_about(self, request: SigningRequest) -> list[Out]:
        """Signatures over nothing, over twice the shares, and two requests for deposits nobody made."""
        honest, deposit = request.draft, request.deposit
        drafter = self.crowd.scene.kits[honest.chain].drafter(None)
        richer = replace(deposit, shares=Shares(2 * deposit.shares))
        payload = drafter.payload(honest.kind, richer, honest.terms)
        digest, signature = payload_digest(payload), await self._key(request).sign(payload)
        self._forged.add(digest)
        other = TransferId(bytes(reversed(deposit.id)))
        unmade = replace(richer, id=other)
        unseen = payload_digest(drafter.payload(honest.kind, unmade, honest.terms))
        self._forged.add(unseen)
        asked = [
            replace(request, deposit=richer, draft=replace(honest, digest=digest)),
            replace(request, deposit=unmade, draft=replace(honest, id=other, digest=unseen)),
        ]
        told: list[InboxRecord] = [
            self._attestation(request, honest.digest, bytes(len(signature))),
            self._attestation(request, honest.digest, signature),
            self._attestation(request, digest, signature),
            richer,
            unmade,
        ]
        return [
            *(self._out(SIGNING_REQUESTS, REQUESTS.encode(one)) for one in asked),
            *(self._out(inbox(honest.chain), INBOX.encode(one)) for one in told),
        ]

    def _attestation(self, request: SigningRequest, digest: bytes, signature: bytes) -> Attestation:
        return Attestation(
            id=request.draft.id,
            digest=digest,
            attester=self._key(request).public,
            signature=signature,
        )

    def _key(self, request: SigningRequest) -> Signer:
        ring = self.crowd.scene.world.bridge.nodes.ring
        if family_of(request.draft.chain) is Family.SOLANA:
            return ring.ed25519(f"attester {self.name} solana")
        return ring.evm(f"attester {self.name} evm")

    def _out(self, topic: str, value: bytes) -> Out:
        return Out(topic=topic, partition=0, key="", value=value)


@asynccontextmanager
async def turned(crowd: Crowd, name: str) -> AsyncIterator[Turncoat]:
    """Let an attester's key lie for a while, in place of its process."""
    await crowd.fleet[f"attester-{name}"].kill()
    made = Turncoat(crowd, name)
    lying = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        lying.cancel()
        await asyncio.wait([lying])
