"""What a running relayer can be asked: its tracker's file, its metrics, ``/proc``."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from relayer.cli.demo.child import Child
from relayer.domain.errors import Unavailable
from relayer.domain.stage import Stage
from relayer.services.tracks import Filter, Story, Tracks
from relayer.settings import Settings

_TICKS = os.sysconf("SC_CLK_TCK")


def tracker(settings: Settings) -> Path:
    """The tracker's file."""
    return settings.path(settings.state_dir) / "tracker.db"


def delivered(settings: Settings) -> int:
    """How many transfers are delivered."""
    if not tracker(settings).exists():
        return 0
    try:
        with Tracks(tracker(settings)) as tracks:
            counts = tracks.counts().items()
    except Unavailable:
        return 0  # the file is being made
    return sum(count for (stage, _), count in counts if stage is Stage.DELIVERED)


async def until_delivered(
    settings: Settings, wanted: int, seconds: float, check: Callable[[], None]
) -> None:
    """Wait for so many deliveries; TimeoutError if they do not come, or what ``check`` raises."""
    async with asyncio.timeout(seconds):
        while delivered(settings) < wanted:
            check()
            await asyncio.sleep(0.5)


def stories(settings: Settings, newest: int) -> list[Story]:
    """The stories of the newest transfers."""
    with Tracks(tracker(settings)) as tracks:
        found = tracks.status(Filter(limit=newest))
        return [story for track in found for story in tracks.trace(track.told.id.hex())]


def moments(told: list[Story], stage: Stage) -> list[float]:
    """Seconds from the first word of a final deposit to a stage, sorted."""
    ends = [[fact.at for fact in story.facts if fact.stage is stage] for story in told]
    begins = [story.track.seen_at for story in told]
    return sorted(end[0] - begin for begin, end in zip(begins, ends, strict=True) if end)


def steps(told: list[Story]) -> dict[str, float]:
    """Median seconds from each stage to the next one that was told of."""
    found: dict[str, list[float]] = {}
    for story in told:
        for before, after in pairwise(story.facts):
            name = f"{before.stage} -> {after.stage}"
            found.setdefault(name, []).append(after.at - before.at)
    return {name: share(sorted(values), 0.5) for name, values in found.items()}


def share(values: list[float], part: float) -> float:
    """The value below which a part of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def answer_of(settings: Settings, path: str) -> str:
    """What the relayer's HTTP server says under a path; OSError while it does not."""
    return answer_at(settings.path(settings.state_dir), path)


def answer_at(state: Path, path: str) -> str:
    """The same for the process with this directory of its state."""
    port = (state / "http.port").read_text(encoding="ascii")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def rpc_calls(settings: Settings) -> dict[tuple[str, str], float]:
    """Calls made so far by chain and method, from the relayer's metrics."""
    counts = {}
    for line in answer_of(settings, "/metrics").splitlines():
        if line.startswith("relayer_rpc_calls_total{"):
            chain = line.split('chain="')[1].split(":")[0]
            method = line.split('method="')[1].split('"')[0]
            counts[chain, method] = float(line.rsplit(" ", 1)[1])
    return counts


def resident_mib(pid: int) -> float:
    """Memory of a process now, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def chains_cpu(child: Child) -> float:
    """CPU seconds of chains and users: this process and those it started, but not the relayer."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rsplit(") ", 1)[1].split()
        except OSError:
            continue  # a process that has just ended
        pid = int(stat.parent.name)
        if pid == os.getpid() or (int(fields[1]) == os.getpid() and pid != child.pid):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS
