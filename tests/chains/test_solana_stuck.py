"""What becomes of messages on Solana that are lost, late, unsigned, or up against a dear market."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from relayer.chains.solana.drafter import SolanaDrafter
from relayer.devnet.solana.rpcerror import RpcError
from relayer.devnet.solana.server import SolanaDevnet
from relayer.domain.draft import LandingKind
from relayer.domain.facts import Landed
from relayer.domain.transfer import ActKind, Deposit
from tests.chains.following import Follower
from tests.chains.harness import ChainHarness, some_shares
from tests.chains.solana_world import ATTESTERS, BNB, BNB_GATEWAY, SolanaWorld, solana_devnet

pytestmark = pytest.mark.asyncio(loop_scope="module")

World = tuple[SolanaDevnet, SolanaWorld]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """A devnet with faults, and a bridge on it."""
    async with solana_devnet() as made:
        yield made


@pytest.fixture
def devnet(world: World) -> SolanaDevnet:
    """The node."""
    return world[0]


@pytest.fixture
def harness(world: World) -> ChainHarness:
    """Deposits come from BNB Chain."""
    return world[1].harness(BNB, BNB_GATEWAY)


def inward(harness: ChainHarness) -> Deposit:
    """A deposit of the peer to a new account."""
    return harness.peer_deposit("TSLAx", some_shares(), harness.recipient())


async def test_what_a_node_loses_is_sent_until_it_lands(
    devnet: SolanaDevnet, harness: ChainHarness
) -> None:
    """Three times the bytes are taken and lost; the fourth time they land, once."""
    deposit = inward(harness)
    made = await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)
    devnet.faults.drop_transactions(3)
    follower = Follower(harness.writer)
    await follower.send(made)
    await follower.finished()
    assert devnet.faults.dropping == 0
    assert [type(fact) for fact in follower.facts] == [Landed]
    assert await harness.shares_of(deposit.recipient, "TSLAx") == deposit.shares


async def test_a_stalled_chain_rules_nothing_out(
    devnet: SolanaDevnet, harness: ChainHarness
) -> None:
    """While no block is made no height passes: pending, and landed when the chain goes on."""
    devnet.faults.stall()
    try:
        act = await harness.act(ActKind.DELIVER, inward(harness))
        made = await harness.writer.seal([act], nonce=None)
        follower = Follower(harness.writer)
        await follower.send(made)
        for _ in range(5):
            await asyncio.sleep(0.2)
            await follower.tick()
        assert follower.kept
    finally:
        devnet.faults.resume()
    await follower.finished()
    assert follower.landed() == [made.tx]


async def test_a_node_that_does_not_answer_rules_nothing_out(
    devnet: SolanaDevnet, harness: ChainHarness
) -> None:
    """Neither 429 nor an error nor a status that is withheld ends a submission."""
    act = await harness.act(ActKind.DELIVER, inward(harness))
    made = await harness.writer.seal([act], nonce=None)

    def refuse(*_: object) -> object:
        raise RpcError(-32005, "Node is behind by 42 slots")

    devnet.faults.overrides["getSignatureStatuses"] = refuse
    follower = Follower(harness.writer)
    try:
        await follower.send(made)
        for _ in range(3):
            devnet.faults.too_many_requests = 1
            await follower.tick()
            await asyncio.sleep(0.1)
        assert follower.kept
    finally:
        devnet.faults.overrides.clear()
    await follower.finished()
    assert follower.landed() == [made.tx]


async def test_a_silent_signer_is_passed_over_and_may_come_late(harness: ChainHarness) -> None:
    """The next draft names others and lands; the first, signed at last, gives nothing more."""
    deposit, keys = inward(harness), [one.public for one in ATTESTERS]
    dies_at = int(time.time()) + 600
    drafts = [
        await harness.drafter.draft(
            ActKind.DELIVER,
            deposit,
            dies_at=dies_at,
            attesters=[*keys[turn:], *keys[:turn]],
            attempt=turn,
        )
        for turn in range(2)
    ]
    named = [draft.terms["signers"] for draft in drafts]
    assert len(set(named)) == 2
    late, quick = [await harness.act(ActKind.DELIVER, deposit, draft=one) for one in drafts]
    first = await harness.writer.seal([late], nonce=None)
    second, landing = await harness.submit(quick)
    assert (landing.kind, first.tx != second.tx) == (LandingKind.LANDED, True)
    await harness.writer.broadcast(first)
    assert (await harness.landed(first)).kind is LandingKind.FAILED
    assert await harness.shares_of(deposit.recipient, "TSLAx") == deposit.shares


async def test_a_message_with_an_unknown_blockhash_dies_by_the_rule(
    harness: ChainHarness, world: World
) -> None:
    """After a fork nobody knows its block: it is never taken, and dead when its height is past."""
    devnet, it = world
    deposit = inward(harness)
    made = await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)
    devnet.faults.drop_transactions(10**6)
    follower = Follower(harness.writer)
    try:
        await follower.send(made)
        await follower.finished()
    finally:
        devnet.faults.drop_transactions(0)
    ended = follower.ends[made.tx]
    assert ended.kind is LandingKind.DEAD
    height = int(ended.detail.split("height ")[1].split(",")[0])
    assert height > made.bounds + 1
    _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
    assert landing.kind is LandingKind.LANDED
    assert await it.rpc.call("getHealth") == "ok"


async def test_prices_follow_the_market_and_rise_by_attempts_within_bounds(
    devnet: SolanaDevnet, world: World, harness: ChainHarness
) -> None:
    """The floor on a quiet market, three quarters of a busy one, twice as much each time, capped."""
    _, it = world
    config = replace(it.config, cu_price=500, cu_price_cap=9_000)
    deposit, keys = inward(harness), [one.public for one in ATTESTERS]

    async def offered(attempt: int, drafter: SolanaDrafter) -> int:
        draft = await drafter.draft(
            ActKind.DELIVER,
            deposit,
            dies_at=int(time.time()) + 600,
            attesters=keys,
            attempt=attempt,
        )
        return int(draft.terms["cu_price"])

    quiet = SolanaDrafter(config, it.rpc)
    devnet.faults.overrides["getRecentPrioritizationFees"] = lambda *_: []
    try:
        assert [await offered(n, quiet) for n in (0, 1, 2, 9, 99)] == [500, 1000, 2000, 9000, 9000]
        busy = [{"slot": n, "prioritizationFee": 100 * n} for n in range(40)]
        devnet.faults.overrides["getRecentPrioritizationFees"] = lambda *_: busy
        assert await offered(0, SolanaDrafter(config, it.rpc)) == 3_000
        devnet.faults.overrides["getRecentPrioritizationFees"] = lambda *_: {"nonsense": 1}
        assert await offered(0, SolanaDrafter(config, it.rpc)) == 500
    finally:
        devnet.faults.overrides.clear()
