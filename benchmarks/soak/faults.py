"""What goes wrong on the chains and with the process, at random; each fault mends itself.

Three hands act at once: one on the nodes, one as issuer and operator (``events.py``), and in the
first half of a run one on the relayer's process; the second half leaves the process alone, so that
its growth can be judged.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.soak.doorway import Doorway
from relayer.cli.demo.child import Child
from relayer.devnet.world import LocalWorld

Act = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Hand:
    """Does one act after the other, drawn at random, with a pause of so many seconds on average."""

    acts: Mapping[str, Act]
    pause: float
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)

    async def run(self, stop: asyncio.Event) -> None:
        """Act until ``stop`` is set; an act that has begun is ended."""
        names = sorted(self.acts)
        while not await _stopped(stop, self.dice.expovariate(1 / self.pause)):
            name = self.dice.choice(names)
            await self.acts[name]()
            self.done[name] += 1


@dataclass(slots=True)
class Nodes:
    """Faults of the three nodes."""

    world: LocalWorld
    bnb: Doorway
    dice: random.Random

    def acts(self) -> dict[str, Act]:
        """Every fault by name."""
        return {
            "latency": self.latency,
            "429": self.too_many_requests,
            "cut answers": self.cut,
            "reorg": self.reorg,
            "stall": self.stall,
            "dropped transactions": self.drop,
            "cut subscriptions": self.world.solana.cut_subscriptions,
        }

    async def latency(self) -> None:
        """Every node answers late for a while."""
        faults = (self.bnb, self.world.solana.faults, self.world.tron.faults)
        for one in faults:
            one.latency = self.dice.uniform(0, 0.5)
        try:
            await asyncio.sleep(self.dice.uniform(2, 6))
        finally:
            for one in faults:
                one.latency = 0.0

    async def too_many_requests(self) -> None:
        """The next requests are refused with 429."""
        self.bnb.too_many_requests = self.dice.randrange(5, 30)
        self.world.solana.faults.too_many_requests = self.dice.randrange(5, 30)
        self.world.tron.faults.too_many_requests(self.dice.randrange(5, 30))

    async def cut(self) -> None:
        """BNB Chain's answers end in the middle; Tron's node lacks resources."""
        self.bnb.cut = self.dice.randrange(5, 20)
        self.world.tron.faults.lack_computing_resources(self.dice.randrange(3, 10))

    async def reorg(self) -> None:
        """A chain loses its newest blocks, never a final one."""
        chain = self.dice.randrange(3)
        if chain == 0:
            await self.world.anvil.rpc.call("anvil_reorg", 1, [])
            # A reorg sets Anvil's clock back by what it undid, each time.
            await self.world.anvil.rpc.call("anvil_setTime", int(time.time()))
        elif chain == 1:
            self.world.solana.reorg(self.dice.randrange(1, 3))
        else:
            await self.world.tron.faults.reorg(1)

    async def stall(self) -> None:
        """A chain makes no block for a while, its node answers on."""
        anvil, seconds = self.world.anvil.rpc, self.dice.uniform(3, 8)
        chain = self.dice.randrange(3)
        faults = (None, self.world.solana.faults, self.world.tron.faults)[chain]
        if faults is not None:
            faults.stall()
        else:
            await anvil.call("anvil_setIntervalMining", 0)
        try:
            await asyncio.sleep(seconds)
        finally:
            if faults is not None:
                faults.resume()
            else:
                await anvil.call(
                    "anvil_setIntervalMining", max(1, round(self.world.options.evm_block_seconds))
                )

    async def drop(self) -> None:
        """Transactions that were taken vanish from a pool."""
        self.world.solana.faults.drop_transactions(self.dice.randrange(1, 4))
        self.world.tron.faults.drop_transactions(self.dice.randrange(1, 4))
        await self.world.anvil.rpc.call("anvil_dropAllTransactions")


@dataclass(slots=True)
class Process:
    """Faults of the relayer's process."""

    child: Child
    dice: random.Random

    def acts(self) -> dict[str, Act]:
        """Every fault by name."""
        return {"SIGKILL": self.kill, "SIGKILL twice": self.kill_twice, "frozen": self.freeze}

    async def kill(self) -> None:
        """Gone without a word, and started again; Fatal if it has ended by itself before."""
        self.child.check()
        await self.child.kill()
        await self.child.start()

    async def kill_twice(self) -> None:
        """The second time while it starts."""
        await self.kill()
        await asyncio.sleep(self.dice.uniform(0.1, 2.0))
        await self.kill()

    async def freeze(self) -> None:
        """Stopped as a suspended machine is, and going on."""
        self.child.check()
        pid = self.child.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(1, 6))
        os.kill(pid, signal.SIGCONT)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Whether ``stop`` is set within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
