"""A burst and a steady flow through one relayer process on the local chains."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crowd import USERS, Crowd
from benchmarks.measures import (
    chains_cpu,
    delivered,
    moments,
    rpc_calls,
    share,
    steps,
    stories,
    until_delivered,
)
from benchmarks.sampler import Profile
from relayer.cli.demo.child import Child
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.stage import Stage
from relayer.settings import Settings, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the chains make blocks, and seconds until a deposit in one is final on each."""

    options: WorldOptions
    final: float


FINAL_SECONDS = 6.0
FAST = Pace(options=WorldOptions(users=USERS), final=FINAL_SECONDS)
"""As in the demo: Solana four times as fast as it is, Tron three times."""

OWN = Pace(
    options=WorldOptions(
        users=2 * USERS, slot_seconds=0.4, evm_block_seconds=0.45, tron_block_seconds=3.0
    ),
    final=14.0,
)
"""As the real chains do. A user waits for the block of each deposit, so there are more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One scenario; times in seconds, memory in MiB, CPU in milliseconds per transfer."""

    name: str
    transfers: int
    per_second: float
    broadcast_p50: float
    broadcast_p99: float
    delivered_p50: float
    relayer_cpu_ms: float
    idle_cpu_ms_per_second: float
    relayer_peak_mib: float
    chains_cpu_ms: float
    rpc_calls: dict[str, float]
    rpc_methods: dict[str, float]
    steps_p50: dict[str, float]


@dataclass(slots=True)
class Running:
    """A relayer that is up over a world with users."""

    settings: Settings
    crowd: Crowd
    child: Child
    final: float
    profile: Profile | None = None
    _idle: float = field(default=0.0)

    async def warm_up(self) -> None:
        """Approvals, imports, first leases: a few transfers on every route, uncounted."""
        journeys = self.crowd.plan(18 * 4)
        await self.crowd.deposit_all(journeys)
        await until_delivered(self.settings, len(journeys), 300, self.child.check)

    async def idle(self, seconds: float) -> float:
        """CPU milliseconds per second of a relayer that has nothing to do."""
        before = self._cpu()
        await asyncio.sleep(seconds)
        self._idle = 1000 * (self._cpu() - before) / seconds
        return self._idle

    async def burst(self, transfers: int) -> Result:
        """All deposits are final before the relayer, which stood still, hears of the first."""
        self._signal(signal.SIGSTOP)
        try:
            await self.crowd.deposit_all(self.crowd.plan(transfers))
            await asyncio.sleep(self.final)
        finally:
            self._signal(signal.SIGCONT)
        return await self._measured(f"burst of {transfers}", transfers, asyncio.sleep(0))

    async def steady(self, transfers: int, rate: float) -> Result:
        """So many deposits per second."""
        deposits = self.crowd.deposit_steadily(self.crowd.plan(transfers), rate)
        return await self._measured(f"steady {rate:g}/s", transfers, deposits)

    async def _measured(self, name: str, transfers: int, deposits: Awaitable[None]) -> Result:
        settings = self.settings
        already, chains, calls = delivered(settings), chains_cpu(self.child), rpc_calls(settings)
        cpu = self._cpu()
        if self.profile is not None:
            self.profile.begin(self._pid)
        await deposits
        await until_delivered(settings, already + transfers, 600, self.child.check)
        spent, spent_chains = self._cpu() - cpu, chains_cpu(self.child) - chains
        if self.profile is not None:
            self.profile.end(self._pid, name)
        told = stories(settings, transfers)
        seen = min(story.track.seen_at for story in told)
        last = max(f.at for s in told for f in s.facts if f.stage is Stage.SUBMITTED)
        broadcast = moments(told, Stage.SUBMITTED)
        by_method = _differences(rpc_calls(settings), calls, transfers)
        return Result(
            name=name,
            transfers=transfers,
            per_second=transfers / (last - seen),
            broadcast_p50=share(broadcast, 0.5),
            broadcast_p99=share(broadcast, 0.99),
            delivered_p50=share(moments(told, Stage.DELIVERED), 0.5),
            relayer_cpu_ms=1000 * spent / transfers,
            idle_cpu_ms_per_second=self._idle,
            relayer_peak_mib=self.child.peak_bytes / 2**20,
            chains_cpu_ms=1000 * spent_chains / transfers,
            rpc_calls=_by_chain(by_method),
            rpc_methods={f"{c} {m}": n for (c, m), n in sorted(by_method.items())},
            steps_p50=steps(told),
        )

    def _cpu(self) -> float:
        self.child.measure()
        return self.child.cpu

    @property
    def _pid(self) -> int:
        self.child.check()
        assert self.child.pid is not None  # noqa: S101 - it was started
        return self.child.pid

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)


def _differences(
    after: dict[tuple[str, str], float], before: dict[tuple[str, str], float], transfers: int
) -> dict[tuple[str, str], float]:
    return {key: (count - before.get(key, 0.0)) / transfers for key, count in after.items()}


def _by_chain(calls: dict[tuple[str, str], float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for (chain, _), count in sorted(calls.items()):
        found[chain] = found.get(chain, 0.0) + count
    return found


async def measure_flows(
    directory: Path, pace: Pace, *, burst: int, steady: int, rate: float, profile: Path | None
) -> list[Result]:
    """Both scenarios on one world and one relayer process."""
    profiled = Profile(profile) if profile else None
    async with LocalWorld(directory, pace.options) as world:
        settings = load(world.config_path)
        crowd = Crowd(settings=settings, users=pace.options.users)
        os.environ["RELAYER_LOG__FORMAT"] = "json"  # as in production, not as on a terminal
        child = Child(config=world.config_path, log=directory / "relayer.log")
        if profiled is not None:
            child.command = profiled.command
        running = Running(
            settings=settings, crowd=crowd, child=child, final=pace.final, profile=profiled
        )
        await child.start()
        try:
            await running.warm_up()
            await running.idle(5.0)
            results = [await running.burst(burst)] if burst else []
            if steady:
                results.append(await running.steady(steady, rate))
            return results
        finally:
            await child.stop()
            await crowd.close()
