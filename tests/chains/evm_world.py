"""An EVM node with a bridge on it: Anvil, or the node that the environment names."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.depositor import EvmDepositor
from relayer.chains.evm.drafter import EvmDrafter
from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.sender import EvmSender
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.evm.writer import EvmWriter
from relayer.chains.gateway.configure import (
    BridgePlan,
    Call,
    Deployment,
    PeerPlan,
    TokenPlan,
    call,
)
from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.domain.address import Account, ChainId, account_from_evm, word_of
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import Submission
from relayer.domain.transfer import Mode
from relayer.signing.local import Secp256k1Signer, parse_secret
from tests.chains.harness import ChainHarness, fresh_account

SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
TRON = ChainId("tron:0x2b6653dc")
TRON_GATEWAY = fresh_account(TRON)
ATTESTERS = [Secp256k1Signer(bytes([17 + number]) * 32) for number in range(3)]


class EvmControls:
    """The issuer and the operator of the bridge under test."""

    def __init__(self, setup: EvmSetup, deployment: Deployment, reader: EvmReader) -> None:
        self._setup = setup
        self._tokens = {place.asset: word_of(place.token) for place in deployment.tokens}
        self._reader = reader

    async def set_multiplier(self, asset: str, multiplier: int) -> None:
        signature = "updateMultiplierValue(uint256,uint256,uint256)"
        now = {one.asset: one.multiplier for one in await self._reader.snapshots()}
        await self._setup.run(call(self._tokens[asset], signature, multiplier, now[asset], 0))

    async def pause(self, asset: str, *, paused: bool) -> None:
        await self._setup.run(call(self._tokens[asset], "setPause(bool)", paused))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A node, a bridge on it, and funded keys."""

    rpc: EvmRpc
    config: EvmConfig
    setup: EvmSetup
    deployment: Deployment
    funder: EvmSender
    payer: Secp256k1Signer
    user: Secp256k1Signer


@asynccontextmanager
async def evm_world() -> AsyncIterator[World]:
    """Anvil, or the node of XSTOCKS_TEST_EVM_URL with the funded key XSTOCKS_TEST_EVM_KEY."""
    async with AsyncExitStack() as stack:
        url, key = os.environ.get("XSTOCKS_TEST_EVM_URL"), os.environ.get("XSTOCKS_TEST_EVM_KEY")
        if url is None or key is None:
            anvil = await stack.enter_async_context(Anvil(AnvilConfig(block_time=0.25)))
            url, key = anvil.url, anvil.keys[0]
        rpc = EvmRpc(url)
        stack.push_async_callback(rpc.close)
        yield await make_world(rpc, url, Secp256k1Signer(parse_secret(key, "the test's key")))


async def make_world(rpc: EvmRpc, url: str, admin: Secp256k1Signer) -> World:
    """Deploy a bridge with one token of each mode and open it to both peers."""
    chain = ChainId(f"eip155:{int(await rpc.call('eth_chainId', []), 16)}")
    payer, user = (Secp256k1Signer(secrets.token_bytes(32)) for _ in range(2))
    sender = EvmSender(rpc, admin)
    for poor in (payer, user):
        gift = Call(to=poor.public, data=b"")
        await sender.all_mined(await sender.send(gift, gas=21_000, wei=WAD))
    tokens = [
        TokenPlan(
            asset=asset,
            name=f"{asset} xStock",
            mode=mode,
            inventory=Shares(inventory * WAD),
            issued={account_from_evm(user.public): Shares(1_000 * WAD)},
        )
        for asset, mode, inventory in (
            ("TSLAx", Mode.BURN_MINT, 0),
            ("AAPLx", Mode.LOCK_RELEASE, 5_000),
        )
    ]
    setup = EvmSetup(rpc, admin)
    deployment = await setup.deploy(
        BridgePlan(
            chain=chain,
            guardian=account_from_evm(admin.public),
            attesters=[attester.public for attester in ATTESTERS],
            quorum=2,
            tokens=tokens,
        )
    )
    peers = [
        PeerPlan(chain=SOLANA, fee=10**15),
        PeerPlan(chain=TRON, fee=10**14, gateway=TRON_GATEWAY),
    ]
    await setup.connect(deployment, tokens, peers)
    config = EvmConfig(
        chain=chain,
        url=url,
        gateway=deployment.gateway,
        tokens=deployment.tokens,
        peers=(SOLANA, TRON),
        attesters=tuple(attester.public for attester in ATTESTERS),
        quorum=2,
        first_height=deployment.first_height,
        poll_seconds=0.2,
        state_seconds=0.0,  # an epoch that a test has just changed is read at once
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
        return int(await rpc.call("eth_blockNumber", []), 16)

    async def doom(submission: Submission) -> None:
        """Spend the submission's nonce on something else."""
        await EvmSender(rpc, world.payer).send(Call(to=world.payer.public, data=b""), gas=21_000)

    def penniless() -> tuple[EvmDrafter, EvmWriter]:
        payer = Secp256k1Signer(secrets.token_bytes(32))
        return EvmDrafter(config, rpc), EvmWriter(config, rpc, payer)

    async def fund(account: Account) -> None:
        gift = Call(to=word_of(account), data=b"")
        await world.funder.all_mined(await world.funder.send(gift, gas=21_000, wei=WAD // 10))

    return ChainHarness(
        reader=EvmReader(config, rpc),
        drafter=EvmDrafter(config, rpc),
        writer=EvmWriter(config, rpc, world.payer),
        depositor=EvmDepositor(config, rpc, world.user),
        controls=EvmControls(world.setup, world.deployment, EvmReader(config, rpc)),
        attesters=ATTESTERS,
        peer=peer,
        peer_gateway=gateway,
        burn_mint="TSLAx",
        lock_release="AAPLx",
        newest=newest,
        doom=doom,
        penniless=penniless,
        fund=fund,
    )
