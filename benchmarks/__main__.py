"""``make bench``: a burst and a steady flow through one relayer process on the local chains.

The chains run in this process (and two Anvils), the relayer in another, so that their CPU is told
apart. Times between stages are the relayer's own, from its tracker's file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from relayer.app.chains import ChainKit, kit_for
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import Journey, plan, user_account, user_secret
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.address import ChainId
from relayer.domain.lifecycle import Stage
from relayer.ports.chain import Depositor
from relayer.services.tracks import Filter, Story, Tracks
from relayer.settings import Settings, load

USERS = 12


@dataclass(slots=True)
class Crowd:
    """Users who deposit; each makes one deposit at a time."""

    settings: Settings
    kits: dict[ChainId, ChainKit]
    _who: dict[tuple[ChainId, int], Depositor] = field(default_factory=dict)
    _turns: dict[tuple[ChainId, int], asyncio.Lock] = field(default_factory=dict)

    async def deposit(self, journey: Journey) -> None:
        """Make one journey's deposit; returns when it is in a block."""
        who = (journey.source, journey.user)
        async with self._turns.setdefault(who, asyncio.Lock()):
            if who not in self._who:
                secret = user_secret(self.settings, *who)
                self._who[who] = self.kits[journey.source].depositor(secret)
            recipient = user_account(self.settings, journey.destination, journey.user)
            await self._who[who].deposit(
                journey.asset, journey.shares, journey.destination, recipient
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One scenario; times in seconds, memory in MiB."""

    name: str
    transfers: int
    per_second: float
    broadcast_p50: float
    broadcast_p99: float
    delivered_p50: float
    relayer_cpu_ms: float
    relayer_peak_mib: float
    devnet_cpu_ms: float
    rpc_calls: dict[str, float]


def tracker(settings: Settings) -> Path:
    """The tracker's file."""
    return settings.path(settings.state_dir) / "tracker.db"


def delivered(settings: Settings) -> int:
    """How many transfers are delivered."""
    if not tracker(settings).exists():
        return 0
    with Tracks(tracker(settings)) as tracks:
        counts = tracks.counts().items()
        return sum(count for (stage, _), count in counts if stage is Stage.DELIVERED)


def stories(settings: Settings, newest: int) -> list[Story]:
    """The stories of the newest transfers."""
    with Tracks(tracker(settings)) as tracks:
        found = tracks.status(Filter(limit=newest))
        return [story for track in found for story in tracks.trace(track.told.id.hex())]


def between(told: list[Story], stage: Stage) -> list[float]:
    """Seconds from "deposit final" being seen to a stage, sorted."""
    found = []
    for story in told:
        ends = [fact.at for fact in story.facts if fact.stage is stage]
        if ends:
            found.append(ends[0] - story.track.seen_at)
    return sorted(found)


def at(values: list[float], share: float) -> float:
    """The value below which a share of the values lies."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def rpc_counts(settings: Settings) -> dict[str, float]:
    """Calls made so far per chain, from the relayer's metrics."""
    port = (settings.path(settings.state_dir) / "http.port").read_text(encoding="ascii")
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    counts: dict[str, float] = {}
    for line in lines:
        if line.startswith("relayer_rpc_calls_total{"):
            chain = line.split('chain="')[1].split(":")[0]
            counts[chain] = counts.get(chain, 0.0) + float(line.rsplit(" ", 1)[1])
    return counts


async def until_delivered(settings: Settings, wanted: int, seconds: float) -> None:
    """Wait for so many deliveries; TimeoutError if they do not come."""
    async with asyncio.timeout(seconds):
        while delivered(settings) < wanted:
            await asyncio.sleep(0.2)


def devnet_cpu(child: Child) -> float:
    """CPU seconds of the chains and users so far: this process and its Anvils, not the relayer."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rsplit(") ", 1)[1].split()
        except OSError:
            continue  # a process that has just ended
        pid = int(stat.parent.name)
        if pid == os.getpid() or (int(fields[1]) == os.getpid() and pid != child.pid):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def scenario(
    crowd: Crowd,
    child: Child,
    *,
    name: str,
    transfers: int,
    rate: float | None,
) -> Result:
    """Run one scenario over a relayer that is up; ``rate`` per second, None: all at once."""
    settings = crowd.settings
    already = delivered(settings)
    before, calls = devnet_cpu(child), rpc_counts(settings)
    child.measure()
    cpu, began = child.cpu, time.monotonic()
    async with asyncio.TaskGroup() as group:
        for journey in plan(settings, transfers, USERS):
            group.create_task(crowd.deposit(journey))
            if rate is not None:
                await asyncio.sleep(
                    max(0.0, began + (journey.number + 1) / rate - time.monotonic())
                )
    await until_delivered(settings, already + transfers, 600)
    child.measure()
    told = stories(settings, transfers)
    seen = min(story.track.seen_at for story in told)
    last = max(f.at for s in told for f in s.facts if f.stage is Stage.SUBMITTED)
    after = rpc_counts(settings)
    broadcast, done = between(told, Stage.SUBMITTED), between(told, Stage.DELIVERED)
    return Result(
        name=name,
        transfers=transfers,
        per_second=transfers / (last - seen),
        broadcast_p50=at(broadcast, 0.5),
        broadcast_p99=at(broadcast, 0.99),
        delivered_p50=at(done, 0.5),
        relayer_cpu_ms=1000 * (child.cpu - cpu) / transfers,
        relayer_peak_mib=child.peak_bytes / 2**20,
        devnet_cpu_ms=1000 * (devnet_cpu(child) - before) / transfers,
        rpc_calls={c: (after[c] - calls.get(c, 0.0)) / transfers for c in sorted(after)},
    )


async def measure(burst: int, steady: int, rate: float) -> list[Result]:
    """Both scenarios on one world and one relayer process."""
    with tempfile.TemporaryDirectory() as directory:
        async with LocalWorld(Path(directory), WorldOptions(users=USERS)) as world:
            settings = load(world.config_path)
            kits = {c.id: kit_for(settings, c, lambda *_: None) for c in settings.chains}
            crowd = Crowd(settings=settings, kits=kits)
            child = Child(config=world.config_path, log=Path(directory) / "relayer.log")
            await child.start()
            try:
                async with asyncio.TaskGroup() as group:  # approvals, imports, first leases
                    for journey in plan(settings, 6 * 3 * USERS, USERS)[: 18 * 4]:
                        group.create_task(crowd.deposit(journey))
                await until_delivered(settings, 18 * 4, 300)
                flows = ((f"burst of {burst}", burst, None), (f"steady {rate:g}/s", steady, rate))
                return [
                    await scenario(crowd, child, name=name, transfers=count, rate=pace)
                    for name, count, pace in flows
                ]
            finally:
                await child.stop()
                for kit in kits.values():
                    await kit.close()


def table(results: list[Result]) -> Table:
    """The results side by side."""
    shown = Table(title=f"{platform.machine()}, Python {platform.python_version()}, 2 cores")
    shown.add_column("figure")
    for result in results:
        shown.add_column(result.name, justify="right")
    rows: dict[str, Callable[[Result], str]] = {
        "transfers/s, first seen to last broadcast": lambda r: f"{r.per_second:.1f}",
        "deposit final -> delivery broadcast, p50 s": lambda r: f"{r.broadcast_p50:.3f}",
        "deposit final -> delivery broadcast, p99 s": lambda r: f"{r.broadcast_p99:.3f}",
        "deposit final -> delivery final, p50 s": lambda r: f"{r.delivered_p50:.3f}",
        "relayer CPU per transfer, ms": lambda r: f"{r.relayer_cpu_ms:.1f}",
        "CPU of chains and users per transfer, ms": lambda r: f"{r.devnet_cpu_ms:.1f}",
        "relayer memory at most, MiB": lambda r: f"{r.relayer_peak_mib:.0f}",
        "RPC calls per transfer": lambda r: ", ".join(
            f"{chain} {count:.1f}" for chain, count in r.rpc_calls.items()
        ),
    }
    for name, show in rows.items():
        shown.add_row(name, *(show(result) for result in results))
    return shown


def main() -> None:
    """Measure and print; ``--json`` for machines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=300)
    parser.add_argument("--steady", type=int, default=300)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = asyncio.run(measure(arguments.burst, arguments.steady, arguments.rate))
    if arguments.json:
        print(json.dumps([{f: getattr(r, f) for f in Result.__slots__} for r in results], indent=2))
    else:
        Console(width=110).print(table(results))


main()
