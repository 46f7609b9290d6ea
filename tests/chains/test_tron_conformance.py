"""The conformance suite on Tron: the devnet's node, or the one that the environment names."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio

from relayer.chains.gateway.configure import (
    BridgePlan,
    Deployment,
    PeerPlan,
    TokenPlan,
    call,
)
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.depositor import TronDepositor
from relayer.chains.tron.drafter import TronDrafter
from relayer.chains.tron.identity import prove
from relayer.chains.tron.reader import TronReader
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.sender import TronSender
from relayer.chains.tron.setup import TronSetup
from relayer.chains.tron.writer import TronWriter
from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from relayer.domain.address import Account, ChainId, account_from_tron, word_of
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import Submission
from relayer.domain.transfer import Mode
from relayer.signing.local import Secp256k1Signer, parse_secret
from tests.chains.books import Books
from tests.chains.conformance import ChainConformance
from tests.chains.harness import ChainHarness, fresh_account
from tests.chains.liars import liar, lie_of_tron
from tests.chains.misbehaving import Misbehaving
from tests.chains.reading import Reading
from tests.chains.several import ActingThroughThree, through_three

REAL = "XSTOCKS_TEST_TRON_URL" in os.environ
PATIENT_SECONDS = 300 if REAL else 60
"""A real node makes a block every 3 seconds."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(PATIENT_SECONDS),
]

SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
BNB = ChainId("eip155:56")
BNB_GATEWAY = fresh_account(BNB)
ATTESTERS = [Secp256k1Signer(bytes([17 + number]) * 32) for number in range(3)]
GIFT_SUN = 20_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A node, a bridge on it, and funded keys."""

    rpc: TronRpc
    config: TronConfig
    setup: TronSetup
    deployment: Deployment
    funder: TronSender
    payer: Secp256k1Signer
    user: Secp256k1Signer


class TronControls:
    """The issuer and the operator of the bridge under test."""

    def __init__(self, world: World) -> None:
        self._setup = world.setup
        self._tokens = {place.asset: word_of(place.token) for place in world.deployment.tokens}
        self._reader = TronReader(world.config, world.rpc)

    async def set_multiplier(self, asset: str, multiplier: int) -> None:
        signature = "updateMultiplierValue(uint256,uint256,uint256)"
        now = {one.asset: one.multiplier for one in await self._reader.snapshots()}
        await self._setup.run(call(self._tokens[asset], signature, multiplier, now[asset], 0))

    async def pause(self, asset: str, *, paused: bool) -> None:
        await self._setup.run(call(self._tokens[asset], "setPause(bool)", paused))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """The devnet's Tron, or the node of XSTOCKS_TEST_TRON_URL, _SOLIDITY_URL and _KEY (funded)."""
    async with AsyncExitStack() as stack:
        if REAL:
            urls = os.environ["XSTOCKS_TEST_TRON_URL"], os.environ["XSTOCKS_TEST_TRON_SOLIDITY_URL"]
            admin = parse_secret(os.environ["XSTOCKS_TEST_TRON_KEY"], "the test's key")
        else:
            devnet = TronDevnet(TronDevnetConfig(block_seconds=0.25))
            await stack.enter_async_context(devnet)
            urls, admin = (devnet.full_url, devnet.solidity_url), devnet.keys[0]
        rpc = TronRpc(*urls)
        stack.push_async_callback(rpc.close)
        chain = ChainId(f"tron:0x{(await rpc.genesis()).id[-4:].hex()}")
        yield await make_world(rpc, urls, chain, Secp256k1Signer(admin))


async def make_world(
    rpc: TronRpc, urls: tuple[str, str], chain: ChainId, admin: Secp256k1Signer
) -> World:
    """Deploy a bridge with one token of each mode and open it to both peers."""
    payer, user = (Secp256k1Signer(secrets.token_bytes(32)) for _ in range(2))
    sender = TronSender(rpc, admin, poll_seconds=0.2)
    await sender.ready()
    for gift in [await sender.give(poor.public, GIFT_SUN) for poor in (payer, user)]:
        await sender.included(gift, contract=False)
    tokens = [
        TokenPlan(
            asset=asset,
            name=f"{asset} xStock",
            mode=mode,
            inventory=Shares(inventory * WAD),
            issued={account_from_tron(user.public): Shares(1_000 * WAD)},
        )
        for asset, mode, inventory in (
            ("TSLAx", Mode.BURN_MINT, 0),
            ("AAPLx", Mode.LOCK_RELEASE, 5_000),
        )
    ]
    setup = TronSetup(rpc, admin, poll_seconds=0.2)
    deployment = await setup.deploy(
        BridgePlan(
            chain=chain,
            guardian=account_from_tron(admin.public),
            attesters=[attester.public for attester in ATTESTERS],
            quorum=2,
            tokens=tokens,
        )
    )
    peers = [
        PeerPlan(chain=SOLANA, fee=3_000_000),
        PeerPlan(chain=BNB, fee=1_000_000, gateway=BNB_GATEWAY),
    ]
    await setup.connect(deployment, tokens, peers)
    config = TronConfig(
        chain=chain,
        url=urls[0],
        solidity_url=urls[1],
        gateway=deployment.gateway,
        tokens=deployment.tokens,
        peers=(SOLANA, BNB),
        attesters=tuple(attester.public for attester in ATTESTERS),
        quorum=2,
        first_height=deployment.first_height,
        poll_seconds=0.4,
        expiration_seconds=12 if REAL else 5,
        batch=2 if REAL else 4,
    )
    return World(
        rpc=rpc,
        config=config,
        setup=setup,
        deployment=deployment,
        funder=sender,
        payer=payer,
        user=user,
    )


def harness_of(world: World, peer: ChainId, gateway: Account | None) -> ChainHarness:
    """The harness of a world for one peer."""
    config, rpc = world.config, world.rpc

    async def newest() -> int:
        return (await rpc.head()).number

    async def doom(submission: Submission) -> None:
        """Wait until its time is over."""
        late = submission.bounds - (await rpc.solid_head()).time_ms
        await asyncio.sleep(late / 1000)

    def penniless() -> tuple[TronDrafter, TronWriter]:
        payer = Secp256k1Signer(secrets.token_bytes(32))
        return TronDrafter(config, rpc), TronWriter(config, rpc, payer)

    async def fund(account: Account) -> None:
        await world.funder.included(
            await world.funder.give(word_of(account), GIFT_SUN // 10), contract=False
        )

    return ChainHarness(
        reader=TronReader(config, rpc),
        drafter=TronDrafter(config, rpc),
        writer=TronWriter(config, rpc, world.payer),
        depositor=TronDepositor(config, rpc, world.user),
        controls=TronControls(world),
        attesters=ATTESTERS,
        peer=peer,
        peer_gateway=gateway,
        burn_mint="TSLAx",
        lock_release="AAPLx",
        newest=newest,
        doom=doom,
        penniless=penniless,
        fund=fund,
        second_tries=3 if REAL else 0,
    )


class TestTronWithSolana(ChainConformance):
    """A peer whose deposits are named by their place."""

    @pytest.fixture
    def harness(self, world: World) -> ChainHarness:
        """Deposits go to and come from Solana."""
        return harness_of(world, SOLANA, None)


class TestTronWithBnb(ChainConformance):
    """A peer whose gateway counts its deposits.

    How a transaction dies has nothing to do with the peer: that is waited for with Solana alone.
    """

    test_what_can_never_land_is_dead = None  # type: ignore[assignment]  # not collected
    test_what_expired_is_drafted_again_and_delivered_once = None  # type: ignore[assignment]

    @pytest.fixture
    def harness(self, world: World) -> ChainHarness:
        """Deposits go to and come from BNB Chain."""
        return harness_of(world, BNB, BNB_GATEWAY)


class TestTronThroughThreeEndpoints(Reading, ActingThroughThree, Books, Misbehaving):
    """What is read, drafted and sent through three endpoints, one of which lies at every other question."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def harness(self, world: World) -> AsyncIterator[ChainHarness]:
        """The first endpoint is the liar."""
        config = world.config
        async with (
            liar(config.url, lie_of_tron) as node,
            liar(config.solidity_url, lie_of_tron) as view,
        ):
            true = (config.url, config.solidity_url)
            rpcs = [TronRpc(*urls) for urls in ((node.url, view.url), true, true)]
            provers = [partial(prove, rpc, config.chain) for rpc in rpcs]
            readers = [TronReader(config, rpc) for rpc in rpcs]
            drafters = [TronDrafter(config, rpc) for rpc in rpcs]
            writers = [TronWriter(config, rpc, world.payer) for rpc in rpcs]
            ports = readers, drafters, writers
            made = harness_of(world, BNB, BNB_GATEWAY)
            async with through_three(made, [node, view], provers, ports) as several:
                yield several
