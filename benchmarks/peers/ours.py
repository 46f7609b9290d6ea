"""Our relayer over its local chains, on the route whose both ends answer EVM's calls."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crowd import USERS, Crowd
from benchmarks.peers.watch import Events, Watch
from relayer.chains.gateway.events import DELIVERED_EVENT, DEPOSITED_EVENT
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import Journey
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.address import Account, ChainId, word_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.settings import load


@dataclass(slots=True, kw_only=True)
class Ours:
    """The bridge: deployed, our relayer up with all its services, three attesters among them."""

    crowd: Crowd
    source: ChainId
    destination: ChainId
    watch: Watch
    child: Child
    _sent: int = field(default=0, init=False)

    async def send(self, messages: int) -> None:
        """Make so many deposits at once, from so many users."""
        await self.crowd.deposit_all([self._journey(number) for number in range(messages)])

    def _journey(self, number: int) -> Journey:
        self._sent += 1
        return Journey(
            number=number,
            source=self.source,
            destination=self.destination,
            asset="TSLAx",
            shares=Shares((10_000_000 + self._sent) * RAW_UNIT),
            user=number % USERS,
        )


@contextlib.asynccontextmanager
async def ours(folder: Path) -> AsyncIterator[Ours]:
    """The bridge on the devnet, BNB Chain to Tron."""
    async with LocalWorld(folder, WorldOptions(users=USERS)) as world:
        bridge, crowd = world.bridge, Crowd(load(world.config_path))
        watch = Watch(
            source=_events(world.anvil.url, bridge.evm.gateway, DEPOSITED_EVENT),
            destination=_events(world.tron.jsonrpc_url, bridge.tron.gateway, DELIVERED_EVENT),
        )
        child = Child(config=world.config_path, log=folder / "relayer.log")
        async with watch.running():
            try:
                await child.start()
                yield Ours(
                    crowd=crowd,
                    source=bridge.nodes.evm_chain,
                    destination=bridge.nodes.tron_chain,
                    watch=watch,
                    child=child,
                )
            finally:
                await child.stop()
                await crowd.close()


def _events(url: str, gateway: Account, event: str) -> Events:
    return Events(url=url, contract="0x" + word_of(gateway)[-20:].hex(), event=event)
