"""A Solana cluster with a bridge on it: the devnet, or the node that the environment names.

Environment: XSTOCKS_TEST_SOLANA_URL, XSTOCKS_TEST_SOLANA_WS (its WebSocket, optional), and
XSTOCKS_TEST_SOLANA_KEY, a funded key (hex, base58 or a JSON list); without the key the faucet of
the node is asked.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.depositor import SolanaDepositor, newest_blockhash, send, signed
from relayer.chains.solana.drafter import SolanaDrafter
from relayer.chains.solana.reader import SolanaReader
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.setup import AssetPlan, Deployment, Issuer, Wallet, deploy, fund
from relayer.chains.solana.writer import SolanaWriter
from relayer.devnet.solana.config import SolanaDevnetConfig
from relayer.devnet.solana.server import SolanaDevnet
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import Submission
from relayer.domain.transfer import Mode
from relayer.signing.local import Ed25519Signer, parse_secret
from tests.chains.harness import ChainHarness, fresh_account

BNB = ChainId("eip155:56")
TRON = ChainId("tron:0x2b6653dc")
TRON_GATEWAY = fresh_account(TRON)
BNB_GATEWAY = fresh_account(BNB)
SOL = 10**9
ATTESTERS = [Ed25519Signer(bytes([17 + number]) * 32) for number in range(3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaWorld:
    """A node, a bridge on it, and funded keys."""

    rpc: SolanaRpc
    config: SolanaConfig
    deployment: Deployment
    funder: bytes
    payer: Ed25519Signer
    user: Keypair

    @property
    def issuer(self) -> Issuer:
        """Who may set the multiplier, pause, and take shares back."""
        return Issuer(self.rpc, self.funder, self.deployment)

    @property
    def wallet(self) -> Wallet:
        """Whoever pays for what the tests do beside the bridge."""
        return Wallet(self.rpc, self.funder)

    async def send(self, instructions: Sequence[Instruction], *keys: Keypair) -> str:
        """Send what the user (or ``keys``) signs; the signature once it is confirmed."""
        blockhash, _, last_valid = await newest_blockhash(self.rpc)
        raw = signed(instructions, keys or [self.user], blockhash)
        return await send(self.rpc, raw, last_valid)

    async def newest(self) -> int:
        """The newest confirmed slot."""
        return int(await self.rpc.call("getSlot", {"commitment": "confirmed"}))

    def reader(self) -> SolanaReader:
        """A reader that has seen nothing yet."""
        return SolanaReader(self.config, self.rpc)

    def harness(self, peer: ChainId, gateway: Account | None) -> ChainHarness:
        """The conformance harness of this world for one peer."""
        config, rpc = self.config, self.rpc

        async def doom(submission: Submission) -> None:
            """Let the blockhash grow too old."""
            await until(lambda: _past(rpc, submission.bounds))

        def penniless() -> tuple[SolanaDrafter, SolanaWriter]:
            payer = Ed25519Signer(secrets.token_bytes(32))
            poor = replace(config, payer=Account(payer.public))
            return SolanaDrafter(poor, rpc), SolanaWriter(poor, rpc, payer)

        async def give(account: Account) -> None:
            await fund(self.wallet, {account: SOL // 10})

        return ChainHarness(
            reader=self.reader(),
            drafter=SolanaDrafter(config, rpc),
            writer=SolanaWriter(config, rpc, self.payer),
            depositor=SolanaDepositor(config, rpc, bytes(self.user)[:32]),
            controls=SolanaControls(self.issuer),
            attesters=ATTESTERS,
            peer=peer,
            peer_gateway=gateway,
            burn_mint="TSLAx",
            lock_release="AAPLx",
            newest=self.newest,
            doom=doom,
            penniless=penniless,
            fund=give,
        )


class SolanaControls:
    """The issuer, in the words of the conformance suite."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def set_multiplier(self, asset: str, multiplier: int) -> None:
        await self._issuer.set_multiplier(asset, multiplier / WAD)

    async def pause(self, asset: str, *, paused: bool) -> None:
        await self._issuer.pause(asset, paused=paused)


@asynccontextmanager
async def solana_world() -> AsyncIterator[SolanaWorld]:
    """A world on the node that the environment names, else on a devnet of its own."""
    url = os.environ.get("XSTOCKS_TEST_SOLANA_URL")
    if url is None:
        async with solana_devnet() as (_, world):
            yield world
        return
    key, ws_url = (os.environ.get(f"XSTOCKS_TEST_SOLANA_{name}") for name in ("KEY", "WS"))
    seed = None if key is None else parse_secret(key, "the key")[:32]
    async with AsyncExitStack() as stack:
        rpc = SolanaRpc(url, ws_url=ws_url)
        stack.push_async_callback(rpc.close)
        yield await make_world(rpc, url, ws_url, seed)


@asynccontextmanager
async def solana_devnet() -> AsyncIterator[tuple[SolanaDevnet, SolanaWorld]]:
    """A devnet whose faults a test may switch on, and a world on it."""
    async with AsyncExitStack() as stack:
        devnet = SolanaDevnet(SolanaDevnetConfig(port=free_ports()))
        await stack.enter_async_context(devnet)
        rpc = SolanaRpc(devnet.url, ws_url=devnet.ws_url)
        stack.push_async_callback(rpc.close)
        yield devnet, await make_world(rpc, devnet.url, devnet.ws_url, None)


async def make_world(
    rpc: SolanaRpc, url: str, ws_url: str | None, seed: bytes | None
) -> SolanaWorld:
    """Deploy a bridge with one token of each mode, paid by a funded key or by the faucet."""
    funder = seed or secrets.token_bytes(32)
    if seed is None:
        await airdrop(rpc, Keypair.from_seed(funder).pubkey(), 200 * SOL)
    payer, user = Ed25519Signer(secrets.token_bytes(32)), Keypair()
    holder = Account(bytes(user.pubkey()))
    wallet = Wallet(rpc, funder)
    await fund(wallet, {Account(payer.public): 5 * SOL, holder: 5 * SOL})
    holdings = {holder: Shares(1_000 * WAD)}
    deployment = await deploy(
        rpc,
        url=url,
        ws_url=ws_url,
        funder_seed=funder,
        plans=[
            AssetPlan(asset="TSLAx", mode=Mode.BURN_MINT, holdings=holdings),
            AssetPlan(
                asset="AAPLx",
                mode=Mode.LOCK_RELEASE,
                holdings=holdings,
                seed=Shares(5_000 * WAD),
                multiplier=1.0026642075893797,
            ),
        ],
        peers=[BNB, TRON],
        attesters=[attester.public for attester in ATTESTERS],
        quorum=2,
        payer=Account(payer.public),
        slot_seconds=0.05,
    )
    return SolanaWorld(
        rpc=rpc,
        config=deployment.config,
        deployment=deployment,
        funder=funder,
        payer=payer,
        user=user,
    )


async def airdrop(rpc: SolanaRpc, key: Pubkey, lamports: int) -> None:
    """Ask the faucet, and wait until the lamports are there."""
    await rpc.call("requestAirdrop", str(key), lamports)
    await until(lambda: _rich(rpc, str(key)))


async def until(held: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a question to the node is answered with yes."""
    while not await held():
        await asyncio.sleep(0.05)


async def _past(rpc: SolanaRpc, height: int) -> bool:
    return bool(await rpc.call("getBlockHeight") > height)


async def _rich(rpc: SolanaRpc, key: str) -> bool:
    return bool((await rpc.call("getBalance", key, {"commitment": "confirmed"}))["value"])


def free_ports() -> int:
    """A free port whose successor is free too."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return int(port)
