"""The promises of ChainWriter, tried on a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.domain.amount import Shares
from relayer.domain.draft import LandingKind
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    ReceiptKind,
    Refund,
    Void,
)
from tests.chains.harness import ChainHarness, fresh_account, some_shares


class Acting:
    """What every chain must do with attested acts."""

    @pytest.mark.parametrize("mode", ["burn_mint", "lock_release"])
    async def test_a_delivery_gives_exactly_the_shares(
        self, harness: ChainHarness, mode: str
    ) -> None:
        """A delivery lands once, is told whole, and the recipient holds exactly the shares."""
        asset, recipient, shares = getattr(harness, mode), harness.recipient(), some_shares()
        deposit = harness.peer_deposit(asset, shares, recipient)
        first = (await harness.reader.final_head()).height + 1
        submission, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert (landing.kind, dict(landing.skipped)) == (LandingKind.LANDED, {})
        assert landing.height is not None
        fact = await harness.fact(first, Delivery, deposit.id)
        assert isinstance(fact, Delivery)
        assert (fact.tx, fact.height) == (submission.tx, landing.height)
        assert (fact.asset, fact.recipient, fact.shares) == (asset, recipient, shares)
        content = harness.drafter.content(deposit)
        assert content is None or fact.digest == content
        assert await harness.shares_of(recipient, asset) == shares

    async def test_an_act_has_effect_once(self, harness: ChainHarness) -> None:
        """A delivery signed again is refused with a word, and gives nothing more."""
        recipient, shares = harness.recipient(), some_shares()
        deposit = harness.peer_deposit(harness.burn_mint, shares, recipient)
        await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert await harness.refusal(await harness.act(ActKind.DELIVER, deposit))
        assert await harness.shares_of(recipient, harness.burn_mint) == shares

    async def test_two_submissions_of_one_act_deliver_once(self, harness: ChainHarness) -> None:
        """Of two transactions under way with the same act one executes it, the other says not."""
        recipient, shares = harness.recipient(), some_shares()
        deposit = harness.peer_deposit(harness.burn_mint, shares, recipient)
        acts = [await harness.act(ActKind.DELIVER, deposit) for _ in range(2)]
        one = await harness.writer.seal(acts[:1], nonce=None)
        lowest = None if one.nonce is None else one.nonce + 1
        two = await harness.writer.seal(acts[1:], nonce=lowest)
        for submission in (one, two):
            await harness.writer.broadcast(submission)
        landings = [await harness.landed(submission) for submission in (one, two)]
        done = [
            landing
            for landing in landings
            if landing.kind is LandingKind.LANDED and deposit.id not in landing.skipped
        ]
        assert len(done) == 1 or one.tx == two.tx
        assert LandingKind.PENDING not in {landing.kind for landing in landings}
        assert await harness.shares_of(recipient, harness.burn_mint) == shares

    async def test_a_batch_delivers_all(self, harness: ChainHarness) -> None:
        """Every act of a batch as large as the writer takes (here up to 5) is executed."""
        recipients = [harness.recipient() for _ in range(min(harness.writer.batch, 5))]
        deposits = [
            harness.peer_deposit(harness.burn_mint, some_shares(), one) for one in recipients
        ]
        acts = [await harness.act(ActKind.DELIVER, deposit) for deposit in deposits]
        submission, landing = await harness.submit(*acts)
        assert (landing.kind, dict(landing.skipped)) == (LandingKind.LANDED, {})
        assert list(submission.ids) == [deposit.id for deposit in deposits]
        for deposit in deposits:
            held = await harness.shares_of(deposit.recipient, harness.burn_mint)
            assert held == deposit.shares

    async def test_a_bad_item_blocks_no_other(self, harness: ChainHarness) -> None:
        """What was done before is refused with a word; its neighbours are delivered.

        Neighbours share a transaction where one carries several acts, else they follow at once.
        """
        deposits = [
            harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
            for _ in range(3)
        ]
        done = deposits[1]
        await harness.submit(await harness.act(ActKind.DELIVER, done))
        acts = [await harness.act(ActKind.DELIVER, deposit) for deposit in deposits]
        if harness.writer.batch < len(acts):
            await harness.submit(acts[0])
            assert await harness.refusal(acts[1])
            await harness.submit(acts[2])
        else:
            _, landing = await harness.submit(*acts)
            assert landing.kind is LandingKind.LANDED
            assert list(landing.skipped) == [done.id]
            assert landing.skipped[done.id]
        for deposit in deposits:
            held = await harness.shares_of(deposit.recipient, harness.burn_mint)
            assert held == deposit.shares

    async def test_a_void_rules_the_delivery_out(self, harness: ChainHarness) -> None:
        """After a void the same quorum's delivery is refused, and the void is told."""
        recipient = harness.recipient()
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), recipient)
        first = (await harness.reader.final_head()).height + 1
        _, landing = await harness.submit(await harness.act(ActKind.VOID, deposit))
        assert landing.kind is LandingKind.LANDED
        assert isinstance(await harness.fact(first, Void, deposit.id), Void)
        assert await harness.refusal(await harness.act(ActKind.DELIVER, deposit))
        assert await harness.shares_of(recipient, harness.burn_mint) == 0

    async def test_a_delivered_id_is_not_voided(self, harness: ChainHarness) -> None:
        """A void of a delivered id is refused, and its receipt stays the delivery's."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert await harness.refusal(await harness.act(ActKind.VOID, deposit))
        found = await harness.reader.receipts([deposit.id])
        assert found[deposit.id].kind is ReceiptKind.DELIVERED

    @pytest.mark.parametrize("mode", ["burn_mint", "lock_release"])
    async def test_a_refund_gives_back_once(self, harness: ChainHarness, mode: str) -> None:
        """A refund returns exactly the shares to the depositor, is told whole, and ends there."""
        asset, user = getattr(harness, mode), harness.depositor.account
        before = await harness.shares_of(user, asset)
        deposit = await harness.deposit(asset, some_shares())
        assert await harness.shares_of(user, asset) == before - deposit.shares
        first = (await harness.reader.final_head()).height + 1
        _, landing = await harness.submit(await harness.act(ActKind.REFUND, deposit))
        assert (landing.kind, dict(landing.skipped)) == (LandingKind.LANDED, {})
        fact = await harness.fact(first, Refund, deposit.id)
        assert isinstance(fact, Refund)
        assert (fact.recipient, fact.asset, fact.shares) == (user, asset, deposit.shares)
        other = await harness.deposit(asset, some_shares())
        assert await harness.reader.refunded([deposit.id, other.id]) == {deposit.id}
        assert await harness.refusal(await harness.act(ActKind.REFUND, deposit))
        assert await harness.shares_of(user, asset) == before - other.shares

    async def test_less_than_a_quorum_delivers_nothing(self, harness: ChainHarness) -> None:
        """An act with one signature of two is refused by the chain or before."""
        recipient = harness.recipient()
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), recipient)
        act = await harness.act(ActKind.DELIVER, deposit)
        assert await harness.refusal(replace(act, attestations=act.attestations[:1]))
        assert await harness.shares_of(recipient, harness.burn_mint) == 0

    async def test_what_was_not_signed_is_not_delivered(self, harness: ChainHarness) -> None:
        """Signatures over another amount, in a transaction that says more, give nothing."""
        recipient = harness.recipient()
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), recipient)
        act = await harness.act(ActKind.DELIVER, deposit)
        more = replace(act, deposit=replace(deposit, shares=Shares(2 * deposit.shares)))
        assert await harness.refusal(more)
        assert await harness.shares_of(recipient, harness.burn_mint) == 0

    async def test_a_deposit_is_finished_as_often_as_one_likes(self, harness: ChainHarness) -> None:
        """Begun once, and finished again through another endpoint or after it: it is one deposit."""
        first, to = (await harness.reader.final_head()).height + 1, fresh_account(harness.peer)
        begun = await harness.depositor.begin(harness.burn_mint, some_shares(), harness.peer, to)
        assert [await harness.depositor.finish(begun) for _ in range(2)] == [begun.tx] * 2
        await harness.settle()
        last = (await harness.reader.final_head()).height
        facts = await harness.reader.history(first, last)
        assert [
            one.location.tx for one in facts if isinstance(one, Deposit) and one.recipient == to
        ] == [begun.tx]

    async def test_sending_again_is_harmless(self, harness: ChainHarness) -> None:
        """The same bytes may be sent twice while pending and again once final."""
        recipient, shares = harness.recipient(), some_shares()
        deposit = harness.peer_deposit(harness.burn_mint, shares, recipient)
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.sent([act])
        assert (submission.chain, submission.ids) == (harness.chain, (deposit.id,))
        await harness.writer.broadcast(submission)
        assert (await harness.landed(submission)).kind is LandingKind.LANDED
        await harness.writer.broadcast(submission)
        assert (await harness.landing(submission)).kind is LandingKind.LANDED
        assert await harness.shares_of(recipient, harness.burn_mint) == shares

    async def test_what_can_never_land_is_dead(self, harness: ChainHarness) -> None:
        """A submission is pending until the chain's own rule excludes it, and then dead."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.writer.seal([act], nonce=None)
        assert (await harness.landing(submission)).kind is LandingKind.PENDING
        await harness.doom(submission)
        assert (await harness.landed(submission)).kind is LandingKind.DEAD
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == 0
