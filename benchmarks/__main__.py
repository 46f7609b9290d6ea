"""``make bench``: speed, latency and memory of one relayer process on the local chains.

The chains run in this process (and two Anvils), the relayer in another, so that their CPU is told
apart. Times between stages are the relayer's own, from its tracker's file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.flows import FAST, OWN, Result, measure_flows
from benchmarks.history import Started, measure_history


def table(results: list[Result]) -> Table:
    """The results side by side."""
    shown = Table(title=f"{platform.machine()}, Python {platform.python_version()}")
    shown.add_column("figure")
    for result in results:
        shown.add_column(result.name, justify="right")
    rows: dict[str, Callable[[Result], str]] = {
        "transfers/s, first seen to last broadcast": lambda r: f"{r.per_second:.1f}",
        "deposit final -> delivery broadcast, p50 s": lambda r: f"{r.broadcast_p50:.3f}",
        "deposit final -> delivery broadcast, p99 s": lambda r: f"{r.broadcast_p99:.3f}",
        "deposit final -> delivery final, p50 s": lambda r: f"{r.delivered_p50:.3f}",
        "relayer CPU per transfer, ms": lambda r: f"{r.relayer_cpu_ms:.1f}",
        "relayer CPU when idle, ms per second": lambda r: f"{r.idle_cpu_ms_per_second:.0f}",
        "CPU of chains and users per transfer, ms": lambda r: f"{r.chains_cpu_ms:.1f}",
        "relayer memory at most, MiB": lambda r: f"{r.relayer_peak_mib:.0f}",
        "RPC calls per transfer": lambda r: ", ".join(
            f"{chain} {count:.1f}" for chain, count in r.rpc_calls.items()
        ),
    }
    for name, show in rows.items():
        shown.add_row(name, *(show(result) for result in results))
    return shown


def table_of_start(started: Started) -> Table:
    """A start on top of a history."""
    shown = Table(
        title=f"start on {started.transfers} transfers, {started.files_mib:.0f} MiB of files"
    )
    shown.add_column("figure")
    shown.add_column("value", justify="right")
    shown.add_row("until /readyz, s", f"{started.ready:.1f}")
    shown.add_row("until every asset has its lease, s", f"{started.leases:.1f}")
    shown.add_row("CPU of the start, s", f"{started.start_cpu:.1f}")
    shown.add_row("memory then, MiB", f"{started.started_mib:.0f}")
    shown.add_row("memory at most, with transfers on top, MiB", f"{started.peak_mib:.0f}")
    return shown


async def _flows(arguments: argparse.Namespace) -> list[Result]:
    if not arguments.burst and not arguments.steady:
        return []
    with tempfile.TemporaryDirectory() as directory:
        return await measure_flows(
            Path(directory),
            OWN if arguments.own_pace else FAST,
            burst=arguments.burst,
            steady=arguments.steady,
            rate=arguments.rate,
            profile=arguments.profile,
        )


async def _start(arguments: argparse.Namespace) -> Started | None:
    if not arguments.history:
        return None
    with tempfile.TemporaryDirectory() as directory:
        return await measure_history(Path(directory), arguments.history)


def main() -> None:
    """Measure and print; ``--json`` for machines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--steady", type=int, default=900)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--history", type=int, default=100_000)
    parser.add_argument(
        "--own-pace", action="store_true", help="blocks as often as the real chains make them"
    )
    parser.add_argument("--profile", type=Path, help="directory to write profiles into")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results, started = asyncio.run(_flows(arguments)), asyncio.run(_start(arguments))
    if arguments.json:
        figures = {
            "flows": [asdict(result) for result in results],
            "start": asdict(started) if started else None,
        }
        print(json.dumps(figures, indent=2))
        return
    console = Console(width=110)
    if results:
        console.print(table(results))
    if started:
        console.print(table_of_start(started))


main()
