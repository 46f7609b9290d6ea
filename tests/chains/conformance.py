"""The promises of ports/chain.py, tried on a chain: every adapter passes this one suite.

A test file makes a ``harness`` fixture and a subclass of `ChainConformance`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import LandingKind, payload_digest
from relayer.domain.errors import DraftRefused, Unavailable
from relayer.domain.supply import Counters, Interval, SupplySnapshot, check_vault, issued
from relayer.domain.transfer import (
    ActKind,
    ChainFact,
    Delivery,
    Deposit,
    Location,
    ReceiptKind,
    Refund,
    Void,
)
from tests.chains.harness import ChainHarness, fresh_account, some_shares, unknown_tx


class ChainConformance:
    """What every chain adapter must do."""

    async def test_a_deposit_is_read_whole(self, harness: ChainHarness) -> None:
        """All fields of a deposit come back as they were given, at the deposit's own height."""
        shares, recipient = some_shares(), fresh_account(harness.peer)
        deposit = await harness.deposit(harness.burn_mint, shares, recipient=recipient)
        assert deposit.source == harness.chain
        assert deposit.destination == harness.peer
        assert (deposit.asset, deposit.shares) == (harness.burn_mint, shares)
        assert deposit.sender == deposit.refund_to == harness.depositor.account
        assert (deposit.recipient, deposit.flaw) == (recipient, None)
        again = await harness.reader.history(deposit.height, deposit.height)
        assert deposit in again

    async def test_a_deposit_is_found_by_its_location(self, harness: ChainHarness) -> None:
        """Reading one transaction gives the very deposit that the history told."""
        deposit = await harness.deposit(harness.lock_release, some_shares())
        assert list(await harness.reader.deposit_at(deposit.location)) == [deposit]

    async def test_an_unknown_location_has_no_deposit(self, harness: ChainHarness) -> None:
        """A transaction that is not there, a place that holds none, and nonsense give nothing."""
        deposit = await harness.deposit(harness.burn_mint, some_shares())
        here = deposit.location
        places = [
            Location(tx=unknown_tx(harness.chain), index=here.index, inner=here.inner),
            replace(here, index=here.index + 50),
            Location(tx="not a transaction", index=0),
        ]
        for place in places:
            assert list(await harness.reader.deposit_at(place)) == []

    async def test_each_deposit_has_an_id_of_its_own(self, harness: ChainHarness) -> None:
        """Two equal deposits are two transfers."""
        shares, recipient = some_shares(), fresh_account(harness.peer)
        one = await harness.deposit(harness.burn_mint, shares, recipient=recipient)
        first = (await harness.reader.final_head()).height + 1
        await harness.depositor.deposit(harness.burn_mint, shares, harness.peer, recipient)
        facts = await harness.facts_until(first, lambda fact: isinstance(fact, Deposit))
        ids = {fact.id for fact in facts if isinstance(fact, Deposit)} | {one.id}
        assert len(ids) == 2

    async def test_nothing_beyond_the_final_head_is_told(self, harness: ChainHarness) -> None:
        """A range that is not final is refused instead of answered in part."""
        head = await harness.reader.final_head()
        with pytest.raises(Unavailable):
            await harness.reader.history(head.height, head.height + 1_000)

    async def test_split_ranges_tell_the_same_history(self, harness: ChainHarness) -> None:
        """The history in pieces equals the whole, each fact once and in chain order."""
        first = (await harness.reader.final_head()).height + 1
        deposits = [await harness.deposit(harness.burn_mint, some_shares()) for _ in range(3)]
        last = (await harness.reader.final_head()).height
        whole = list(await harness.reader.history(first, last))
        pieces: list[ChainFact] = []
        for height in range(first, last + 1, 2):
            pieces += await harness.reader.history(height, min(height + 1, last))
        assert pieces == whole
        assert [fact for fact in whole if isinstance(fact, Deposit)] == deposits
        assert [fact.height for fact in whole] == sorted(fact.height for fact in whole)

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

    async def test_receipts_say_what_became_of_ids(self, harness: ChainHarness) -> None:
        """Delivered and voided ids have receipts that tell them apart; open ones have none."""
        made = [
            harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
            for _ in range(3)
        ]
        delivered, voided, opened = (deposit.id for deposit in made)
        await harness.submit(await harness.act(ActKind.DELIVER, made[0]))
        await harness.submit(await harness.act(ActKind.VOID, made[1]))
        found = await harness.reader.receipts([delivered, voided, opened])
        assert set(found) == {delivered, voided}
        assert found[delivered].kind is ReceiptKind.DELIVERED
        assert found[delivered].digest == harness.drafter.content(made[0])
        assert found[voided].kind is ReceiptKind.VOIDED
        assert await harness.reader.receipts([]) == {}

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
        """An item that was done before is skipped with a word; its neighbours are delivered."""
        if harness.writer.batch == 1:
            return  # one act per transaction: there are no neighbours
        deposits = [
            harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
            for _ in range(3)
        ]
        done = deposits[1]
        await harness.submit(await harness.act(ActKind.DELIVER, done))
        acts = [await harness.act(ActKind.DELIVER, deposit) for deposit in deposits]
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
        assert await harness.refusal(await harness.act(ActKind.REFUND, deposit))
        assert await harness.shares_of(user, asset) == before

    async def test_bridge_traffic_never_changes_k(self, harness: ChainHarness) -> None:
        """Deposits, deliveries and refunds leave K of both modes as it was, to the last unit."""
        before = await books(harness)
        for asset in (harness.burn_mint, harness.lock_release):
            inward = harness.peer_deposit(asset, some_shares(), harness.recipient())
            await harness.submit(await harness.act(ActKind.DELIVER, inward))
            assert await books(harness) == before
            outward = await harness.deposit(asset, some_shares())
            assert await books(harness) == before
            await harness.submit(await harness.act(ActKind.REFUND, outward))
            assert await books(harness) == before

    async def test_snapshots_name_one_final_height(self, harness: ChainHarness) -> None:
        """All assets are told at one height, which is final, and its vaults are whole."""
        snapshots = await harness.reader.snapshots()
        head = await harness.reader.final_head()
        assert {one.asset for one in snapshots} >= {harness.burn_mint, harness.lock_release}
        assert len({(one.height, one.time) for one in snapshots}) == 1
        assert snapshots[0].height <= head.height
        for one in snapshots:
            assert check_vault(one, await counters(harness, one)) is None

    async def test_a_multiplier_is_told_and_changes_no_shares(self, harness: ChainHarness) -> None:
        """Above and below 1 a delivery gives exactly the shares, and K stays in its interval."""
        asset = harness.burn_mint
        before = (await books(harness))[asset]
        try:
            for multiplier in (WAD * 137 // 100, WAD * 83 // 100):
                await harness.controls.set_multiplier(asset, multiplier)
                await harness.settle()
                assert (await snapshot_of(harness, asset)).multiplier == multiplier
                deposit = harness.peer_deposit(asset, some_shares(), harness.recipient())
                await harness.submit(await harness.act(ActKind.DELIVER, deposit))
                assert await harness.shares_of(deposit.recipient, asset) == deposit.shares
                now = (await books(harness))[asset]
                assert now.low <= before.high + 2
                assert before.low <= now.high + 2
        finally:
            await harness.controls.set_multiplier(asset, WAD)
            await harness.settle()

    async def test_a_pause_is_told_and_refuses_deliveries(self, harness: ChainHarness) -> None:
        """While its issuer pauses a token the snapshot says so and nothing is delivered."""
        asset = harness.burn_mint
        deposit = harness.peer_deposit(asset, some_shares(), harness.recipient())
        await harness.controls.pause(asset, paused=True)
        try:
            await harness.settle()
            assert (await snapshot_of(harness, asset)).paused
            assert await harness.refusal(await harness.act(ActKind.DELIVER, deposit))
        finally:
            await harness.controls.pause(asset, paused=False)
            await harness.settle()
        assert not (await snapshot_of(harness, asset)).paused
        _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
        assert landing.kind is LandingKind.LANDED

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

    async def test_sending_again_is_harmless(self, harness: ChainHarness) -> None:
        """The same bytes may be sent twice while pending and again once final."""
        recipient, shares = harness.recipient(), some_shares()
        deposit = harness.peer_deposit(harness.burn_mint, shares, recipient)
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.writer.seal([act], nonce=None)
        assert (submission.chain, submission.ids) == (harness.chain, (deposit.id,))
        await harness.writer.broadcast(submission)
        await harness.writer.broadcast(submission)
        assert (await harness.landed(submission)).kind is LandingKind.LANDED
        await harness.writer.broadcast(submission)
        assert (await harness.writer.landing(submission)).kind is LandingKind.LANDED
        assert await harness.shares_of(recipient, harness.burn_mint) == shares

    async def test_what_can_never_land_is_dead(self, harness: ChainHarness) -> None:
        """A submission is pending until the chain's own rule excludes it, and then dead."""
        deposit = harness.peer_deposit(harness.burn_mint, some_shares(), harness.recipient())
        act = await harness.act(ActKind.DELIVER, deposit)
        submission = await harness.writer.seal([act], nonce=None)
        assert (await harness.writer.landing(submission)).kind is LandingKind.PENDING
        await harness.doom(submission)
        assert (await harness.landed(submission)).kind is LandingKind.DEAD
        assert await harness.shares_of(deposit.recipient, harness.burn_mint) == 0

    async def test_wakeups_keep_coming(self, harness: ChainHarness) -> None:
        """A living chain ticks."""
        ticks = 0
        async with asyncio.timeout(30):
            async for _ in harness.reader.wakeups():
                ticks += 1
                if ticks == 2:
                    break
        assert ticks == 2


async def snapshot_of(harness: ChainHarness, asset: str) -> SupplySnapshot:
    """The snapshot of one asset."""
    return next(one for one in await harness.reader.snapshots() if one.asset == asset)


async def counters(harness: ChainHarness, snapshot: SupplySnapshot) -> Counters:
    """The bridge's counters at a snapshot's height: the chain's own, or folded from history."""
    if snapshot.counters is not None:
        return snapshot.counters
    facts = await harness.reader.history(harness.reader.first_height, snapshot.height)
    mine = [fact for fact in facts if getattr(fact, "asset", None) == snapshot.asset]
    return Counters(
        deposited=_sum(fact.shares for fact in mine if isinstance(fact, Deposit)),
        delivered=_sum(fact.shares for fact in mine if isinstance(fact, Delivery)),
        refunded=_sum(fact.shares for fact in mine if isinstance(fact, Refund)),
    )


async def books(harness: ChainHarness) -> dict[str, Interval]:
    """K of every asset once all that was sent is final."""
    await harness.settle()
    snapshots: Sequence[SupplySnapshot] = await harness.reader.snapshots()
    return {one.asset: issued(one, await counters(harness, one)) for one in snapshots}


def _sum(amounts: Iterable[Shares]) -> Shares:
    return Shares(sum(amounts))
