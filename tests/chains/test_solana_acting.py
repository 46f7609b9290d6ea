"""Drafting and submitting on Solana where something goes wrong."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import base58
import pytest
import pytest_asyncio
from solders.keypair import Keypair

from relayer.chains.solana import programs
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.drafter import SolanaDrafter
from relayer.chains.solana.pace import Blocks
from relayer.chains.solana.setup import fund
from relayer.chains.solana.writer import SolanaWriter
from relayer.devnet.solana.server import SolanaDevnet
from relayer.domain.address import Account
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import LandingKind, Submission, Unwanted
from relayer.domain.errors import DraftRefused, PayerEmpty, Refused, SettingRefused, Unavailable
from relayer.domain.transfer import ActKind, Deposit
from relayer.signing.local import Ed25519Signer
from tests.chains.harness import some_shares
from tests.chains.solana_world import ATTESTERS, BNB, BNB_GATEWAY, SolanaWorld, solana_devnet

pytestmark = pytest.mark.asyncio(loop_scope="module")

World = tuple[SolanaDevnet, SolanaWorld]
KEYS = [attester.public for attester in ATTESTERS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """A devnet with faults, and a bridge on it."""
    async with solana_devnet() as made:
        yield made


def some_deposit(world: SolanaWorld, asset: str = "TSLAx") -> Deposit:
    """A deposit of the peer, to be delivered here."""
    harness = world.harness(BNB, BNB_GATEWAY)
    return harness.peer_deposit(asset, some_shares(), harness.recipient())


def slow(world: SolanaWorld) -> SolanaDrafter:
    """A drafter that takes a block for 0.4 s, as on mainnet: 150 of them live a minute."""
    return SolanaDrafter(replace(world.config, slot_seconds=0.4), world.rpc)


async def test_a_short_life_is_had_from_an_older_block(world: World) -> None:
    """A lease of 30 s allows half of a blockhash's life: an older block is named, and accepted."""
    _, it = world
    drafter, deposit = slow(it), some_deposit(it)
    while await it.rpc.call("getBlockHeight") < 150:
        await asyncio.sleep(0.2)
    dies_at = int(time.time()) + 30
    draft = await drafter.draft(ActKind.DELIVER, deposit, dies_at=dies_at, attesters=KEYS)
    newest = await it.rpc.call("getBlockHeight", {"commitment": "confirmed"})
    life = int(draft.terms["last_valid"]) - newest
    assert 40 < life < 62
    assert draft.dies_at <= dies_at
    await slow(it).check_terms(ActKind.DELIVER, deposit, draft.terms, latest=dies_at)


async def test_a_life_too_short_to_be_signed_in_is_not_drafted(world: World) -> None:
    """Better no draft now than one that nodes no longer forward."""
    _, it = world
    with pytest.raises(Unavailable, match="too short"):
        await slow(it).draft(
            ActKind.DELIVER, some_deposit(it), dies_at=int(time.time()) + 3, attesters=KEYS
        )


async def test_the_newest_block_outlives_a_short_lease(world: World) -> None:
    """An attester refuses a message that may land after the time allowed."""
    _, it = world
    drafter, deposit = slow(it), some_deposit(it)
    dies_at = int(time.time()) + 600
    draft = await drafter.draft(ActKind.DELIVER, deposit, dies_at=dies_at, attesters=KEYS)
    with pytest.raises(DraftRefused, match="may land"):
        await drafter.check_terms(
            ActKind.DELIVER, deposit, draft.terms, latest=int(time.time()) + 30
        )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("last_valid", lambda text: str(int(text) - 20)),
        ("slot", lambda text: str(int(text) - 1)),
        ("blockhash", lambda _: base58.b58encode(secrets.token_bytes(32)).decode()),
        ("payer", lambda _: base58.b58encode(KEYS[0]).decode()),
        ("signers", lambda text: text.split(",")[0]),
        ("signers", lambda text: ",".join(2 * text.split(",")[:1])),
        ("signers", lambda text: text + "," + base58.b58encode(KEYS[2]).decode()),
        ("signers", lambda _: ",".join(base58.b58encode(bytes([n]) * 32).decode() for n in (8, 9))),
    ],
)
async def test_changed_terms_are_not_signed(world: World, name: str, change: object) -> None:
    """A lie about the block's age, a hash of no block, a foreign or doubled signer: refused."""
    _, it = world
    assert callable(change)
    drafter, deposit = SolanaDrafter(it.config, it.rpc), some_deposit(it)
    dies_at = int(time.time()) + 600
    draft = await drafter.draft(ActKind.DELIVER, deposit, dies_at=dies_at, attesters=KEYS)
    terms = {**draft.terms, name: change(draft.terms[name])}
    with pytest.raises(DraftRefused):
        await SolanaDrafter(it.config, it.rpc).check_terms(
            ActKind.DELIVER, deposit, terms, latest=dies_at
        )


async def test_a_block_that_the_node_has_not_seen_is_waited_for(world: World) -> None:
    """An attester whose node lags answers later, it does not refuse for good."""
    _, it = world
    drafter, deposit = SolanaDrafter(it.config, it.rpc), some_deposit(it)
    dies_at = int(time.time()) + 600
    draft = await drafter.draft(ActKind.DELIVER, deposit, dies_at=dies_at, attesters=KEYS)
    terms = {**draft.terms, "slot": str(int(draft.terms["slot"]) + 10_000)}
    with pytest.raises(Unavailable):
        await drafter.check_terms(ActKind.DELIVER, deposit, terms, latest=dies_at)


async def test_a_stale_block_is_not_signed(world: World) -> None:
    """A message whose blockhash has run out is refused, however long it was allowed to live."""
    _, it = world
    drafter, deposit = SolanaDrafter(it.config, it.rpc), some_deposit(it)
    dies_at = int(time.time()) + 600
    draft = await drafter.draft(ActKind.DELIVER, deposit, dies_at=dies_at, attesters=KEYS)
    await it.harness(BNB, None).doom(_submission(it.config, int(draft.terms["last_valid"])))
    with pytest.raises(DraftRefused, match="no longer recent"):
        await SolanaDrafter(it.config, it.rpc).check_terms(
            ActKind.DELIVER, deposit, draft.terms, latest=dies_at
        )


async def test_drafts_need_a_payer_and_a_quorum(world: World) -> None:
    """Without the fee key nothing is drafted, nor with too few attesters."""
    _, it = world
    until, deposit = int(time.time()) + 600, some_deposit(it)
    with pytest.raises(SettingRefused):
        await SolanaDrafter(replace(it.config, payer=None), it.rpc).draft(
            ActKind.DELIVER, deposit, dies_at=until, attesters=KEYS
        )
    with pytest.raises(DraftRefused):
        await SolanaDrafter(it.config, it.rpc).draft(
            ActKind.DELIVER, deposit, dies_at=until, attesters=KEYS[:1]
        )


@pytest.mark.parametrize(
    "change",
    [
        {"asset": "NVDAx"},
        {"shares": Shares(WAD + 1)},
        {"shares": Shares(0)},
        {"shares": Shares(2**64 * 10**10)},
        {"destination": None},
        {"destination": BNB},
        {"recipient": Account(bytes(32))},
    ],
)
async def test_what_cannot_be_delivered_has_no_message(
    world: World, change: dict[str, object]
) -> None:
    """Foreign assets, dust, amounts beyond an account, other destinations: refused as a draft."""
    _, it = world
    drafter = SolanaDrafter(it.config, it.rpc)
    deposit = replace(some_deposit(it), **change)  # type: ignore[arg-type]  # one field each
    with pytest.raises(DraftRefused):
        await drafter.draft(
            ActKind.DELIVER, deposit, dies_at=int(time.time()) + 600, attesters=KEYS
        )


async def test_an_empty_payer_names_what_is_missing(world: World) -> None:
    """A fee key without lamports waits to be funded, and goes on once it is."""
    _, it = world
    payer = Ed25519Signer(secrets.token_bytes(32))
    config = replace(it.config, payer=Account(payer.public))
    harness = replace(
        it.harness(BNB, BNB_GATEWAY),
        drafter=SolanaDrafter(config, it.rpc),
        writer=SolanaWriter(config, it.rpc, payer),
    )
    deposit = some_deposit(it)
    for gift in (0, 1_000_000):
        if gift:
            await fund(it.wallet, {Account(payer.public): gift})
        with pytest.raises(PayerEmpty, match=r"\d+ lamports"):
            await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)
    await fund(it.wallet, {Account(payer.public): 10**8})
    _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
    assert landing.kind is LandingKind.LANDED


async def test_an_exhausted_allowance_is_told_in_words(world: World) -> None:
    """The vault's cap holds on chain: a release above it is refused before it is sent."""
    _, it = world
    harness = it.harness(BNB, BNB_GATEWAY)
    deposit = harness.peer_deposit("AAPLx", Shares(10_001 * WAD), harness.recipient())
    with pytest.raises(Unwanted, match="instruction 5"):
        await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)


async def test_a_dropped_transaction_lands_when_it_is_sent_again(world: World) -> None:
    """A node that loses the bytes is sent the same bytes once more."""
    devnet, it = world
    harness, deposit = it.harness(BNB, BNB_GATEWAY), some_deposit(it)
    submission = await harness.writer.seal(
        [await harness.act(ActKind.DELIVER, deposit)], nonce=None
    )
    devnet.faults.drop_transactions(1)
    await harness.writer.broadcast(submission)
    await asyncio.sleep(0.5)
    assert (await harness.landing(submission)).kind is LandingKind.PENDING
    await harness.writer.broadcast(submission)
    assert (await harness.landed(submission)).kind is LandingKind.LANDED


async def test_bytes_that_no_node_takes_are_refused(world: World) -> None:
    """What does not decode can never land."""
    _, it = world
    harness = it.harness(BNB, BNB_GATEWAY)
    with pytest.raises(Refused):
        await harness.writer.broadcast(_submission(it.config, 1))


async def test_absence_is_not_death_on_a_node_that_forgot(world: World) -> None:
    """An endpoint without the history in which it could have landed cannot say that it is dead."""
    devnet, it = world
    harness = it.harness(BNB, BNB_GATEWAY)
    act = await harness.act(ActKind.DELIVER, some_deposit(it))
    submission = await harness.writer.seal([act], nonce=None)
    await harness.doom(submission)
    slot = await it.rpc.call("getSlot")
    devnet.faults.overrides["getFirstAvailableBlock"] = lambda *_: slot
    try:
        landing = await harness.landing(submission)
        while not landing.detail:
            await asyncio.sleep(0.1)
            landing = await harness.landing(submission)
        assert landing.kind is LandingKind.PENDING
        assert "holds blocks from" in landing.detail
    finally:
        devnet.faults.overrides.clear()
    assert (await harness.landed(submission)).kind is LandingKind.DEAD


async def test_the_pace_of_blocks_is_measured(world: World) -> None:
    """After some seconds the assumed length of a block gives way to the real one."""
    _, it = world
    blocks = Blocks(it.rpc, 9.0, time.time)
    assert blocks.pace == 9.0
    for _ in range(4):
        await blocks.tip()
        await asyncio.sleep(0.8)
    assert 0.02 < blocks.pace < 0.2


async def test_a_mint_without_receipt_is_never_silent(world: World) -> None:
    """A mint by the quorum outside the grammar is told as a delivery that has no deposit."""
    _, it = world
    harness = it.harness(BNB, BNB_GATEWAY)
    first = (await harness.reader.final_head()).height + 1
    mint, owner = bytes(it.config.tokens[0].token), bytes(it.user.pubkey())
    thieves = [Keypair.from_seed(bytes([17 + number]) * 32) for number in range(2)]
    signers = [bytes(thief.pubkey()) for thief in thieves]
    target = programs.token_account(owner, mint)
    forged = programs.mint_to(mint, target, 7, bytes(it.config.multisig), signers=signers)
    tx = await it.send([forged], it.user, *thieves)
    facts = await harness.facts_until(first, lambda fact: fact.type == "delivery")
    [delivery] = [fact for fact in facts if fact.type == "delivery" and fact.tx == tx]
    assert (delivery.source, delivery.shares) == (None, 7 * 10**10)


def _submission(config: SolanaConfig, bounds: int) -> Submission:
    tx = base58.b58encode(bytes(64)).decode()
    return Submission(tx=tx, chain=config.chain, ids=(), raw=b"\1\2\3", bounds=bounds, made_at=0.0)
