"""How many commits a lane makes of what comes to it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relayer.domain.records import SIGNING_REQUESTS, inbox, state
from relayer.ports.bus import Out, Partition
from relayer.services.relayer.effects import Pace
from relayer.services.relayer.rest import CHANGES, POSITION, Rest
from tests.domain.samples import BNB, SOLANA, deposit
from tests.ports.virtual import run
from tests.services.bridge import Bridge, FixedReserve
from tests.services.crashing import BEGAN, VirtualClock


@dataclass(slots=True)
class _Counted:
    """A partition that notes the topics of each commit."""

    partition: Partition
    commits: list[list[str]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.partition, name)

    async def commit(self, outs: Sequence[Out], changes: Mapping[str, bytes | None]) -> None:
        await self.partition.commit(outs, changes)
        self.commits.append(sorted({out.topic for out in outs}))


@dataclass(slots=True)
class _Counting:
    """A bus that notes the commits of the lane to Solana."""

    bus: Any
    commits: list[list[str]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bus, name)

    async def serve(
        self, box: str | None, kept: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        async def counted(partition: Any) -> None:
            watched = kept == state("relayer", SOLANA)
            await body(_Counted(partition, self.commits) if watched else partition)

        await self.bus.serve(box, kept, counted)


async def _bridge(directory: Path, seen: list[list[str]]) -> tuple[Bridge, VirtualClock]:
    clock = VirtualClock(BEGAN)
    bridge = Bridge(
        directory,
        between=lambda name, port: _Counting(port, seen) if name == "bus" else port,
        reserve=FixedReserve(2 * 10**24, now=clock.now),
        clock=clock,
        pace=Pace(quorum=5, draft_life=20),
        confirm_every=1,
        every=10,
        sweep_every=1_000,
        full_sync=False,
    )
    for chain in bridge.chains.values():
        chain.now, chain.poll = clock.now, 2.0
    return bridge, clock


def test_a_transfer_that_nothing_holds_up_costs_few_commits(tmp_path: Path) -> None:
    """One asks for signatures, one keeps the signed bytes, one tells that it is delivered."""
    commits: list[list[str]] = []

    async def deliver() -> None:
        bridge, _ = await _bridge(tmp_path, commits)
        async with bridge.running():
            await asyncio.sleep(20)
            commits.clear()
            made = bridge.chains[BNB].deposit(deposit())
            await asyncio.sleep(30)
        assert made.id in bridge.chains[SOLANA].executed

    run(deliver())

    assert len([topics for topics in commits if topics]) == 3, commits
    assert len(commits) <= 6, commits
    assert SIGNING_REQUESTS in commits[0]


def test_records_that_change_nothing_share_a_commit(tmp_path: Path) -> None:
    """Garbage, ten times in half a second: the lane notes its place once."""
    commits: list[list[str]] = []

    async def garbage() -> None:
        bridge, _ = await _bridge(tmp_path, commits)
        async with bridge.running() as bus:
            await asyncio.sleep(20)
            commits.clear()
            for _ in range(10):
                await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="x", value=b"?")])
                await asyncio.sleep(0.05)
            await asyncio.sleep(5)

    run(garbage())

    assert commits == [[]]


def test_changes_wait_for_work_under_way_and_not_for_long() -> None:
    """What is urgent goes at once; the rest after a while, counted from the first of it."""

    async def turns() -> list[bool]:
        rest = Rest()
        seen = [rest.over(taken=True, changed=False, urgent=True)]
        seen.append(rest.over(taken=True, changed=True, urgent=False))
        await asyncio.sleep(CHANGES / 2)
        seen.append(rest.over(taken=True, changed=True, urgent=False))
        await asyncio.sleep(rest.left())
        seen.append(rest.over(taken=False, changed=True, urgent=False))
        rest.begin()
        seen.append(rest.over(taken=False, changed=True, urgent=True))
        return seen

    assert run(turns()) == [False, False, False, True, True]


def test_a_lane_that_has_committed_everything_waits_for_nothing() -> None:
    """No commit is due then, however long it lasts; a mere position is due after its time."""

    async def waits() -> tuple[float, float, float]:
        rest = Rest()
        before = rest.left()
        rest.over(taken=True, changed=False, urgent=True)
        position = rest.left()
        rest.begin()
        return before, position, rest.left()

    assert run(waits()) == (math.inf, POSITION, math.inf)
