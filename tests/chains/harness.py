"""What the conformance suite needs of a chain, and what every harness does alike."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import base58

from relayer.chains.tron.codec import OUT_OF_TIME
from relayer.domain.address import (
    Account,
    ChainId,
    Family,
    account_from_evm,
    account_from_tron,
    family_of,
)
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import Act, Attestation, Draft, Landing, LandingKind, Submission, Unwanted
from relayer.domain.errors import Unavailable
from relayer.domain.transfer import (
    ActKind,
    ChainFact,
    Deposit,
    Location,
    TransferId,
    counted_id,
    located_id,
)
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter, Depositor
from relayer.ports.signer import Signer
from tests.chains.liars import Liar

PATIENCE = 60.0
"""Seconds until something that should happen on a local chain is given up."""


class Controls(Protocol):
    """What a test may do to the chain itself, as its issuer and operator."""

    async def set_multiplier(self, asset: str, multiplier: int) -> None:
        """Set an asset's multiplier (1e18 = 1) at once; it need not be final yet."""

    async def pause(self, asset: str, *, paused: bool) -> None:
        """Pause or restore an asset's token as its issuer; it need not be final yet."""


@dataclass(slots=True, kw_only=True)
class ChainHarness:
    """One chain with a bridge on it, and a peer that exists only in the tests' words.

    ``attesters`` are three keys of which two make a quorum. ``peer`` deposits are made up here;
    ``peer_gateway`` is its trusted gateway (None: the peer locates its deposits).
    """

    reader: ChainReader
    drafter: ChainDrafter
    writer: ChainWriter
    depositor: Depositor
    controls: Controls
    attesters: Sequence[Signer]
    peer: ChainId
    peer_gateway: Account | None
    burn_mint: str
    lock_release: str
    newest: Callable[[], Awaitable[int]]
    """The height of the newest block, final or not."""
    doom: Callable[[Submission], Awaitable[None]]
    """Make it impossible, by the chain's own rule, that a submission ever lands."""
    penniless: Callable[[], tuple[ChainDrafter, ChainWriter]]
    """Drafter and writer of a new payer that holds nothing."""
    fund: Callable[[Account], Awaitable[None]]
    """Give a payer enough coins for some acts; they can be spent when it returns."""
    provers: Sequence[Callable[[], Awaitable[None]]] = ()
    """The proofs of identity of the endpoints, where there are several ..."""
    liars: Sequence[Liar] = ()
    """... and what the first one of them answers through."""
    second_tries: int = 0
    """How often an act is made again that a busy real node had no time for. A devnet has time."""
    nonces: itertools.count[int] = field(default_factory=lambda: itertools.count(_fresh_nonce()))

    @property
    def chain(self) -> ChainId:
        """The chain under test."""
        return self.reader.chain

    def paid_by(self, drafter: ChainDrafter, writer: ChainWriter) -> ChainHarness:
        """The same chain with another payer."""
        return replace(self, drafter=drafter, writer=writer)

    def recipient(self) -> Account:
        """An account of this chain that nobody has used."""
        return fresh_account(self.chain)

    def peer_deposit(self, asset: str, shares: Shares, recipient: Account) -> Deposit:
        """A deposit as if it had been made on the peer, with a proper id."""
        tx, nonce = secrets.token_bytes(64), next(self.nonces)
        if self.peer_gateway is None:
            transfer, nonce, gateway = located_id(self.peer, tx, 1, -1), 0, Account(bytes(32))
        else:
            gateway = self.peer_gateway
            transfer = counted_id(self.peer, gateway, self.chain, nonce)
        return Deposit(
            id=transfer,
            source=self.peer,
            destination=self.chain,
            asset=asset,
            shares=shares,
            sender=fresh_account(self.peer),
            refund_to=fresh_account(self.peer),
            recipient=recipient,
            gateway=gateway,
            nonce=nonce,
            location=Location(tx=tx.hex(), index=1),
            height=1,
            time=int(time.time()),
        )

    async def draft(self, kind: ActKind, deposit: Deposit, *, seconds: int = 120) -> Draft:
        """A draft that dies ``seconds`` after the final head's time."""
        head = await self.reader.final_head()
        keys = [attester.public for attester in self.attesters]
        return await self.drafter.draft(kind, deposit, dies_at=head.time + seconds, attesters=keys)

    async def act(self, kind: ActKind, deposit: Deposit, *, draft: Draft | None = None) -> Act:
        """An act signed by those attesters that its draft wants, a quorum of them."""
        drafted = draft or await self.draft(kind, deposit)
        payload = self.drafter.payload(kind, deposit, drafted.terms)
        wanted = [
            signer
            for signer in self.attesters
            if self.drafter.wanted_from(signer.public, drafted.terms)
        ]
        attestations = [
            Attestation(
                id=deposit.id,
                digest=drafted.digest,
                attester=signer.public,
                signature=await signer.sign(payload),
            )
            for signer in wanted[: self.drafter.quorum]
        ]
        return Act(deposit=deposit, draft=drafted, attestations=tuple(attestations))

    async def deposit(
        self, asset: str, shares: Shares, *, recipient: Account | None = None
    ) -> Deposit:
        """A real deposit towards the peer, read back once it is final."""
        first = (await self.reader.final_head()).height + 1
        to = recipient or fresh_account(self.peer)
        await self.depositor.deposit(asset, shares, self.peer, to)
        facts = await self.facts_until(
            first, lambda fact: isinstance(fact, Deposit) and fact.recipient == to
        )
        return next(one for one in facts if isinstance(one, Deposit) and one.recipient == to)

    async def submit(self, *acts: Act) -> tuple[Submission, Landing]:
        """Seal, broadcast, and wait until it landed, failed or died.

        What a node had no time for is made again, as the relayer does; what it refused is not.
        """
        for _ in range(self.second_tries):
            with suppress(Unavailable):
                submission = await self.sent(acts)
                landing = await self.landed(submission)
                if not _wanted_time(landing):
                    return submission, landing
        submission = await self.sent(acts)
        return submission, await self.landed(submission)

    async def sent(self, acts: Sequence[Act]) -> Submission:
        """A submission that the chain took; one made with a liar's words is made again."""
        for _ in self.liars:
            submission = await self.writer.seal(acts, nonce=None)
            with suppress(Unavailable):
                await self.writer.broadcast(submission)
                return submission
        submission = await self.writer.seal(acts, nonce=None)
        await self.writer.broadcast(submission)
        return submission

    async def landed(self, submission: Submission) -> Landing:
        """Wait for the end of a submission."""
        deadline = time.monotonic() + PATIENCE
        landing = await self.landing(submission)
        while landing.kind is LandingKind.PENDING and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            landing = await self.landing(submission)
        return landing

    async def landing(self, submission: Submission) -> Landing:
        """What is known of a submission now."""
        return await landing_of(self.writer, submission)

    async def facts_until(self, first: int, found: Wanted) -> Sequence[ChainFact]:
        """Final facts from a height on, as soon as one of them is wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            head = await self.reader.final_head()
            if head.height >= first:
                facts = await self.reader.history(first, head.height)
                if any(found(fact) for fact in facts):
                    return facts
            await asyncio.sleep(0.2)
        raise AssertionError(f"nothing of the kind became final within {PATIENCE:.0f} s")

    async def fact(self, first: int, kind: type[ChainFact], transfer: TransferId) -> ChainFact:
        """The one final fact of a kind about a transfer, from a height on."""
        facts = await self.facts_until(
            first, lambda fact: isinstance(fact, kind) and fact.id == transfer
        )
        matching = [fact for fact in facts if isinstance(fact, kind) and fact.id == transfer]
        assert len(matching) == 1
        return matching[0]

    async def settle(self) -> None:
        """Wait until everything mined before this call is final."""
        wanted, deadline = await self.newest(), time.monotonic() + PATIENCE
        while (await self.reader.final_head()).height < wanted:
            assert time.monotonic() < deadline, f"height {wanted} did not become final"
            await asyncio.sleep(0.2)

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds."""
        return await self.depositor.shares_of(account, asset)

    async def refusal(self, act: Act) -> str:
        """The chain's word for not executing an act, before it is sent or after it has landed."""
        try:
            _, landing = await self.submit(act)
        except Unwanted as word:
            return str(word)
        assert not _wanted_time(landing), "no refusal: the node had no time for it"
        assert landing.kind is LandingKind.FAILED or act.deposit.id in landing.skipped
        return landing.skipped.get(act.deposit.id, landing.detail)


async def landing_of(writer: ChainWriter, submission: Submission) -> Landing:
    """What a writer says of one submission."""
    return (await writer.landings([submission])).of[submission.tx]


def _wanted_time(landing: Landing) -> bool:
    """Whether nothing was decided: the node gave the call up, or mined nothing in time."""
    return landing.kind is LandingKind.DEAD or landing.detail.startswith(OUT_OF_TIME)


class Wanted(Protocol):
    """Whether a fact is the one that is waited for."""

    def __call__(self, fact: ChainFact, /) -> bool:
        """Judge one fact."""


def fresh_account(chain: ChainId) -> Account:
    """A random account of a chain."""
    match family_of(chain):
        case Family.EVM:
            return account_from_evm(secrets.token_bytes(20))
        case Family.TRON:
            return account_from_tron(secrets.token_bytes(20))
        case Family.SOLANA:
            return Account(secrets.token_bytes(32))


def unknown_tx(chain: ChainId) -> str:
    """The name of a transaction that a chain does not know."""
    match family_of(chain):
        case Family.EVM:
            return "0x" + secrets.token_hex(32)
        case Family.TRON:
            return secrets.token_hex(32)
        case Family.SOLANA:
            return base58.b58encode(secrets.token_bytes(64)).decode()


def some_shares() -> Shares:
    """An amount that no other test uses, a multiple of 1e10, around one share."""
    return Shares(WAD + secrets.randbelow(10**6) * 10**10)


def _fresh_nonce() -> int:
    return secrets.randbelow(2**40)
