"""A chain in memory behind the ports: final facts, receipts enforced, faults on demand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from relayer.domain.address import Account, ChainId
from relayer.domain.draft import (
    PENDING,
    Act,
    Attestation,
    Draft,
    Landing,
    LandingKind,
    Landings,
    Submission,
    Unwanted,
    payload_digest,
)
from relayer.domain.errors import DraftRefused, Refused, Unavailable
from relayer.domain.supply import Counters, Interval, SupplySnapshot
from relayer.domain.transfer import (
    FAR_AHEAD,
    ActKind,
    ChainFact,
    Deposit,
    Location,
    Mode,
    Receipt,
    TransferId,
)
from relayer.domain.wire import Terms
from relayer.ports.chain import Head
from relayer.signing.local import Ed25519Signer
from tests.services.fake_chain import FakeChain, content


class RealClock:
    """The wall clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait, but never long: the chain in memory is quick."""
        await asyncio.sleep(min(seconds, 0.05))


class FakeReader:
    """ChainReader over a FakeChain."""

    first_height = 1

    def __init__(self, world: FakeChain) -> None:
        """Read that chain."""
        self._world = world
        self.asked: list[tuple[int, int]] = []
        self.calls: Counter[str] = Counter()

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._world.chain

    async def final_head(self) -> Head:
        """Every block is final."""
        await self._call("final_head")
        return Head(height=self._world.height, time=int(self._world.now()))

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """The facts of a range."""
        await self._call("history")
        self.asked.append((first, last))
        if last > self._world.height:
            raise Unavailable("not final yet")
        return self._world.facts[first - 1 : last]

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The deposits of a transaction."""
        del height
        await self._call("deposit_at")
        facts = self._world.facts
        return [f for f in facts if isinstance(f, Deposit) and f.location == location]

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The receipts of ids."""
        await self._call("receipts")
        return {i: self._world.done[i] for i in ids if i in self._world.done}

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids that were given back here."""
        await self._call("refunded")
        return frozenset(ids) & self._world.refunded

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """Supply at the head; counters come from the history."""
        del height
        await self._call("snapshots")
        return [
            SupplySnapshot(
                chain=self.chain,
                asset="TSLAx",
                mode=Mode.BURN_MINT,
                height=self._world.height,
                time=int(self._world.now()),
                supply=Interval.exactly(self._world.supply),
                held=0,  # type: ignore[arg-type]  # nothing is held
                inventory=0,  # type: ignore[arg-type]  # the same
                counters=Counters() if not self._world.facts else None,
                multiplier=self._world.multiplier,
                paused=self._world.paused,
            )
        ]

    async def wakeups(self) -> AsyncIterator[None]:
        """Poll quickly."""
        while True:
            yield None
            await asyncio.sleep(self._world.poll)

    async def close(self) -> None:
        """Nothing is open."""

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(0)
        self._world.fault(name)


class HonestReader(FakeReader):
    """Denies no deposit of a block that is not final yet, as real chains' readers do not."""

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The deposit, or its absence where that is proven."""
        found = await super().deposit_at(location, height)
        if not found and self._world.height < height <= self._world.height + FAR_AHEAD:
            raise Unavailable(f"block {height} is not final yet")
        return found


class FakeDrafter:
    """ChainDrafter whose payload is the deposit's id and the terms."""

    def __init__(self, world: FakeChain, attesters: Sequence[Ed25519Signer], quorum: int) -> None:
        """Draft for that chain."""
        self._world = world
        self._attesters = [signer.public for signer in attesters]
        self._quorum = quorum

    @property
    def chain(self) -> ChainId:
        """The chain drafted for."""
        return self._world.chain

    @property
    def attesters(self) -> Sequence[bytes]:
        """All keys."""
        return self._attesters

    @property
    def quorum(self) -> int:
        """How many of them."""
        return self._quorum

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """A draft that names its end and the epoch."""
        del attesters, attempt
        self._world.fault("draft")
        terms = {"deadline": str(dies_at), "epoch": str(self._world.epoch)}
        digest = payload_digest(self.payload(kind, deposit, terms))
        return Draft(
            kind=kind, id=deposit.id, chain=self.chain, terms=terms, digest=digest, dies_at=dies_at
        )

    def payload(self, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
        """Everything that is bound; DraftRefused for a deposit the act has no place for here."""
        place = deposit.source if kind is ActKind.REFUND else deposit.destination
        if place != self.chain:
            raise DraftRefused(f"no {kind} on {self.chain}")
        return f"{kind} {terms['deadline']} {terms['epoch']} ".encode() + content(deposit)

    async def check_terms(
        self, kind: ActKind, deposit: Deposit, terms: Terms, *, latest: int
    ) -> None:
        """The deadline must not be later than the lease, the epoch the current one."""
        del kind, deposit
        self._world.fault("check_terms")
        if int(terms["deadline"]) > latest:
            raise DraftRefused("the deadline outlives the lease")
        if terms["epoch"] != str(self._world.epoch):
            raise DraftRefused("another epoch")

    async def ended(self, drafts: Sequence[Draft]) -> frozenset[bytes]:
        """Those of former epochs."""
        self._world.fault("ended")
        current = str(self._world.epoch)
        return frozenset(one.digest for one in drafts if one.terms["epoch"] != current)

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:
        """From everybody."""
        del terms
        return attester in self._attesters

    def verifies(self, payload: bytes, attestation: Attestation) -> bool:
        """By Ed25519."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if attestation.attester not in self._attesters:
            return False
        try:
            key = Ed25519PublicKey.from_public_bytes(attestation.attester)
            key.verify(attestation.signature, payload)
        except InvalidSignature:
            return False
        return True

    def content(self, deposit: Deposit) -> bytes | None:
        """What a receipt holds."""
        return content(deposit)


class FakeWriter:
    """ChainWriter that executes at broadcast; a receipt stops the second time."""

    batch = 4
    ordered = True
    payer = Account(b"\x09" * 32)

    def __init__(self, world: FakeChain, drafter: FakeDrafter) -> None:
        """Write to that chain."""
        self._world = world
        self._drafter = drafter
        self._waiting: dict[str, tuple[Act, ...]] = {}

    @property
    def chain(self) -> ChainId:
        """The chain written."""
        return self._world.chain

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """Check the quorum of each act as a gateway would, and name the transaction."""
        await asyncio.sleep(0)
        self._world.fault("seal")
        for act in acts:
            self._check(act)
        if stale := self._stale(acts):
            raise Unwanted("BadSignatures", dict.fromkeys(stale, "BadSignatures"))
        body = b"".join(act.draft.digest for act in acts)
        self._world.sealed += 1  # two transactions never have one name
        tx = payload_digest(body + f"{nonce} {self._world.sealed}".encode()).hex()
        assert len({act.draft.kind for act in acts}) == 1, "a batch carries acts of one kind"
        epochs = ",".join(act.draft.terms["epoch"] for act in acts)
        head = f"{acts[0].draft.kind} {epochs}".encode()
        raw = b"|".join([head, *(_pack(act) for act in acts)])
        return Submission(
            tx=tx,
            chain=self.chain,
            ids=tuple(act.deposit.id for act in acts),
            raw=raw,
            nonce=nonce or 0,
            made_at=self._world.now(),
        )

    async def broadcast(self, submission: Submission) -> None:
        """Execute what the bytes say, once."""
        await asyncio.sleep(0)
        self._world.fault("broadcast")
        if submission.tx in self._world.landed:
            return
        if self._world.drop_next:
            self._world.drop_next -= 1
            self._world.landed[submission.tx] = Landing(kind=LandingKind.DEAD, skipped={})
            return
        if self._world.refuse_next:
            self._world.refuse_next -= 1
            self._world.landed[submission.tx] = Landing(kind=LandingKind.FAILED, skipped={})
            return
        self.execute(submission)
        self._world.fault("broadcast.after")

    def execute(self, submission: Submission) -> None:
        """Do what the bytes say, by the rules of the chain."""
        head, *parts = submission.raw.split(b"|")
        kind, _, epochs = head.decode().partition(" ")
        skipped: dict[TransferId, str] = {}
        for epoch, made in zip(epochs.split(","), map(_unpack, parts), strict=True):
            if epoch != str(self._world.epoch):
                skipped[made.id] = "BadSignatures"
            elif not self._world.act(ActKind(kind), made, submission.tx):
                skipped[made.id] = "refused"
        landed = Landing(kind=LandingKind.LANDED, skipped=skipped, height=1)
        self._world.landed[submission.tx] = landed

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """What became of them."""
        await asyncio.sleep(0)
        self._world.fault("landings")
        return Landings(of={one.tx: self._world.landed.get(one.tx, PENDING) for one in submissions})

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """Nothing in memory is ever outbid."""
        del nonce, rivals, empty
        raise Refused("the chain in memory has no prices")

    async def balance(self) -> float:
        """Always rich."""
        return 1.0

    async def close(self) -> None:
        """Nothing is open."""

    def _stale(self, acts: Sequence[Act]) -> list[TransferId]:
        current = str(self._world.epoch)
        return [act.deposit.id for act in acts if act.draft.terms["epoch"] != current]

    def _check(self, act: Act) -> None:
        payload = self._drafter.payload(act.draft.kind, act.deposit, act.draft.terms)
        good = {a.attester for a in act.attestations if self._drafter.verifies(payload, a)}
        if len(good) < self._drafter.quorum:
            raise Unwanted("no quorum")


def _pack(act: Act) -> bytes:
    from relayer.domain.records import INBOX

    return INBOX.encode(act.deposit)


def _unpack(part: bytes) -> Deposit:
    from relayer.domain.records import INBOX

    found = INBOX.decode(part)
    assert isinstance(found, Deposit)
    return found
