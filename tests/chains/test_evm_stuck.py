"""What a lane does on a real EVM node about transactions that do not get in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.sender import EvmSender
from relayer.chains.evm.transaction import read_transaction
from relayer.chains.evm.writer import EvmWriter
from relayer.chains.gateway.configure import Call
from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.domain.draft import Act, LandingKind, Submission
from relayer.domain.errors import FeeCapped, Unavailable
from relayer.domain.facts import Landed, Unlanded
from relayer.domain.reasons import Reason
from relayer.domain.transfer import ActKind
from relayer.signing.local import Secp256k1Signer, parse_secret
from tests.chains.evm_world import TRON, TRON_GATEWAY, World, harness_of, make_world
from tests.chains.following import Follower, prices
from tests.chains.harness import ChainHarness, some_shares

pytestmark = pytest.mark.asyncio(loop_scope="module")

GWEI = 10**9
HIGH = 50 * GWEI


@dataclass(slots=True)
class Miner:
    """Makes a block every quarter of a second, unless it is told not to."""

    anvil: Anvil
    resting: bool = False

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if not self.resting:
                await self.anvil.rpc.call("evm_mine")
            await asyncio.sleep(0.25)


Node = tuple[World, Miner]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    """A node whose base fee, pool and miner a test may change, and a bridge on it."""
    async with Anvil(AnvilConfig(block_time=None)) as anvil:
        miner = Miner(anvil)
        work = asyncio.create_task(miner.run())
        rpc = EvmRpc(anvil.url)
        admin = Secp256k1Signer(parse_secret(anvil.keys[0], "the test's key"))
        yield await make_world(rpc, anvil.url, admin), miner
        work.cancel()
        await rpc.close()


@pytest.fixture
def world(node: Node) -> World:
    """The bridge."""
    return node[0]


@pytest.fixture
def miner(node: Node) -> Miner:
    """Who makes the blocks."""
    return node[1]


@pytest.fixture
def harness(world: World) -> ChainHarness:
    """Deposits come from Tron."""
    return harness_of(world, TRON, TRON_GATEWAY)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _calm(world: World, miner: Miner) -> None:
    """Every test begins with an empty pool, next to no base fee, and blocks that are made."""
    miner.resting = False
    await empty_the_pool(world)
    await set_base_fee(world, 1)
    before = await world.rpc.call("eth_blockNumber", [])
    while await world.rpc.call("eth_blockNumber", []) == before:
        await asyncio.sleep(0.05)


async def delivery(harness: ChainHarness, seconds: int = 600) -> Act:
    """An attested delivery to a new account."""
    deposit = harness.peer_deposit("TSLAx", some_shares(), harness.recipient())
    draft = await harness.draft(ActKind.DELIVER, deposit, seconds=seconds)
    return await harness.act(ActKind.DELIVER, deposit, draft=draft)


async def sealed(harness: ChainHarness, count: int, seconds: int = 600) -> list[Submission]:
    """Submissions of one act each, on consecutive nonces; nothing is sent."""
    made: list[Submission] = []
    for _ in range(count):
        nonce = None if not made else (made[-1].nonce or 0) + 1
        act = await delivery(harness, seconds)
        made.append(await harness.writer.seal([act], nonce=nonce))
    return made


async def set_base_fee(world: World, wei: int) -> None:
    """The base fee of the next block; it then falls by an eighth with every empty block."""
    await world.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(wei)])


async def empty_the_pool(world: World) -> None:
    """What a node's restart does to transactions that are in no block."""
    await world.rpc.call("anvil_dropAllTransactions", [])


def bounded(world: World, **changes: int) -> EvmWriter:
    """A writer with other bounds on what it pays."""
    config: EvmConfig = replace(world.config, **changes)  # type: ignore[arg-type]  # numbers only
    return EvmWriter(config, world.rpc, world.payer)


async def delivered_once(harness: ChainHarness, submissions: Sequence[Submission]) -> None:
    """Each transfer has its receipt."""
    await harness.settle()
    ids = [i for one in submissions for i in one.ids]
    assert set(await harness.reader.receipts(ids)) == set(ids)


async def test_a_surge_of_fees_is_outbid_on_the_same_nonce(
    world: World, miner: Miner, harness: ChainHarness
) -> None:
    """Three submissions below a new base fee: dearer ones on their nonces land, the cheap die."""
    miner.resting = True
    made = await sealed(harness, 3)
    follower = Follower(harness.writer)
    await follower.send(*made)
    await set_base_fee(world, HIGH)
    miner.resting = False
    await follower.finished()
    landed = follower.landed()
    assert len(landed) == 3
    assert made[0].tx not in landed
    assert [type(fact) for fact in follower.facts] == [Landed] * 3
    assert {one.kind for tx, one in follower.ends.items() if tx not in landed} <= {LandingKind.DEAD}
    await delivered_once(harness, made)


async def test_above_the_cap_it_waits_says_so_and_goes_on_by_itself(
    world: World, harness: ChainHarness
) -> None:
    """No price above the cap is ever signed; when the base fee falls the same bytes land."""
    made = await sealed(harness, 1)
    cap = made[0].price * 5 // 4
    await set_base_fee(world, HIGH)
    follower = Follower(bounded(world, gas_price_cap=cap))
    await follower.send(*made)
    await follower.until(lambda: bool(follower.stuck()))
    assert {fact.reason for fact in follower.stuck()} == {Reason.FEE_CAPPED}
    assert str(cap) in follower.stuck()[-1].detail
    assert max(prices(follower.kept.values())) <= cap
    with pytest.raises(FeeCapped):
        await bounded(world, gas_price_cap=cap).seal([await delivery(harness)], nonce=None)
    await set_base_fee(world, 1)
    await follower.finished()
    await delivered_once(harness, made)


async def test_a_restarted_node_gets_everything_again(
    world: World, miner: Miner, harness: ChainHarness
) -> None:
    """Three in flight, and the pool is empty: the same bytes are sent again, lowest nonce first."""
    miner.resting = True
    made = await sealed(harness, 3)
    follower = Follower(harness.writer)
    await follower.send(*made)
    await empty_the_pool(world)
    miner.resting = False
    await follower.finished()
    assert set(follower.landed()) == {one.tx for one in made}
    await delivered_once(harness, made)


async def test_a_gap_below_the_lane_is_filled(
    world: World, miner: Miner, harness: ChainHarness
) -> None:
    """A stranger's pending transaction with the same key is lost: its nonce is used up empty."""
    miner.resting = True
    stranger = EvmSender(world.rpc, world.payer)
    await stranger.send(Call(to=world.payer.public, data=b""), gas=21_000)
    used = await world.rpc.call("eth_getTransactionCount", [_hex(world.payer.public), "latest"])
    [ours] = await sealed(harness, 1)
    assert ours.nonce == int(used, 16) + 1
    follower = Follower(harness.writer)
    await follower.send(ours)
    await empty_the_pool(world)
    miner.resting = False
    await follower.finished()
    assert ours.tx in follower.landed()
    fillers = [tx for tx in follower.landed() if tx != ours.tx]
    assert len(fillers) == 1
    await delivered_once(harness, [ours])


async def test_a_stranger_with_the_same_key_takes_a_nonce(
    world: World, harness: ChainHarness
) -> None:
    """Ours on that nonce is dead and drafted again; the one behind it lands."""
    ours, behind = await sealed(harness, 2)
    await harness.doom(ours)
    follower = Follower(harness.writer)
    await follower.send(ours, behind)
    await follower.finished()
    assert follower.ends[ours.tx].kind is LandingKind.DEAD
    assert follower.landed() == [behind.tx]
    [lost] = [fact for fact in follower.facts if isinstance(fact, Unlanded)]
    assert (lost.id, lost.reason) == (ours.ids[0], Reason.SUBMISSION_EXPIRED)


async def test_what_is_late_does_not_block_the_nonces_behind(
    miner: Miner, harness: ChainHarness
) -> None:
    """Past its deadline it would execute nothing: its nonce is used up, for a plain payment."""
    [late] = await sealed(harness, 1, seconds=2)
    behind = await harness.writer.seal([await delivery(harness)], nonce=(late.nonce or 0) + 1)
    miner.resting = True
    follower = Follower(harness.writer)
    await follower.send(late, behind)
    await follower.until(lambda: any(not one.ids for one in follower.kept.values()))
    miner.resting = False
    await follower.finished()
    [lost] = [fact for fact in follower.facts if isinstance(fact, Unlanded)]
    assert (lost.id, lost.reason) == (late.ids[0], Reason.SUBMISSION_EXPIRED)
    assert late.tx not in follower.landed()
    await delivered_once(harness, [behind])
    assert not await harness.reader.receipts(late.ids)


async def test_what_nobody_wants_any_more_is_emptied(world: World, harness: ChainHarness) -> None:
    """Delivered otherwise meanwhile: the nonce is freed without the gas of the acts."""
    made = await sealed(harness, 1)
    await set_base_fee(world, HIGH)
    follower = Follower(bounded(world, gas_price_cap=10 * HIGH), wanted=lambda _: False)
    await follower.send(*made)
    await follower.finished()
    [winner] = follower.landed()
    assert winner != made[0].tx
    assert (await world.rpc.call("eth_getTransactionReceipt", [winner]))["gasUsed"] == hex(21_000)


async def test_a_payer_that_runs_dry_says_what_is_missing_and_goes_on(
    world: World, harness: ChainHarness
) -> None:
    """The dearer transaction cannot be paid: said with the wei, and made after the funding."""
    made = await sealed(harness, 1)
    payer = _hex(world.payer.public)
    before = await world.rpc.call("eth_getBalance", [payer, "latest"])
    await set_base_fee(world, HIGH)
    follower = Follower(harness.writer)
    await follower.send(*made)
    await world.rpc.call("anvil_setBalance", [payer, "0x1"])
    try:
        await follower.until(lambda: bool(follower.stuck()))
        assert {fact.reason for fact in follower.stuck()} == {Reason.PAYER_EMPTY}
        assert "wei" in follower.stuck()[-1].detail
        assert await harness.writer.balance() < 1e-9
    finally:
        await world.rpc.call("anvil_setBalance", [payer, before])
    await follower.finished()
    await delivered_once(harness, made)


@pytest.mark.parametrize("sent", [(), (0,), (1,), (0, 1)])
async def test_a_crash_around_a_replacement_ends_right(
    miner: Miner, harness: ChainHarness, sent: tuple[int, ...]
) -> None:
    """Both kept; neither, one or both in the pool: one lands, once, and the race is over."""
    miner.resting = True
    [made] = await sealed(harness, 1)
    dearer = await harness.writer.outbid(made.nonce or 0, [made], empty=False)
    assert dearer.price * 100 >= made.price * 110
    assert (dearer.nonce, dearer.ids) == (made.nonce, made.ids)
    assert read_transaction(dearer.raw).data == read_transaction(made.raw).data
    for place in sent:
        await harness.writer.broadcast((made, dearer)[place])
    miner.resting = False
    follower = Follower(harness.writer)
    await follower.send(made, dearer, lost=True)
    await follower.finished()
    assert [type(fact) for fact in follower.facts] == [Landed]
    assert len(follower.landed()) == 1
    await delivered_once(harness, [made])


async def test_the_words_of_a_node_about_a_nonce_are_no_end(
    miner: Miner, harness: ChainHarness
) -> None:
    """Underpriced, known, and used: none of them makes bytes impossible or lost."""
    miner.resting = True
    [made] = await sealed(harness, 1)
    dearer = await harness.writer.outbid(made.nonce or 0, [made], empty=False)
    await harness.writer.broadcast(dearer)
    await harness.writer.broadcast(dearer)
    with pytest.raises(Unavailable, match="underpriced"):
        await harness.writer.broadcast(made)
    miner.resting = False
    assert (await harness.landed(dearer)).kind is LandingKind.LANDED
    await harness.writer.broadcast(made)
    assert (await harness.landing(made)).kind is LandingKind.DEAD


def _hex(address: bytes) -> str:
    return "0x" + address.hex()
