from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal

import pytest
import pytest_asyncio

from relayer.app.chains import ChainKit, kit_for
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.gateway.configure import Call, Deployment, call
from relayer.chains.solana import setup as solana
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.setup import TronSetup
from relayer.cli.control import halts_of
from relayer.cli.demo.books import Books, read_books
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import user_account, user_secret
from relayer.devnet.world import LocalWorld
from relayer.domain.address import ChainId, word_of
from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.errors import Rejected, Transient
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from relayer.ports.chain import Depositor
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings, load
from relayer.signing.local import Secp256k1Signer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

ASSET = "TSLAx"
ISSUED = 9_000
"""Whole shares: three users with a thousand each on three chains."""


class Issuer:
    """The issuer of one asset on all three chains."""

    def __init__(self, world: LocalWorld, rpcs: tuple[EvmRpc, SolanaRpc, TronRpc]) -> None:
        self._bridge = world.bridge
        evm, sol, tron = rpcs
        nodes = world.bridge.nodes
        self._evm = EvmSetup(evm, Secp256k1Signer(nodes.evm_key))
        self._tron = TronSetup(tron, Secp256k1Signer(nodes.tron_key), poll_seconds=0.1)
        self._solana = solana.Issuer(sol, nodes.solana_key, world.bridge.solana)
        self.now = Decimal(1)

    async def bnb(self, multiplier: Decimal, at: int = 0) -> None:
        await self._evm.run(self._update(self._bridge.evm, multiplier, at))

    async def tron(self, multiplier: Decimal, at: int = 0) -> None:
        await self._tron.run(self._update(self._bridge.tron, multiplier, at))

    async def solana(self, multiplier: Decimal, at: int = 0) -> None:
        await self._solana.set_multiplier(ASSET, float(multiplier), at)

    async def everywhere(self, multiplier: Decimal, at: int = 0) -> None:
        async with asyncio.TaskGroup() as group:
            for schedule in (self.bnb, self.solana, self.tron):
                group.create_task(schedule(multiplier, at))

    def _update(self, deployed: Deployment, multiplier: Decimal, at: int) -> Call:
        token = next(word_of(place.token) for place in deployed.tokens if place.asset == ASSET)
        signature = "updateMultiplierValue(uint256,uint256,uint256)"
        return call(token, signature, int(multiplier * WAD), int(self.now * WAD), at)


@dataclass
class Bench:
    """A running relayer over the world, its users, and the issuer."""

    world: LocalWorld
    settings: Settings
    kits: dict[ChainId, ChainKit]
    issuer: Issuer
    before: Books
    depositors: dict[ChainId, Depositor]
    sent: int = 0

    @property
    def slow(self) -> int:
        """How much longer everything takes: real nodes become final later."""
        return 5 if self.world.options.given else 1

    @property
    def chains(self) -> Sequence[ChainId]:
        return list(self.kits)

    async def send(self, source: ChainId, destination: ChainId) -> None:
        """One transfer of user 0 to user 1; made again where an approval came to be too small."""
        self.sent += 1
        shares = Shares((10_000_019 + self.sent * 7_654_321) * RAW_UNIT)
        recipient = user_account(self.settings, destination, 1)
        try:
            await self.depositors[source].deposit(ASSET, shares, destination, recipient)
        except Rejected:
            await self.depositors[source].deposit(ASSET, shares, destination, recipient)

    async def send_everywhere(self) -> None:
        """One transfer on each of the six routes, on each chain one after the other."""
        async with asyncio.TaskGroup() as group:
            for source in self.chains:
                group.create_task(self._send_all(source))

    async def _send_all(self, source: ChainId) -> None:
        for destination in self.chains:
            if destination != source:
                await self.send(source, destination)

    def withheld(self) -> Reason | None:
        """Why the monitor gives no lease for the asset at its newest reading."""
        with Tracks(self.settings.path(self.settings.state_dir) / "tracker.db") as tracks:
            told = {one.asset: one.withheld for one in tracks.verdicts()}
        return told.get(ASSET)

    def stand(self) -> Counter[tuple[Stage, Reason | None]]:
        with Tracks(self.settings.path(self.settings.state_dir) / "tracker.db") as tracks:
            return Counter(
                (track.told.stage, track.told.reason)
                for track in tracks.status(Filter(limit=1_000))
            )

    async def until(self, what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds * self.slow
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except Transient:
                pass
            await asyncio.sleep(0.1)
        pytest.fail(f"{what} did not happen in {seconds:.0f} s: {self.stand()}")

    async def all_delivered(self) -> None:
        """Every transfer is delivered, each once and exactly; K is what it was; nothing halted."""
        await self.until("the deliveries", lambda: self.stand()[Stage.DELIVERED, None] == self.sent)
        books = await self._books()
        given = {delivery.id: delivery.shares for delivery in books.deliveries}
        assert given == {deposit.id: deposit.shares for deposit in books.deposits}
        assert len(books.deliveries) == self.sent
        for place, k in books.k.items():
            assert k.low <= self.before.k[place].low <= k.high
        assert list(books.problems) == []
        assert await halts_of(self.settings, None) == []
        await self._holdings(books)

    async def _books(self) -> Books:
        while True:
            books = await read_books([kit.reader() for kit in self.kits.values()])
            if len(books.deliveries) == self.sent:
                return books
            await asyncio.sleep(0.2)

    async def _holdings(self, books: Books) -> None:
        """Both users hold on every chain what they began with, less sent, more received."""
        for chain in self.chains:
            out = sum(one.shares for one in books.deposits if one.source == chain)
            come = sum(one.shares for one in books.deliveries if one.chain == chain)
            held = [
                await self.depositors[chain].shares_of(
                    user_account(self.settings, chain, user), ASSET
                )
                for user in (0, 1)
            ]
            assert held == [1_000 * WAD - out, 1_000 * WAD + come]

    def state(self, stock: Decimal, multiplier: Decimal | None = None) -> None:
        """The custodian states stock anew, and which multiplier it is meant for if known."""
        file = self.world.directory / "reserves.json"
        reserves = json.loads(file.read_text())
        reserves[ASSET] = {"stock": str(stock), "at": "now", "source": "custodian"}
        if multiplier is not None:
            reserves[ASSET]["multiplier"] = str(multiplier)
        fresh = self.world.directory / "reserves.new"
        fresh.write_text(json.dumps(reserves))
        fresh.replace(file)


async def _first_books(kits: dict[ChainId, ChainKit]) -> Books:
    """The books once the deployment is final on every chain."""
    while True:
        with contextlib.suppress(Transient):
            books = await read_books([kit.reader() for kit in kits.values()])
            if all(k.low > 0 for k in books.k.values()):
                return books
        await asyncio.sleep(0.5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(world: LocalWorld) -> AsyncIterator[Bench]:
    settings = load(world.config_path)
    nodes = world.bridge.nodes
    async with AsyncExitStack() as stack:
        kits = {chain.id: kit_for(settings, chain, lambda *_: None) for chain in settings.chains}
        rpcs = (
            EvmRpc(nodes.evm_url),
            SolanaRpc(nodes.solana_url),
            TronRpc(nodes.tron_url, nodes.tron_solidity),
        )
        for kit in kits.values():
            stack.push_async_callback(kit.close)
        for rpc in rpcs:
            stack.push_async_callback(rpc.close)
        before = await _first_books(kits)
        child = Child(config=world.config_path, log=world.directory / "relayer.log")
        await child.start()
        yield Bench(
            world=world,
            settings=settings,
            kits=kits,
            issuer=Issuer(world, rpcs),
            before=before,
            depositors={
                chain: kit.depositor(user_secret(settings, chain, 0)) for chain, kit in kits.items()
            },
        )
        code = await child.stop()
        assert code == 0, (world.directory / "relayer.log").read_text()[-3000:]


HELD = (Stage.WAITING, Reason.MULTIPLIER_DIFFERS)


async def test_while_chains_disagree_all_is_held_by_name_and_resumes_by_itself(
    bench: Bench,
) -> None:
    """BNB Chain splits 5:2 a while before the others: held, then the reserve, then delivered."""
    two_and_a_half, soon = Decimal("2.5"), int(time.time()) + 15 * bench.slow
    await bench.issuer.solana(two_and_a_half, soon)
    await bench.issuer.tron(two_and_a_half, soon)
    await bench.issuer.bnb(two_and_a_half)
    differs = Reason.MULTIPLIER_DIFFERS
    await bench.until("the disagreement", lambda: bench.withheld() is differs, 10)

    await bench.send_everywhere()
    await bench.until("the hold", lambda: bench.stand()[HELD] == 6, 20)

    short = (Stage.WAITING, Reason.NO_LEASE)
    await bench.until("the wait for the custodian", lambda: bench.stand()[short] == 6, 30)
    bench.issuer.now = two_and_a_half
    bench.state(ISSUED * two_and_a_half)
    await bench.all_delivered()


async def test_a_schedule_that_is_overridden_while_transfers_move_changes_no_share(
    bench: Bench,
) -> None:
    """4 was scheduled, 0.37 comes instead, below 1 and earlier; drafts of before land after it."""
    low = Decimal("0.37")
    bench.state(ISSUED * bench.issuer.now, bench.issuer.now)
    await bench.issuer.everywhere(Decimal(4), int(time.time()) + 600)
    await bench.issuer.everywhere(low, int(time.time()) + 4 * bench.slow)

    for _ in range(3):
        await bench.send_everywhere()
    bench.issuer.now = low

    await bench.all_delivered()


async def test_an_odd_multiplier_below_one_rounds_for_nobody(bench: Bench) -> None:
    """0.333333333333333 at once everywhere, under a burst: no share-wei is made or lost."""
    odd = Decimal("0.333333333333333")
    bench.state(Decimal(ISSUED), Decimal(1))
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.send_everywhere())
        group.create_task(bench.issuer.everywhere(odd))
    bench.issuer.now = odd
    await bench.send_everywhere()

    await bench.all_delivered()
