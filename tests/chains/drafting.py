"""The promises of ChainDrafter, tried on a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.domain.amount import Shares
from relayer.domain.draft import payload_digest
from relayer.domain.errors import DraftRefused
from relayer.domain.transfer import (
    ActKind,
)
from tests.chains.harness import ChainHarness, some_shares


class Drafting:
    """What every chain's drafts must be."""

    @pytest.mark.parametrize("kind", [ActKind.DELIVER, ActKind.VOID])
    async def test_a_draft_can_be_rebuilt_from_its_terms(
        self, harness: ChainHarness, kind: ActKind
    ) -> None:
        """The payload of a draft's terms is what the draft's digest names."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        draft = await harness.draft(kind, deposit)
        payload = harness.drafter.payload(kind, deposit, draft.terms)
        assert payload_digest(payload) == draft.digest
        other = replace(deposit, shares=Shares(deposit.shares + 10**10))
        if kind is ActKind.DELIVER:
            assert payload != harness.drafter.payload(kind, other, draft.terms)

    async def test_fresh_terms_are_accepted(self, harness: ChainHarness) -> None:
        """An attester's own node agrees with the terms of a new draft."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        draft = await harness.draft(ActKind.DELIVER, deposit)
        latest = (await harness.reader.final_head()).time + 600
        await harness.drafter.check_terms(ActKind.DELIVER, deposit, draft.terms, latest=latest)

    async def test_terms_that_live_too_long_are_refused(self, harness: ChainHarness) -> None:
        """Terms that stay valid after the latest time allowed are not signed."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        draft = await harness.draft(ActKind.DELIVER, deposit)
        latest = (await harness.reader.final_head()).time - 10
        with pytest.raises(DraftRefused):
            await harness.drafter.check_terms(ActKind.DELIVER, deposit, draft.terms, latest=latest)

    async def test_terms_outside_the_grammar_are_refused(self, harness: ChainHarness) -> None:
        """Missing, added and garbled terms give no payload."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        terms = dict((await harness.draft(ActKind.DELIVER, deposit)).terms)
        for name in terms:
            for wrong in ({**terms, name: "-1 garbled"}, {**terms, name: ""}):
                with pytest.raises(DraftRefused):
                    harness.drafter.payload(ActKind.DELIVER, deposit, wrong)
            less = {key: value for key, value in terms.items() if key != name}
            with pytest.raises(DraftRefused):
                harness.drafter.payload(ActKind.DELIVER, deposit, less)
        with pytest.raises(DraftRefused):
            harness.drafter.payload(ActKind.DELIVER, deposit, {**terms, "more": "1"})

    async def test_signatures_are_told_from_forgeries(self, harness: ChainHarness) -> None:
        """A signature verifies for its attester and its payload, and for nothing else."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        act = await harness.act(ActKind.DELIVER, deposit)
        payload = harness.drafter.payload(ActKind.DELIVER, deposit, act.draft.terms)
        good, other = act.attestations
        assert harness.drafter.verifies(payload, good)
        assert not harness.drafter.verifies(payload + b"\0", good)
        assert not harness.drafter.verifies(payload, replace(good, signature=other.signature))
        assert not harness.drafter.verifies(payload, replace(good, signature=b"short"))
        stranger = replace(good, attester=bytes(len(good.attester)))
        assert not harness.drafter.verifies(payload, stranger)
        assert harness.drafter.quorum == 2
        assert list(harness.drafter.attesters) == [one.public for one in harness.attesters]

    async def test_a_draft_ends_with_what_it_was_made_under(self, harness: ChainHarness) -> None:
        """The chain takes a fresh draft, and none of a former epoch or of strangers' signatures."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        draft = await harness.draft(ActKind.DELIVER, deposit)
        terms = dict(draft.terms)
        if "epoch" in terms:
            terms["epoch"] = str(int(terms["epoch"]) - 1)
        else:
            terms["signers"] = ",".join([terms["payer"]] * harness.drafter.quorum)
        old = replace(draft, terms=terms, digest=bytes(32))
        assert await harness.drafter.ended([draft, old]) == {old.digest}
        assert await harness.drafter.ended([draft]) == frozenset()
