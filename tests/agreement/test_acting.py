"""Drafts, transactions and their ends through endpoints that agree, over writers in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.agreement.acting import QuorumDrafter, QuorumWriter
from relayer.agreement.endpoints import Endpoint, Endpoints
from relayer.domain.address import Account
from relayer.domain.draft import Act, Draft, Landing, LandingKind, Landings, Submission, Unwanted
from relayer.domain.errors import (
    Disagreement,
    DraftRefused,
    PayerEmpty,
    Refused,
    Transient,
    Unavailable,
)
from relayer.domain.transfer import ActKind, Deposit
from relayer.domain.wire import Terms
from relayer.ports.chain import ChainDrafter, ChainWriter
from tests.agreement.endpoints import Watched
from tests.domain.samples import BNB, deposit, draft
from tests.ports.virtual import run

KINDS = [LandingKind.PENDING, LandingKind.LANDED, LandingKind.FAILED, LandingKind.DEAD]


def landing(kind: LandingKind, height: int = 7) -> Landing:
    """An outcome at a height."""
    return Landing(kind=kind, height=height, skipped={}, detail="in words of its own")


@dataclass(slots=True)
class Node:
    """A writer and a drafter over one endpoint that says what a test wants."""

    number: int
    nonce: int = 5
    price: int = 10
    outcome: Landing = field(default_factory=lambda: landing(LandingKind.PENDING))
    refuses: Exception | None = None
    epoch: str = "1"
    taken: list[str] = field(default_factory=list)
    sealed: int = 0
    ordered: bool = True

    chain = BNB
    payer = Account(b"\x09" * 32)
    batch = 4

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """A transaction at the nonce this endpoint tells."""
        del acts
        self._refuse()
        self.sealed += 1
        return self._submission(max(self.nonce, nonce or 0))

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """A dearer one."""
        del rivals, empty
        self._refuse()
        return self._submission(nonce)

    async def balance(self) -> float:
        """Its payer's coins."""
        self._refuse()
        return 2.5

    async def broadcast(self, submission: Submission) -> None:
        """Take it, or refuse."""
        self._refuse()
        self.taken.append(submission.tx)

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """One outcome for all."""
        if isinstance(self.refuses, Transient):
            raise self.refuses
        of = {submission.tx: self.outcome for submission in submissions}
        return Landings(of=of, next_nonce=self.nonce)

    async def draft(
        self,
        kind: ActKind,
        made: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """A draft with this endpoint's epoch."""
        del kind, made, dies_at, attesters, attempt
        self._refuse()
        return draft(terms={"epoch": self.epoch})

    async def check_terms(self, kind: ActKind, made: Deposit, terms: Terms, *, latest: int) -> None:
        """Its own epoch or none."""
        del kind, made, latest
        self._refuse()
        if terms["epoch"] != self.epoch:
            raise DraftRefused(f"epoch {terms['epoch']} is not {self.epoch}")

    async def prove(self) -> None:
        """It serves the chain."""

    def _submission(self, nonce: int) -> Submission:
        return Submission(
            tx=f"{self.number}/{nonce}/{self.price}",
            chain=BNB,
            ids=(),
            raw=b"",
            nonce=nonce,
            price=self.price,
            made_at=0.0,
        )

    def _refuse(self) -> None:
        if self.refuses is not None:
            raise self.refuses


def pool(nodes: Sequence[Node], needed: int = 2) -> Any:
    """The nodes as endpoints."""
    members = [Endpoint(place=node.number, port=node, prove=node.prove) for node in nodes]
    return Endpoints(BNB, members, needed, Watched())


def writer_of(nodes: Sequence[Node], needed: int = 2) -> QuorumWriter:
    """A writer over nodes of which ``needed`` must agree."""
    return QuorumWriter(cast("Endpoints[ChainWriter]", pool(nodes, needed)))


def three(**first: Any) -> list[Node]:
    """Three nodes, the first one as told."""
    return [Node(0, **first), Node(1), Node(2)]


TX = Node(9)._submission(5)


@given(
    outcomes=st.lists(st.sampled_from(KINDS), min_size=3, max_size=5),
    heights=st.lists(st.integers(7, 8), min_size=5, max_size=5),
)
def test_an_end_takes_k_equal_words(outcomes: list[LandingKind], heights: list[int]) -> None:
    """Landed, failed or dead only if enough say exactly that; otherwise it is pending."""
    needed = len(outcomes) // 2 + 1
    nodes = [
        Node(number, outcome=landing(kind, heights[number])) for number, kind in enumerate(outcomes)
    ]
    told = run(writer_of(nodes, needed).landings([TX])).of[TX.tx]
    same = [
        node
        for node in nodes
        if node.outcome.kind is told.kind
        and (told.kind is not LandingKind.LANDED or node.outcome.height == told.height)
    ]
    assert told.kind is LandingKind.PENDING or len(same) >= needed


def test_one_dead_or_silent_endpoint_ends_nothing_and_hides_nothing() -> None:
    """A false DEAD is outvoted, and two that saw it land are enough without the third."""
    nodes = three(outcome=landing(LandingKind.DEAD))
    assert run(writer_of(nodes).landings([TX])).of[TX.tx].kind is LandingKind.PENDING
    for node in nodes[1:]:
        node.outcome = landing(LandingKind.LANDED)
    nodes[0].refuses = Unavailable("silent")
    assert run(writer_of(nodes).landings([TX])).of[TX.tx].kind is LandingKind.LANDED


@pytest.mark.parametrize("error", [Unwanted("paused"), PayerEmpty("0 wei"), Unavailable("down")])
def test_one_endpoint_refuses_no_act(error: Exception) -> None:
    """A simulated revert or an empty balance that one endpoint makes up stops nothing."""
    nodes = three(refuses=error)
    assert run(writer_of(nodes).seal([], nonce=None)).nonce == 5
    for node in nodes[:2]:
        node.refuses = error
    with pytest.raises(type(error)):
        run(writer_of(nodes).seal([], nonce=None))


@pytest.mark.parametrize("lie", [0, 4, 6, 10**9])
def test_a_lied_nonce_makes_no_gap_and_no_rival(lie: int) -> None:
    """Neither a nonce of the past nor one of the future is used."""
    assert run(writer_of(three(nonce=lie)).seal([], nonce=None)).nonce == 5


def test_the_cheapest_of_equal_offers_is_taken() -> None:
    """A price that an endpoint inflates is not paid."""
    assert run(writer_of(three(price=10**6)).seal([], nonce=None)).price == 10


def test_a_transaction_is_sent_to_all_and_one_taker_is_enough() -> None:
    """Who drops it, or refuses it, keeps it from nobody."""
    nodes = three(refuses=Refused("decode"))
    run(writer_of(nodes).broadcast(TX))
    assert TX.tx in nodes[1].taken + nodes[2].taken
    nodes[1].refuses = Refused("decode")
    nodes[2].refuses = Refused("decode")
    with pytest.raises(Refused):
        run(writer_of(nodes).broadcast(TX))
    nodes[0].refuses = nodes[1].refuses = Unavailable("silent")
    with pytest.raises(Unavailable):
        run(writer_of(nodes).broadcast(TX))


@pytest.mark.parametrize("nonce", [5, 9])
def test_a_nonce_is_outbid_by_another_endpoint_than_the_last_one(nonce: int) -> None:
    """Whose offer did not get in does not make the next one, and silence stops nothing."""

    async def trial() -> None:
        nodes = three()
        writer = writer_of(nodes)
        rivals = [await writer.seal([], nonce=nonce)]
        dearer = await writer.outbid(nonce, rivals, empty=False)
        assert dearer.nonce == nonce
        assert dearer.tx.partition("/")[0] != rivals[0].tx.partition("/")[0]
        for node in nodes[:2]:
            node.refuses = Unavailable("silent")
        assert (await writer.outbid(nonce, [*rivals, dearer], empty=True)).tx.startswith("2/")

    run(trial())


def test_a_balance_is_told_by_any_that_answers() -> None:
    """It is for people: one endpoint's word is enough, and a dead one hides nothing."""
    nodes = three(refuses=Unavailable("silent"))
    assert run(writer_of(nodes).balance()) == 2.5
    for node in nodes:
        node.refuses = Unavailable("silent")
    with pytest.raises(Unavailable):
        run(writer_of(nodes).balance())


@pytest.mark.parametrize("end", [LandingKind.FAILED, LandingKind.DEAD])
def test_whose_transaction_fails_is_asked_last(end: LandingKind) -> None:
    """An endpoint with which nothing lands does not make the next ones too, however quick it is.

    On Tron one that lies about the reference block would have every transaction expire.
    """

    async def trial() -> None:
        nodes = three()
        for node in nodes:
            node.outcome = landing(end)
            node.ordered = False
        writer = writer_of(nodes)
        first = await writer.seal([], nonce=None)
        await writer.landings([first])
        for _ in range(4):
            second = await writer.seal([], nonce=None)
            assert first.tx.partition("/")[0] != second.tx.partition("/")[0]
            await asyncio.sleep(90)

    run(trial())


def test_whose_transaction_nobody_takes_is_asked_last() -> None:
    """A made-up reference block: the nodes wait for a block that never comes."""

    async def trial() -> None:
        nodes = three()
        for node in nodes:
            node.ordered = False
        writer = writer_of(nodes)
        first = await writer.seal([], nonce=None)
        for node in nodes:
            node.refuses = Unavailable("TAPOS_ERROR")
        with pytest.raises(Unavailable):
            await writer.broadcast(first)
        for node in nodes:
            node.refuses = None
        second = await writer.seal([], nonce=None)
        assert first.tx.partition("/")[0] != second.tx.partition("/")[0]

    run(trial())


def draft_by(nodes: Sequence[Node]) -> Callable[[], Any]:
    """Draft through nodes of which two must agree."""
    drafter = QuorumDrafter(cast("Endpoints[ChainDrafter]", pool(nodes)))

    async def made() -> Mapping[str, str]:
        drafted = await drafter.draft(ActKind.DELIVER, deposit(), dies_at=2_000, attesters=[])
        return drafted.terms

    return made


def test_a_draft_that_the_others_refuse_is_not_used() -> None:
    """A made-up epoch would let every attester decline, again and again."""
    assert run(draft_by(three(epoch="7"))()) == {"epoch": "1"}
    assert run(draft_by(three(refuses=DraftRefused("no")))()) == {"epoch": "1"}


def test_terms_are_good_or_refused_by_k() -> None:
    """One endpoint can neither wave stale terms through nor refuse good ones."""

    async def check(nodes: Sequence[Node], epoch: str) -> None:
        drafter = QuorumDrafter(cast("Endpoints[ChainDrafter]", pool(nodes)))
        await drafter.check_terms(ActKind.DELIVER, deposit(), {"epoch": epoch}, latest=2_000)

    run(check(three(epoch="7"), "1"))
    with pytest.raises(DraftRefused):
        run(check(three(epoch="7"), "7"))
    split = three(refuses=Unavailable("silent"))
    split[1].epoch = "7"
    with pytest.raises((Unavailable, Disagreement)):
        run(check(split, "1"))
