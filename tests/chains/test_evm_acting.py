"""What is the EVM writer's and drafter's own: nonces, money, pauses, epochs, gas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from relayer.chains.evm.drafter import EvmDrafter
from relayer.chains.evm.sender import EvmSender
from relayer.chains.evm.writer import EvmWriter
from relayer.chains.gateway.configure import Call, call
from relayer.domain.address import account_from_evm, word_of
from relayer.domain.draft import Act, LandingKind, Unwanted
from relayer.domain.errors import DraftRefused, PayerEmpty, Refused, Rejected, Unavailable
from relayer.domain.transfer import ActKind, Deposit
from relayer.signing.local import Secp256k1Signer
from tests.chains.evm_world import TRON, TRON_GATEWAY, World, evm_world, harness_of
from tests.chains.harness import ChainHarness, fresh_account, some_shares

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAUSE_DELIVER = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One node for all tests of this file."""
    async with evm_world() as made:
        yield made


@pytest.fixture
def harness(world: World) -> ChainHarness:
    """Deposits go to and come from Tron."""
    return harness_of(world, TRON, TRON_GATEWAY)


def inward(harness: ChainHarness) -> Deposit:
    """A deposit of the peer to a new account."""
    return harness.peer_deposit("TSLAx", some_shares(), harness.recipient())


async def delivery(harness: ChainHarness) -> Act:
    """An attested delivery to a new account."""
    return await harness.act(ActKind.DELIVER, inward(harness))


async def test_the_nonce_is_the_lowest_free_one_at_or_above_the_lanes(
    harness: ChainHarness,
) -> None:
    """A lane goes on behind its own; after a stranger's transaction it heals by itself."""
    acts = [await delivery(harness) for _ in range(3)]
    one = await harness.writer.seal(acts[:1], nonce=None)
    assert one.nonce is not None
    two = await harness.writer.seal(acts[1:2], nonce=one.nonce + 1)
    assert two.nonce == one.nonce + 1
    for submission in (one, two):
        await harness.writer.broadcast(submission)
        assert (await harness.landed(submission)).kind is LandingKind.LANDED
    healed = await harness.writer.seal(acts[2:], nonce=one.nonce)
    assert healed.nonce == two.nonce + 1


async def test_a_payer_without_coin_is_named_with_what_is_missing(
    world: World, harness: ChainHarness
) -> None:
    """Nothing is signed that the payer could not pay for."""
    poor = Secp256k1Signer(b"\x77" * 32)
    writer = EvmWriter(world.config, world.rpc, poor)
    assert writer.payer == account_from_evm(poor.public)
    with pytest.raises(PayerEmpty, match=rf"0x{poor.public.hex()} is short of \d+ wei"):
        await writer.seal([await delivery(harness)], nonce=None)


async def test_a_paused_gateway_is_not_paid_for(world: World, harness: ChainHarness) -> None:
    """While deliveries are paused nothing is sent; a new draft after it is delivered."""
    gateway = word_of(world.config.gateway)
    deposit = inward(harness)
    before = await harness.act(ActKind.DELIVER, deposit)
    await world.setup.run(call(gateway, "pause(uint8)", PAUSE_DELIVER))
    try:
        with pytest.raises(Unwanted, match=r"Paused\(2\)"):
            await harness.writer.seal([before], nonce=None)
        await harness.settle()
        assert all(one.paused for one in await harness.reader.snapshots())
    finally:
        await world.setup.run(call(gateway, "unpause(uint8)", PAUSE_DELIVER))
    with pytest.raises(Unwanted, match="BadSignatures"):
        await harness.writer.seal([before], nonce=None)
    _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
    assert landing.kind is LandingKind.LANDED


async def test_terms_of_a_former_epoch_are_not_signed(world: World, harness: ChainHarness) -> None:
    """An attester refuses a former epoch, and waits for one that its node does not know yet."""
    drafter = EvmDrafter(replace(world.config, state_seconds=0.0), world.rpc)
    deposit = inward(harness)
    latest = (await harness.reader.final_head()).time + 600
    terms = dict((await harness.draft(ActKind.DELIVER, deposit)).terms)
    await drafter.check_terms(ActKind.DELIVER, deposit, terms, latest=latest)
    for step, refusal in ((-1, DraftRefused), (1, Unavailable)):
        other = {**terms, "epoch": str(int(terms["epoch"]) + step)}
        with pytest.raises(refusal, match="epoch"):
            await drafter.check_terms(ActKind.DELIVER, deposit, other, latest=latest)
    past = {**terms, "deadline": "1000"}
    with pytest.raises(DraftRefused, match="passed"):
        await drafter.check_terms(ActKind.DELIVER, deposit, past, latest=latest)


async def test_an_expired_delivery_is_not_paid_for(harness: ChainHarness) -> None:
    """Chain time past the deadline means the gateway would skip it."""
    deposit = inward(harness)
    draft = await harness.draft(ActKind.DELIVER, deposit, seconds=1)
    act = await harness.act(ActKind.DELIVER, deposit, draft=draft)
    await asyncio.sleep(3)
    await harness.settle()
    with pytest.raises(Unwanted, match="Expired"):
        await harness.writer.seal([act], nonce=None)


async def test_all_words_are_told_when_no_item_is_wanted(harness: ChainHarness) -> None:
    """Each item's own reason stands in the refusal."""
    done, deposit = await delivery(harness), inward(harness)
    await harness.submit(done)
    weak = await harness.act(ActKind.DELIVER, deposit)
    weak = replace(weak, attestations=weak.attestations[:1])
    with pytest.raises(Unwanted, match="AlreadyDone, BadSignatures"):
        await harness.writer.seal([done, weak], nonce=None)
    submission = await harness.writer.seal([done, await delivery(harness)], nonce=None)
    assert len(submission.ids) == 2


async def test_a_full_batch_fits_the_gas_of_one_transaction(harness: ChainHarness) -> None:
    """As many acts as the writer promises are delivered in one transaction."""
    acts = [await delivery(harness) for _ in range(harness.writer.batch)]
    submission, landing = await harness.submit(*acts)
    assert (landing.kind, dict(landing.skipped)) == (LandingKind.LANDED, {})
    receipts = await harness.reader.receipts(submission.ids)
    assert len(receipts) == harness.writer.batch == 20


async def test_more_acts_than_the_gas_cap_allows_are_not_sealed(
    world: World, harness: ChainHarness
) -> None:
    """A batch set too large is refused with the setting to change."""
    config = replace(world.config, gas_cap=1_000_000)
    writer = EvmWriter(config, world.rpc, world.payer)
    with pytest.raises(Unavailable, match="lower `batch`"):
        await writer.seal([await delivery(harness), await delivery(harness)], nonce=None)


async def test_bytes_that_no_node_takes_are_refused(harness: ChainHarness) -> None:
    """Garbage is Rejected for good, not tried again."""
    submission = await harness.writer.seal([await delivery(harness)], nonce=None)
    with pytest.raises(Refused):
        await harness.writer.broadcast(replace(submission, raw=submission.raw[:40]))


async def test_a_deposit_that_the_gateway_refuses_says_why(harness: ChainHarness) -> None:
    """The user gets the contract's word."""
    wrong = fresh_account(harness.chain)
    with pytest.raises(Rejected, match="BadRecipientShape"):
        await harness.depositor.deposit("TSLAx", some_shares(), harness.peer, wrong)


async def test_many_deposits_of_one_user_go_at_once(harness: ChainHarness) -> None:
    """Approvals and deposits of one account do not get between each other."""
    first = (await harness.reader.final_head()).height + 1
    amounts = [some_shares() for _ in range(6)]
    to = fresh_account(harness.peer)
    async with asyncio.TaskGroup() as group:
        for shares in amounts:
            group.create_task(harness.depositor.deposit("TSLAx", shares, harness.peer, to))
    await harness.settle()
    facts = await harness.reader.history(first, (await harness.reader.final_head()).height)
    mine = [fact for fact in facts if isinstance(fact, Deposit) and fact.recipient == to]
    assert sorted(fact.shares for fact in mine) == sorted(amounts)


async def test_a_reverted_submission_has_failed(world: World, harness: ChainHarness) -> None:
    """A batch that meets a pause on its way is FAILED at its final height."""
    submission = await harness.writer.seal([await delivery(harness)], nonce=None)
    gateway = word_of(world.config.gateway)
    await world.setup.run(call(gateway, "pause(uint8)", PAUSE_DELIVER))
    try:
        await harness.writer.broadcast(submission)
        landing = await harness.landed(submission)
    finally:
        await world.setup.run(call(gateway, "unpause(uint8)", PAUSE_DELIVER))
    assert landing.kind is LandingKind.FAILED
    assert landing.height is not None
    assert "reverted" in landing.detail


async def test_a_replaced_submission_is_dead_only_when_that_is_final(
    world: World, harness: ChainHarness
) -> None:
    """While its rival is mined but not final, the submission still counts as pending."""
    submission = await harness.writer.seal([await delivery(harness)], nonce=None)
    sender = EvmSender(world.rpc, world.payer)
    (rival,) = await sender.send(Call(to=world.payer.public, data=b""), gas=21_000)
    height = (await sender.mined(rival)).height
    landing = await harness.landing(submission)
    if (await harness.reader.final_head()).height < height:
        assert landing.kind is LandingKind.PENDING
    await harness.writer.broadcast(submission)
    assert (await harness.landed(submission)).kind is LandingKind.DEAD
