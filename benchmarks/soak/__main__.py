"""``python -m benchmarks.soak``: mixed traffic and random faults for as long as one likes."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.soak.run import Plan, Report, soak
from benchmarks.soak.verdict import last_life, log_per_transfer


def table(report: Report) -> Table:
    """The last process early and late, side by side."""
    alive = last_life(report.samples)
    half = max(1, len(alive) // 2)
    shown = Table(title="The last process, medians of its life after warming up")
    for column in ("figure", "first half", "second half"):
        shown.add_column(column, justify="left" if column == "figure" else "right")
    rows = {
        "resident memory, MiB": lambda s: s.resident / 2**20,
        "asyncio tasks": lambda s: s.tasks,
        "file descriptors": lambda s: s.descriptors,
        "threads": lambda s: s.threads,
        "bus.db, MiB": lambda s: s.bus / 2**20,
        "bus.db-wal, MiB": lambda s: s.wal / 2**20,
        "records in the bus": lambda s: sum(s.records.values()),
        "tracker.db, MiB": lambda s: s.tracker / 2**20,
    }
    for name, of in rows.items():
        middle = [sorted(map(of, part))[len(part) // 2] for part in (alive[:half], alive[-half:])]
        shown.add_row(name, *(f"{value:.1f}" for value in middle))
    logs = [log_per_transfer(part) for part in (alive[:half], alive[-half:])]
    shown.add_row("log per transfer, bytes", *(f"{value:.0f}" for value in logs))
    return shown


def main() -> int:
    """Run and report; 0 only if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1.5, help="transfers per second")
    parser.add_argument("--seed", type=int, help="draws traffic and faults; random if absent")
    parser.add_argument("--calm", type=float, default=20.0, help="seconds between two faults")
    parser.add_argument("--directory", type=Path, help="for config, databases and logs")
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    console = Console(width=110)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # killed clients hang up
    with tempfile.TemporaryDirectory() as fresh:
        directory = arguments.directory or Path(fresh)
        directory.mkdir(parents=True, exist_ok=True)
        plan = Plan(
            directory=directory,
            seconds=60 * arguments.minutes,
            rate=arguments.rate,
            seed=seed,
            calm=arguments.calm,
            growth=arguments.minutes >= 5,
        )
        console.print(f"{arguments.minutes:g} minutes, {arguments.rate:g}/s, seed {seed}")
        report = asyncio.run(soak(plan, console.print))
    console.print(table(report))
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(report.faults.items()))
    console.print(f"faults: {faults}")
    console.print(f"deposits that users gave up: {dict(report.failed) or 'none'}")
    console.print(
        f"relayer: {1000 * report.cpu_seconds / max(1, report.delivered):.0f} ms CPU per transfer"
    )
    for problem in report.wrong:
        console.print(f"[red]{problem}[/red]")
    if not report.wrong:
        console.print(
            f"[green]{report.deposits} deposits, {report.delivered} deliveries, each once; the "
            "books balance; nothing grew.[/green]"
        )
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
