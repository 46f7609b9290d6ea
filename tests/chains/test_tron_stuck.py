"""What becomes of Tron transactions that are lost, undone, late, starved, or out of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.writer import TronWriter
from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from relayer.domain.address import ChainId
from relayer.domain.draft import LandingKind
from relayer.domain.errors import FeeCapped
from relayer.domain.facts import Landed, Unlanded
from relayer.domain.reasons import Reason
from relayer.domain.transfer import ActKind, Deposit
from relayer.signing.local import Secp256k1Signer
from tests.chains.following import Follower
from tests.chains.harness import ChainHarness, some_shares
from tests.chains.test_tron_conformance import BNB, BNB_GATEWAY, World, harness_of, make_world

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

Node = tuple[TronDevnet, World]

ONE_CALL = 4
"""How often a call that timed out is asked before it is given up."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    """A devnet with faults, and a bridge on it."""
    async with AsyncExitStack() as stack:
        devnet = TronDevnet(TronDevnetConfig(block_seconds=0.25))
        await stack.enter_async_context(devnet)
        rpc = TronRpc(devnet.full_url, devnet.solidity_url)
        stack.push_async_callback(rpc.close)
        chain = ChainId(f"tron:0x{(await rpc.genesis()).id[-4:].hex()}")
        urls = (devnet.full_url, devnet.solidity_url)
        yield devnet, await make_world(rpc, urls, chain, Secp256k1Signer(devnet.keys[0]))


@pytest.fixture
def devnet(node: Node) -> TronDevnet:
    """The node."""
    return node[0]


@pytest.fixture
def harness(node: Node) -> ChainHarness:
    """Deposits come from BNB Chain."""
    return harness_of(node[1], BNB, BNB_GATEWAY)


def inward(harness: ChainHarness) -> Deposit:
    """A deposit of the peer to a new account."""
    return harness.peer_deposit("TSLAx", some_shares(), harness.recipient())


async def test_what_the_pool_drops_is_sent_until_it_lands(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """Twice taken with SUCCESS and forgotten; the same bytes land the third time, once."""
    deposit = inward(harness)
    made = await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)
    devnet.faults.drop_transactions(2)
    follower = Follower(harness.writer)
    await follower.send(made)
    await follower.finished()
    assert [type(fact) for fact in follower.facts] == [Landed]
    assert await harness.shares_of(deposit.recipient, "TSLAx") == deposit.shares


async def test_a_reorg_brings_the_same_bytes_back(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """Its block is undone and the pool is empty: it refers to a solid block and is mined again."""
    deposit = inward(harness)
    made = await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)
    follower = Follower(harness.writer)
    await follower.send(made)
    await follower.until(lambda: _is_mined(harness, made.tx), 20)
    await devnet.faults.reorg(5)
    await follower.finished()
    assert follower.landed() == [made.tx]
    assert await harness.shares_of(deposit.recipient, "TSLAx") == deposit.shares


async def test_a_pool_that_flickers_proves_nothing(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """The full node knows nothing of it and says so: only the solid view after its time counts."""
    deposit = inward(harness)
    made = await harness.writer.seal([await harness.act(ActKind.DELIVER, deposit)], nonce=None)

    async def nothing(_: dict[str, Any]) -> web.Response:
        return web.json_response({})

    for path in ("/wallet/gettransactioninfobyid", "/wallet/gettransactionbyid"):
        devnet.faults.overrides[path] = nothing
    try:
        follower = Follower(harness.writer)
        await follower.send(made)
        await follower.finished()
    finally:
        devnet.faults.overrides.clear()
    assert follower.landed() == [made.tx]


async def test_what_no_block_took_in_time_is_dead_and_drafted_again(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """The chain stands still past its expiration: pending meanwhile, then dead, never in doubt."""
    deposit = inward(harness)
    act = await harness.act(ActKind.DELIVER, deposit)
    devnet.faults.stall()
    try:
        made = await harness.writer.seal([act], nonce=None)
        follower = Follower(harness.writer)
        await follower.send(made)
        while time.time() * 1000 < made.bounds + 500:
            await follower.tick()
            await asyncio.sleep(0.2)
        assert follower.kept
    finally:
        devnet.faults.resume()
    await follower.finished()
    assert follower.ends[made.tx].kind is LandingKind.DEAD
    await harness.writer.broadcast(made)
    _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
    assert landing.kind is LandingKind.LANDED
    assert await harness.shares_of(deposit.recipient, "TSLAx") == deposit.shares


async def test_a_transaction_dies_with_the_last_of_its_acts(harness: ChainHarness) -> None:
    """What the gateway would skip as expired is never paid for."""
    deposit = inward(harness)
    draft = await harness.draft(ActKind.DELIVER, deposit, seconds=4)
    act = await harness.act(ActKind.DELIVER, deposit, draft=draft)
    made = await harness.writer.seal([act], nonce=None)
    assert made.bounds == draft.dies_at * 1000


async def test_a_batch_that_takes_too_long_is_halved(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """OUT_OF_TIME fails all of it; half as many go into the next one, and land."""
    deposits = [inward(harness) for _ in range(4)]
    acts = [await harness.act(ActKind.DELIVER, one) for one in deposits]
    assert harness.writer.batch == 4
    made = await harness.writer.seal(acts, nonce=None)
    devnet.faults.out_of_time(1)
    follower = Follower(harness.writer)
    await follower.send(made)
    await follower.finished()
    assert follower.ends[made.tx].detail.startswith("OUT_OF_TIME")
    failed = [fact for fact in follower.facts if isinstance(fact, Unlanded)]
    assert [fact.reason for fact in failed] == [Reason.SUBMISSION_FAILED] * 4
    assert harness.writer.batch == 2
    for place in (0, 2):
        _, landing = await harness.submit(*acts[place : place + 2])
        assert landing.kind is LandingKind.LANDED


async def test_the_suite_is_patient_with_a_busy_node_and_takes_no_lack_of_time_for_a_refusal(
    devnet: TronDevnet, harness: ChainHarness
) -> None:
    """As on a real node that is cold: OUT_OF_TIME and timed out calls are tried again, once each."""
    deposits = [inward(harness) for _ in range(3)]
    acts = [await harness.act(ActKind.DELIVER, one) for one in deposits]
    patient = replace(harness, second_tries=1)
    for act, fault, times in (
        (acts[0], devnet.faults.out_of_time, 1),
        (acts[1], devnet.faults.cold, ONE_CALL),
    ):
        fault(times)
        _, landing = await patient.submit(act)
        assert landing.kind is LandingKind.LANDED
        held = await harness.shares_of(act.deposit.recipient, "TSLAx")
        assert held == act.deposit.shares
    devnet.faults.out_of_time(1)
    with pytest.raises(AssertionError, match="no time"):
        await replace(harness, second_tries=0).refusal(acts[2])


async def test_too_little_energy_fails_whole_and_costs_no_more_than_its_limit(
    node: Node, harness: ChainHarness
) -> None:
    """Sealed with less than it turns out to need: nothing is delivered, and it is tried again."""
    _, world = node
    deposit = inward(harness)
    act = await harness.act(ActKind.DELIVER, deposit)
    starved = TronWriter(replace(world.config, energy_headroom_percent=-99), world.rpc, world.payer)
    made = await starved.seal([act], nonce=None)
    before = await starved.balance()
    follower = Follower(starved)
    await follower.send(made)
    await follower.finished()
    ended = follower.ends[made.tx]
    assert ended.kind is LandingKind.FAILED
    assert any(word in ended.detail for word in ("OUT_OF_ENERGY", "GasTooLow"))
    assert await harness.shares_of(deposit.recipient, "TSLAx") == 0
    assert before - await starved.balance() < world.config.fee_limit_cap / 10**6
    _, landing = await harness.submit(await harness.act(ActKind.DELIVER, deposit))
    assert landing.kind is LandingKind.LANDED


async def test_a_call_above_the_fee_limit_is_not_signed(node: Node, harness: ChainHarness) -> None:
    """Held under the price's name, with the sun and the setting."""
    _, world = node
    writer = TronWriter(replace(world.config, fee_limit_cap=1_000), world.rpc, world.payer)
    with pytest.raises(FeeCapped, match=r"may burn \d+ sun, `fee_limit_cap` is 1000"):
        await writer.seal([await harness.act(ActKind.DELIVER, inward(harness))], nonce=None)


def _is_mined(harness: ChainHarness, tx: str) -> bool:
    assert isinstance(harness.writer, TronWriter)
    return harness.writer._look(tx).mined is not None
