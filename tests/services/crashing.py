"""Crash images: what a SIGKILL at a point leaves behind, taken while a process goes on.

A SIGKILL keeps what is in the files and on the chains and loses all memory. So a copy of the files
and of the chains, taken at a point of a run, is exactly a process that was killed there: one run
gives the images of all its points, and each is then started again by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relayer.domain.address import ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.stage import Stage
from relayer.domain.transfer import Deposit, Location, TransferId
from relayer.ports.bus import Partition
from relayer.services.relayer.effects import Pace
from relayer.services.tracks import Tracks
from tests.domain.samples import BNB, SOLANA, deposit
from tests.ports.virtual import run
from tests.services.bridge import Bridge, FixedReserve
from tests.services.fake_chain import FakeChain

BEGAN = 1_790_000_000.0
SUPPLY = 10**24
Point = Callable[[str], None]

_WATCHED = {
    "reader": {"final_head", "history", "deposit_at", "receipts", "snapshots"},
    "drafter": {"draft", "check_terms"},
    "writer": {"seal", "broadcast", "landings", "outbid", "balance"},
    "signer": {"sign"},
    "reserve": {"reserve"},
    "journal": {"bind"},
    "ledger": {"load", "save"},
    "clock": {"sleep"},
    "partition": {"restore", "take", "commit"},
    "bus": {"publish"},
    "log": {"commit"},
    "follower": {"__anext__"},
}


class VirtualClock:
    """The Clock of a process that runs on a VirtualLoop, whose time 0 is ``epoch``."""

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch

    def now(self) -> float:
        """Seconds since the epoch, by the loop."""
        return self._epoch + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait; costs nothing."""
        await asyncio.sleep(seconds)


class Watched:
    """A port that passes a point before and after each of its calls that matter."""

    def __init__(self, port: Any, name: str, point: Point) -> None:
        self._port, self._name, self._point = port, name, point

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if method not in _WATCHED[self._name]:
            return found
        name, point = f"{self._name}.{method}", self._point
        if not inspect.iscoroutinefunction(found):
            return _passing(found, name, point)

        async def awaited(*args: Any, **named: Any) -> Any:
            point(f"before {name}")
            answer = await found(*args, **named)
            point(f"after {name}")
            return answer

        return awaited

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._point(f"before {self._name}.next")
        record = await self._port.__anext__()
        self._point(f"after {self._name}.next")
        return record


def _passing(found: Any, name: str, point: Point) -> Any:
    def called(*args: Any, **named: Any) -> Any:
        point(f"before {name}")
        answer = found(*args, **named)
        point(f"after {name}")
        return answer

    return called


class WatchedBus(Watched):
    """The bus with its partitions, followers, and the commits of its file."""

    def __init__(self, bus: Any, point: Point) -> None:
        super().__init__(bus, "bus", point)
        bus.log.commit = _passing(bus.log.commit, "log.commit", point)

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        async def watched(partition: Any) -> None:
            await body(Watched(partition, "partition", self._point))

        await self._port.serve(inbox, state, watched)

    def follow(self, topic: str, since: Any) -> Any:
        return Watched(self._port.follow(topic, since), "follower", self._point)


@dataclass(slots=True)
class Image:
    """What is left of a process that was killed at a point."""

    point: str
    at: float
    directory: Path
    chains: dict[ChainId, FakeChain]

    def again(self, directory: Path) -> Image:
        """A copy that can be started while this one stays as it is."""
        shutil.copytree(self.directory, directory)
        return replace(self, directory=directory, chains=copied(self.chains))


@dataclass(slots=True)
class Life:
    """One life of the process, from an image (or from nothing) until all is delivered."""

    directory: Path
    chains: dict[ChainId, FakeChain]
    wanted: Callable[[int], bool] = lambda _number: False
    """Whether to take an image at a point, by its number."""
    every: bool = False
    """Whether to take images also where nothing durable has changed since the one before."""
    images: list[Image] = field(default_factory=list)
    points: Counter[str] = field(default_factory=Counter)
    halts: int = 0
    number: int = 0
    _last: bytes = b""

    def live(self, began: float) -> float:
        """Run in virtual time from ``began``; the time at which all was delivered."""
        return run(self._live(), began)

    async def _live(self) -> float:
        clock = VirtualClock(BEGAN)
        for chain in self.chains.values():
            chain.now, chain.poll = clock.now, 2.0
        bridge = Bridge(
            self.directory,
            between=self._watch,
            chains=self.chains,
            reserve=FixedReserve(2 * SUPPLY, now=clock.now),
            clock=clock,
            pace=Pace(quorum=5, draft_life=20),
            confirm_every=1,
            purse_every=30,
            every=10,
            sweep_every=20,
            full_sync=False,
            tracked=True,
        )
        async with bridge.running():
            await self._until(lambda: delivered(self.chains))
            await self._until(lambda: _told(self.directory))
        assert bridge.ended is None, bridge.ended
        self.halts = len(bridge.observer.halts)
        return asyncio.get_running_loop().time()

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Let virtual time pass, and users deposit, until something holds."""
        async with asyncio.timeout(600):
            while not holds():
                make_due(self.chains, asyncio.get_running_loop().time())
                await asyncio.sleep(0.5)

    def _watch(self, name: str, port: Any) -> Any:
        return WatchedBus(port, self._point) if name == "bus" else Watched(port, name, self._point)

    def _point(self, name: str) -> None:
        self.points[name] += 1
        self.number += 1
        if self.wanted(self.number) and self._changed():
            self.images.append(self._image(name))

    def _changed(self) -> bool:
        """Whether a kill here leaves anything else behind than one at the image before."""
        if self.every:
            return True
        before, self._last = self._last, fingerprint(self.directory, self.chains)
        return before != self._last

    def _image(self, name: str) -> Image:
        directory = self.directory.with_name(f"{self.directory.name}-{self.number}")
        shutil.copytree(self.directory, directory)
        at = asyncio.get_running_loop().time()
        point = f"{name} ({self.points[name]}), the {self.number}th of all"
        return Image(point=point, at=at, directory=directory, chains=copied(self.chains))


def fingerprint(directory: Path, chains: dict[ChainId, FakeChain]) -> bytes:
    """Names all that outlives a kill: the files' content and the chains."""
    digest = hashlib.blake2b(repr(sorted(outcome(chains).items())).encode())
    digest.update(repr([(c.landed, c.refuse_next, c.drop_next) for c in chains.values()]).encode())
    for file in sorted(directory.iterdir()):
        if not file.name.endswith("-shm"):  # an index over the -wal file, made anew at each start
            digest.update(file.name.encode() + file.read_bytes())
    return digest.digest()


def copied(chains: dict[ChainId, FakeChain]) -> dict[ChainId, FakeChain]:
    """The chains as they are now: what happens to these changes nothing there."""
    return {
        chain: replace(
            truth,
            facts=list(truth.facts),
            done=dict(truth.done),
            landed=dict(truth.landed),
            refused=set(truth.refused),
            refunded=set(truth.refunded),
            executed=list(truth.executed),
        )
        for chain, truth in chains.items()
    }


def fresh_chains() -> dict[ChainId, FakeChain]:
    """Both chains before the first deposit; the next transaction of each fails or is lost."""
    chains = {c: FakeChain(chain=c, supply=SUPPLY, started=BEGAN) for c in (BNB, SOLANA)}
    chains[SOLANA].refuse_next = 1
    chains[BNB].drop_next = 1
    return chains


def _deposit(number: int, source: ChainId) -> Deposit:
    return deposit(
        id=TransferId(bytes([number]) * 32),
        source=source,
        destination=SOLANA if source == BNB else BNB,
        nonce=number,
        shares=Shares(number * RAW_UNIT),
        location=Location(tx=f"tx{number}", index=0),
    )


DEPOSITS = {
    0.0: _deposit(1, BNB),
    4.0: _deposit(2, SOLANA),
    9.0: _deposit(3, BNB),
}
"""What users deposit, by the seconds after the beginning."""


def make_due(chains: dict[ChainId, FakeChain], now: float) -> None:
    """Users deposit when their time has come, whether the relayer lives or not."""
    for after, made in DEPOSITS.items():
        chain = chains[made.source]
        known = {fact.id for fact in chain.facts if isinstance(fact, Deposit)}
        if now >= after and made.id not in known:
            chain.deposit(made)


def delivered(chains: dict[ChainId, FakeChain]) -> bool:
    """Whether every deposit to come has its receipt."""
    return all(
        made.destination is not None and made.id in chains[made.destination].done
        for made in DEPOSITS.values()
    )


def _told(directory: Path) -> bool:
    """Whether the tracker has been told of every delivery."""
    if not (directory / "tracker.db").exists():
        return False
    with Tracks(directory / "tracker.db") as tracks:
        counts = tracks.counts()
    return counts == {(Stage.DELIVERED, None): len(DEPOSITS)}


def outcome(chains: dict[ChainId, FakeChain]) -> dict[str, Any]:
    """What must be the same, however often the process died: everything but transactions' names."""
    return {
        str(chain): (
            sorted(truth.executed),
            dict(sorted(truth.done.items())),
            truth.supply,
            sorted(fact.id for fact in truth.facts),
        )
        for chain, truth in chains.items()
    }
