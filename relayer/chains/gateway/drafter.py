"""Drafts for a gateway: the same on every chain that runs one, but for how its state is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from relayer.chains.gateway import acts
from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.reads import GatewayNow
from relayer.chains.gateway.recovery import signer_of
from relayer.chains.gateway.terms import GatewayTerms, read_terms
from relayer.domain.address import ChainId, word_of
from relayer.domain.draft import Attestation, Draft, payload_digest
from relayer.domain.errors import DraftRefused, Unavailable
from relayer.domain.transfer import ActKind, Deposit, content_digest
from relayer.domain.wire import Terms


class GatewayState(Protocol):
    """The gateway's state at the newest block of one's own node."""

    async def now(self) -> GatewayNow:
        """Epoch and chain time; may be a second or two old. Unavailable if they can't be read."""


class Remembered:
    """GatewayState at the newest block, remembered for a moment: an epoch hardly ever changes."""

    def __init__(self, read: Callable[[], Awaitable[GatewayNow]], seconds: float) -> None:
        """Ask by ``read``, at most once in so many seconds."""
        self._read = read
        self._seconds = seconds
        self._now: GatewayNow | None = None
        self._read_at = 0.0
        self._one_read = asyncio.Lock()

    async def now(self) -> GatewayNow:
        """Epoch and chain time (seconds); raises what the read raises."""
        async with self._one_read:
            moment = time.monotonic()
            if self._now is None or moment - self._read_at >= self._seconds:
                self._now, self._read_at = await self._read(), moment
            return self._now


class GatewayDrafter:
    """ChainDrafter for a chain whose bridge is a gateway."""

    def __init__(self, place: GatewayPlace, state: GatewayState) -> None:
        """Draft for the gateway of ``place``, whose state is asked of ``state``."""
        self._place = place
        self._state = state

    @property
    def chain(self) -> ChainId:
        """The chain whose acts are drafted."""
        return self._place.chain

    @property
    def attesters(self) -> Sequence[bytes]:
        """The addresses (20 bytes) of the attesters."""
        return self._place.attesters

    @property
    def quorum(self) -> int:
        """How many attesters make a quorum."""
        return self._place.quorum

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],  # noqa: ARG002 - the gateway takes any quorum
        attempt: int = 0,  # noqa: ARG002 - the price is the transaction's, not the draft's
    ) -> Draft:
        """The draft of an act that runs until ``dies_at`` (seconds of chain time) at the latest.

        DraftRefused for a deposit that the act does not fit; Unavailable without the epoch.
        """
        now = await self._state.now()
        terms = GatewayTerms(deadline=dies_at, epoch=now.epoch).text()
        digest = payload_digest(self.payload(kind, deposit, terms))
        return Draft(
            kind=kind,
            id=deposit.id,
            chain=self.chain,
            terms=terms,
            digest=digest,
            dies_at=dies_at,
        )

    def payload(self, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
        """The EIP-712 preimage that an attester signs; DraftRefused outside the grammar."""
        return acts.payload(self._place, kind, deposit, terms)

    async def check_terms(
        self, kind: ActKind, deposit: Deposit, terms: Terms, *, latest: int
    ) -> None:
        """Refuse (DraftRefused) a deadline outside (chain time, latest] or a former epoch.

        Unavailable for a later epoch: this node lags, or somebody made it up.
        """
        read = read_terms(terms)
        acts.check_fit(self._place, kind, deposit)
        if read.deadline > latest:
            raise DraftRefused(f"deadline {read.deadline} is later than {latest}")
        now = await self._state.now()
        if read.deadline <= now.time:
            raise DraftRefused(f"deadline {read.deadline} has passed: chain time is {now.time}")
        if read.epoch > now.epoch:
            raise Unavailable(f"epoch {read.epoch} has not begun here yet: {now.epoch} is known")
        if read.epoch < now.epoch:
            raise DraftRefused(f"epoch {read.epoch} is not the current one, {now.epoch}")

    async def ended(self, drafts: Sequence[Draft]) -> frozenset[bytes]:
        """The digests of drafts of former epochs; Unavailable without the epoch."""
        now = await self._state.now()
        return frozenset(one.digest for one in drafts if _epoch(one.terms) < now.epoch)

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:  # noqa: ARG002 - any quorum
        """Whether the gateway knows this attester: its messages name no signers."""
        return attester in self._place.attesters

    def verifies(self, payload: bytes, attestation: Attestation) -> bool:
        """Whether a known attester made this signature over the payload."""
        known = attestation.attester in self._place.attesters
        return known and signer_of(payload, attestation.signature) == attestation.attester

    def content(self, deposit: Deposit) -> bytes | None:
        """The digest that the gateway stores for this deposit's delivery."""
        token, recipient = self._place.token(deposit.asset), word_of(deposit.recipient)
        return content_digest(deposit.id, deposit.source, token, recipient, deposit.shares)


def _epoch(terms: Terms) -> int:
    """The epoch of a draft's terms; before all others where they are none of a gateway."""
    try:
        return read_terms(terms).epoch
    except DraftRefused:
        return -1
