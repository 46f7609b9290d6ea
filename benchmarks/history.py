"""Start-up and memory of a relayer that has a hundred thousand transfers behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import USERS, Crowd
from benchmarks.measures import answer_of, delivered, resident_mib, until_delivered
from benchmarks.past import Past
from relayer.cli.demo.child import Child
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.settings import Settings, load

AFTERWARDS = 90
"""Transfers made on top of the past, at 30 a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A start on top of a past; seconds since the process was started, memory in MiB."""

    transfers: int
    files_mib: float
    ready: float
    leases: float
    start_cpu: float
    started_mib: float
    peak_mib: float


async def measure_history(directory: Path, transfers: int) -> Started:
    """Write the past, start one relayer on it, and move some transfers on top."""
    async with LocalWorld(directory, WorldOptions(users=USERS)) as world:
        settings = load(world.config_path)
        await Past(settings, transfers).write()
        state = settings.path(settings.state_dir)
        size = sum(file.stat().st_size for file in state.iterdir() if file.is_file())
        crowd = Crowd(settings=settings)
        child = Child(config=world.config_path, log=directory / "relayer.log")
        began = time.monotonic()
        await child.start()
        try:
            ready = await _seconds_until(child, began, lambda: _is_ready(settings))
            leases = await _seconds_until(child, began, lambda: _has_leases(settings))
            child.measure()
            cpu, started = child.cpu, resident_mib(child.pid or 0)
            already = delivered(settings)
            await crowd.deposit_steadily(crowd.plan(AFTERWARDS), 30.0)
            await until_delivered(settings, already + AFTERWARDS, 300, child.check)
            child.measure()
        finally:
            await child.stop()
            await crowd.close()
    return Started(
        transfers=transfers,
        files_mib=size / 2**20,
        ready=ready,
        leases=leases,
        start_cpu=cpu,
        started_mib=started,
        peak_mib=child.peak_bytes / 2**20,
    )


async def _seconds_until(child: Child, began: float, holds: Callable[[], bool]) -> float:
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(holds):
            child.check()
            await asyncio.sleep(0.05)
    return time.monotonic() - began


def _is_ready(settings: Settings) -> bool:
    try:
        return answer_of(settings, "/readyz") == "ok\n"
    except OSError:
        return False


def _has_leases(settings: Settings) -> bool:
    """Whether every asset may be delivered."""
    ends = [
        float(line.rpartition(" ")[2])
        for line in answer_of(settings, "/metrics").splitlines()
        if line.startswith("relayer_lease_expiry_timestamp_seconds{")
    ]
    return min(ends, default=0.0) > time.time()
