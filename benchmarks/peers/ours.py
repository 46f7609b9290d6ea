"""Our relayer over its local chains, on the route whose both ends answer EVM's calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.watch import Events, Watch
from relayer.app.chains import ChainKit, kit_for
from relayer.chains.gateway.events import DELIVERED_EVENT, DEPOSITED_EVENT
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import user_account, user_secret
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.address import ChainId, word_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.ports.chain import Depositor
from relayer.settings import Settings, load

USERS = 20
ASSET = "TSLAx"


@dataclass(slots=True, kw_only=True)
class Ours:
    """The bridge: deployed, our relayer up with all its services, three attesters among them."""

    settings: Settings
    source: ChainId
    destination: ChainId
    kit: ChainKit
    watch: Watch
    child: Child
    _users: dict[int, Depositor] = field(default_factory=dict, init=False)
    _sent: int = field(default=0, init=False)

    async def send(self, messages: int) -> None:
        """Make so many deposits at once, from so many users."""
        async with asyncio.TaskGroup() as group:
            for number in range(messages):
                group.create_task(self._deposit(number % USERS))

    async def _deposit(self, user: int) -> None:
        self._sent += 1
        shares = Shares((10_000_000 + self._sent) * RAW_UNIT)
        if user not in self._users:
            secret = user_secret(self.settings, self.source, user)
            self._users[user] = self.kit.depositor(secret)
        recipient = user_account(self.settings, self.destination, user)
        await self._users[user].deposit(ASSET, shares, self.destination, recipient)


@contextlib.asynccontextmanager
async def ours(folder: Path) -> AsyncIterator[Ours]:
    """The bridge on the devnet, BNB Chain to Tron."""
    async with LocalWorld(folder, WorldOptions(users=USERS)) as world:
        settings = load(world.config_path)
        bridge = world.bridge
        chain = next(c for c in settings.chains if c.id == bridge.nodes.evm_chain)
        watch = Watch(
            source=Events(
                url=world.anvil.url,
                contract="0x" + word_of(bridge.evm.gateway)[-20:].hex(),
                event=DEPOSITED_EVENT,
            ),
            destination=Events(
                url=world.tron.jsonrpc_url,
                contract="0x" + word_of(bridge.tron.gateway)[-20:].hex(),
                event=DELIVERED_EVENT,
            ),
        )
        kit = kit_for(settings, chain, lambda *_: None)
        child = Child(config=world.config_path, log=folder / "relayer.log")
        async with watch.running():
            try:
                await child.start()
                yield Ours(
                    settings=settings,
                    source=chain.id,
                    destination=bridge.nodes.tron_chain,
                    kit=kit,
                    watch=watch,
                    child=child,
                )
            finally:
                await child.stop()
                await kit.close()
