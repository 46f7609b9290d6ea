"""A chain behind three endpoints of which two must agree: a liar and two true ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from relayer.agreement.acting import QuorumDrafter, QuorumWriter
from relayer.agreement.endpoints import Endpoint, Endpoints
from relayer.agreement.reading import QuorumReader
from relayer.domain.draft import LandingKind
from relayer.domain.transfer import ActKind
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter
from tests.agreement.endpoints import Watched
from tests.chains.acting import Acting
from tests.chains.drafting import Drafting
from tests.chains.harness import ChainHarness, some_shares
from tests.chains.liars import Liar, Mood

P = TypeVar("P")
Provers = Sequence[Callable[[], Awaitable[None]]]


@asynccontextmanager
async def through_three(
    harness: ChainHarness,
    liars: Sequence[Liar],
    provers: Provers,
    ports: tuple[Sequence[ChainReader], Sequence[ChainDrafter], Sequence[ChainWriter]],
) -> AsyncIterator[ChainHarness]:
    """The harness with ports over three endpoints each; the first one is behind the liars."""
    chain, (readers, drafters, writers) = harness.chain, ports

    def two_of(each: Sequence[P]) -> Endpoints[P]:
        members = [
            Endpoint(place=place, port=port, prove=prove)
            for place, (port, prove) in enumerate(zip(each, provers, strict=True))
        ]
        return Endpoints(chain, members, 2, Watched())

    harness.reader = QuorumReader(two_of(readers))
    harness.drafter = QuorumDrafter(two_of(drafters))
    harness.writer = QuorumWriter(two_of(writers))
    harness.liars, harness.provers = liars, provers
    try:
        yield harness
    finally:
        await harness.reader.close()
        await harness.writer.close()
    asked = sum(liar.told for liar in liars)
    lied = all(liar.mood is Mood.LYING for liar in liars)
    assert not asked or not lied or sum(liar.lies for liar in liars) > 0


class ActingThroughThree:
    """The main promises of drafts and acts, kept although one of three endpoints lies."""

    test_a_draft_can_be_rebuilt_from_its_terms = Drafting.test_a_draft_can_be_rebuilt_from_its_terms
    test_fresh_terms_are_accepted = Drafting.test_fresh_terms_are_accepted
    test_terms_that_live_too_long_are_refused = Drafting.test_terms_that_live_too_long_are_refused
    test_a_delivery_gives_exactly_the_shares = Acting.test_a_delivery_gives_exactly_the_shares
    test_an_act_has_effect_once = Acting.test_an_act_has_effect_once
    test_a_batch_delivers_all = Acting.test_a_batch_delivers_all
    test_a_void_rules_the_delivery_out = Acting.test_a_void_rules_the_delivery_out
    test_a_refund_gives_back_once = Acting.test_a_refund_gives_back_once
    test_a_draft_ends_with_what_it_was_made_under = (
        Drafting.test_a_draft_ends_with_what_it_was_made_under
    )
    test_sending_again_is_harmless = Acting.test_sending_again_is_harmless
    test_what_can_never_land_is_dead = Acting.test_what_can_never_land_is_dead
    test_what_was_not_signed_is_not_delivered = Acting.test_what_was_not_signed_is_not_delivered

    async def test_a_dead_endpoint_keeps_no_act_from_landing(self, harness: ChainHarness) -> None:
        """Drafted, sealed, sent and seen to land by the two that answer."""
        for lying in harness.liars:
            lying.mood = Mood.LIMITED
        recipient, shares = harness.recipient(), some_shares()
        deposit = harness.peer_deposit(harness.burn_mint, shares, recipient)
        _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert (landing.kind, dict(landing.skipped)) == (LandingKind.LANDED, {})
        assert await harness.shares_of(recipient, harness.burn_mint) == shares
        assert await harness.writer.balance() > 0
