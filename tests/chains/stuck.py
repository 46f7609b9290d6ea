"""What every chain must do about submissions that do not land at once."""

from __future__ import annotations

import pytest

from relayer.domain.draft import LandingKind
from relayer.domain.errors import PayerEmpty
from relayer.domain.facts import Landed, Unlanded
from relayer.domain.reasons import Reason
from relayer.domain.submission import Patience
from relayer.domain.transfer import ActKind
from tests.chains.following import Follower
from tests.chains.harness import ChainHarness, some_shares

NEVER = 10.0**12


class Stuck:
    """Lost, expired, repeated, and unpaid."""

    async def test_what_was_kept_and_never_sent_lands_after_a_restart(
        self, harness: ChainHarness
    ) -> None:
        """Killed between the commit and the broadcast: the kept bytes are enough, and land once."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.writer.seal([act], nonce=None)
        follower = Follower(harness.writer, patience=Patience(resend=1.0, outbid=NEVER))
        await follower.send(submission, lost=True)
        await follower.finished()
        assert follower.landed() == [submission.tx]
        assert [type(fact) for fact in follower.facts] == [Landed]
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == deposit.shares

    async def test_what_landed_before_a_restart_is_told_after_it(
        self, harness: ChainHarness
    ) -> None:
        """Killed before the landing was committed: sent again harmlessly, and told once more."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        submission, _ = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        follower = Follower(harness.writer)
        await follower.send(submission)
        await follower.finished()
        assert follower.landed() == [submission.tx]
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == deposit.shares

    async def test_what_expired_is_drafted_again_and_delivered_once(
        self, harness: ChainHarness
    ) -> None:
        """Ruled out by the chain's own rule: said so, and only a new draft delivers."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.writer.seal([act], nonce=None)
        follower = Follower(harness.writer, patience=Patience(resend=NEVER, outbid=NEVER))
        await follower.send(submission, lost=True)
        await harness.doom(submission)
        await follower.finished()
        assert follower.ends[submission.tx].kind is LandingKind.DEAD
        [fact] = follower.facts
        assert isinstance(fact, Unlanded)
        assert (fact.id, fact.tx, fact.reason) == (
            deposit.id,
            submission.tx,
            Reason.SUBMISSION_EXPIRED,
        )
        _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert landing.kind is LandingKind.LANDED
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == deposit.shares

    async def test_several_are_told_apart_in_one_question(self, harness: ChainHarness) -> None:
        """One that landed and one that was never sent."""
        done, lost = (
            harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
            for _ in range(2)
        )
        landed, _ = await harness.submit(await harness.act(ActKind.DELIVER, done))
        unsent = await harness.writer.seal([await harness.act(ActKind.DELIVER, lost)], nonce=None)
        told = await harness.writer.landings([landed, unsent])
        assert {tx: one.kind for tx, one in told.of.items()} == {
            landed.tx: LandingKind.LANDED,
            unsent.tx: LandingKind.PENDING,
        }
        assert (told.next_nonce is not None) == harness.writer.ordered

    async def test_a_payer_without_coins_waits_with_the_amount_and_goes_on(
        self, harness: ChainHarness
    ) -> None:
        """Nothing is signed that could not be paid; after the funding the same act is delivered."""
        drafter, writer = harness.penniless()
        poor = harness.paid_by(drafter, writer)
        assert await writer.balance() == 0
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        with pytest.raises(PayerEmpty, match=r"short of \d+ (wei|sun|lamports)"):
            await writer.seal([await poor.act(ActKind.DELIVER, deposit)], nonce=None)
        await harness.fund(writer.payer)
        assert await writer.balance() > 0
        _, landing = await poor.submit(await poor.act(ActKind.DELIVER, deposit))
        assert landing.kind is LandingKind.LANDED
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == deposit.shares
