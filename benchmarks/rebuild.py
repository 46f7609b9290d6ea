"""How long it takes to begin again from the chains, with all topics of a Kafka gone.

    .venv/bin/python -m benchmarks.rebuild --transfers 1000 3000 --open 30

Makes so many real transfers on the local chains with a relayer over Kafka, stops it, makes a few more
deposits, deletes every topic and the tracker's file, which is a fold of one, and starts it on empty
topics; ``--ledger`` deletes the monitor's file too. What is measured ends twice: when the deposits that
were open are delivered, and when all of the past is told anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.crowd import USERS, Crowd
from benchmarks.measures import (
    chains_cpu,
    delivered,
    resident_mib,
    rpc_calls,
    tracker,
    until_delivered,
)
from relayer.app.bus import cluster_of
from relayer.app.chains import kit_for
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete
from relayer.cli.demo.books import delivered_once, read_books
from relayer.cli.demo.child import Child
from relayer.cli.demo.fleet import variables_of
from relayer.cli.demo.kafka import broker
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.stage import Stage
from relayer.process_settings import BusSettings
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings, load

AT_ONCE = 300
"""Deposits under way at the same time: nodes that are asked for thousands at once time out."""

PATIENCE = 1_800.0
"""Seconds after which a part of the run is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How far it is: seconds and CPU seconds since the start, and calls so far."""

    seconds: float
    cpu: float
    chains_cpu: float
    calls: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """One run; ``wrong`` is empty when everything was delivered once."""

    transfers: int
    open: int
    opened: Moment
    whole: Moment
    methods: dict[str, float]
    memory_mib: float
    peak_mib: float
    wrong: list[str]


async def measure(
    directory: Path, transfers: int, left: int, bus: BusSettings, lost: Sequence[str]
) -> Rebuilt:
    """One run over a world of its own."""
    async with LocalWorld(directory, WorldOptions(users=USERS)) as world:
        settings = load(world.config_path)
        cluster = cluster_of(settings.model_copy(update={"bus": bus}))
        catalog = Catalog(topics_of(settings))
        crowd = Crowd(settings=settings)
        child = _child(world, bus, "before")
        await create(cluster, catalog)
        try:
            await _make_history(settings, crowd, child, transfers)
            await crowd.deposit_all(crowd.plan(left))
            await delete(cluster, catalog)
            _forget(settings.path(settings.state_dir), lost)
            await create(cluster, catalog)
            return await _rebuild(settings, _child(world, bus, "after"), transfers, left)
        finally:
            await child.kill()
            await crowd.close()
            await delete(cluster, catalog)


def _child(world: LocalWorld, bus: BusSettings, name: str) -> Child:
    log = world.directory / f"{name}.log"
    told = {"bus": bus.model_dump(mode="json", exclude_defaults=True)}
    return Child(config=world.config_path, log=log, variables=variables_of(told))


async def _make_history(settings: Settings, crowd: Crowd, child: Child, transfers: int) -> None:
    await child.start()
    journeys = crowd.plan(transfers)
    for at in range(0, transfers, AT_ONCE):
        await crowd.deposit_all(journeys[at : at + AT_ONCE])
    await until_delivered(settings, transfers, PATIENCE, child.check)
    await child.stop()


def _forget(state: Path, lost: Sequence[str]) -> None:
    for file in state.iterdir():
        if file.name.startswith(tuple(lost)):
            file.unlink()


async def _rebuild(settings: Settings, child: Child, transfers: int, left: int) -> Rebuilt:
    began, chains, since = time.monotonic(), chains_cpu(child), time.time()

    def moment() -> Moment:
        child.measure()
        return Moment(
            seconds=time.monotonic() - began,
            cpu=child.cpu,
            chains_cpu=chains_cpu(child) - chains,
            calls=_by_chain(rpc_calls(settings)),
        )

    await child.start()
    try:
        await _until(child, lambda: _acted(settings, since) >= left)
        opened = moment()
        await _until(child, lambda: delivered(settings) >= transfers + left)
        whole, methods = moment(), rpc_calls(settings)
        memory = resident_mib(child.pid or 0)
    finally:
        await child.stop()
    return Rebuilt(
        transfers=transfers,
        open=left,
        opened=opened,
        whole=whole,
        methods={f"{chain} {method}": count for (chain, method), count in methods.items() if count},
        memory_mib=memory,
        peak_mib=child.peak_bytes / 2**20,
        wrong=await _wrong(settings, transfers + left),
    )


async def _until(child: Child, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(holds):
            child.check()
            await asyncio.sleep(0.2)


def _acted(settings: Settings, since: float) -> int:
    """Transfers whose delivery stands in a block that was made after ``since`` (seconds)."""
    if not tracker(settings).exists():
        return 0
    with Tracks(tracker(settings)) as tracks:
        found = tracks.status(Filter(stages=frozenset({Stage.DELIVERED}), limit=10**6))
        return sum((track.told.destination_time or 0) >= int(since) for track in found)


def _by_chain(calls: dict[tuple[str, str], float]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for (chain, _), count in calls.items():
        counts[chain] += count  # type: ignore[assignment]  # calls are whole numbers
    return dict(counts)


async def _wrong(settings: Settings, deposits: int) -> list[str]:
    kits = [kit_for(settings, chain, lambda *_: None) for chain in settings.chains]
    try:
        return list(delivered_once(await read_books([kit.reader() for kit in kits]), deposits))
    finally:
        for kit in kits:
            await kit.close()


def table(results: list[Rebuilt]) -> Table:
    """The runs side by side."""
    shown = Table(title=f"{platform.machine()}, Python {platform.python_version()}")
    shown.add_column("figure")
    for result in results:
        shown.add_column(f"{result.transfers} and {result.open} open", justify="right")
    rows: dict[str, Callable[[Rebuilt], str]] = {
        "until all that was open is delivered, s": lambda r: f"{r.opened.seconds:.1f}",
        "until all of the past is told anew, s": lambda r: f"{r.whole.seconds:.1f}",
        "the same for 100,000 transfers, minutes": lambda r: (
            f"{r.whole.seconds / (r.transfers + r.open) * 100_000 / 60:.0f}"
        ),
        "relayer CPU per transfer, ms": lambda r: (
            f"{1000 * r.whole.cpu / (r.transfers + r.open):.1f}"
        ),
        "CPU of the chains per transfer, ms": lambda r: (
            f"{1000 * r.whole.chains_cpu / (r.transfers + r.open):.1f}"
        ),
        "RPC calls per 1,000 transfers": lambda r: ", ".join(
            f"{chain} {1000 * count / (r.transfers + r.open):.0f}"
            for chain, count in r.whole.calls.items()
        ),
        "relayer memory then, and at most, MiB": lambda r: f"{r.memory_mib:.0f}, {r.peak_mib:.0f}",
        "wrong": lambda r: "; ".join(r.wrong) or "nothing",
    }
    for name, show in rows.items():
        shown.add_row(name, *(show(result) for result in results))
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--transfers", type=int, nargs="+", default=[1_000, 3_000])
    parser.add_argument("--open", type=int, default=30, help="deposits made while it stands still")
    parser.add_argument("--kafka", help="HOST:PORT; default: a broker of this machine")
    parser.add_argument("--ledger", action="store_true", help="lose the monitor's file too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = []
    lost = ("tracker.db", "monitor.db") if arguments.ledger else ("tracker.db",)
    with broker(arguments.kafka) as kafka:
        for transfers in arguments.transfers:
            with tempfile.TemporaryDirectory() as directory:
                run = measure(Path(directory), transfers, arguments.open, kafka.bus, lost)
                results.append(asyncio.run(run))
    if arguments.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        Console().print(table(results))


if __name__ == "__main__":
    main()
