"""``python -m benchmarks.peers``: the same messages through another relayer and through ours.

Needs Linux (CPU and memory come from /proc) and, for the other, Node 20 or newer with npm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.peers.flow import Break, Bridge, Flow, flow, idle
from benchmarks.peers.hyperlane import hyperlane
from benchmarks.peers.ours import ours

BRIDGES: dict[str, Callable[[Path], AbstractAsyncContextManager[Bridge]]] = {
    "ours": ours,
    "hyperlane": lambda folder: hyperlane(folder, confirmations=1),
    "hyperlane-0": lambda folder: hyperlane(folder, confirmations=0),
}
"""The last waits for no block on top of the one that holds its transaction: the package's fastest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All flows of one bridge; ``idle_cpu`` in seconds per second."""

    name: str
    idle_cpu: float
    singles: tuple[Flow, ...]
    bursts: tuple[Flow, ...]
    broken: dict[Break, tuple[Flow, ...]]


async def measure(name: str, messages: int, runs: int) -> Report:
    """All flows over one deployment and, but for the breaks, one relayer process."""
    with tempfile.TemporaryDirectory() as directory:
        _say(f"{name}: starting the chains and deploying")
        async with BRIDGES[name](Path(directory)) as bridge:
            await flow(bridge, messages)
            quiet = await idle(bridge.child)
            singles = [await _told(name, bridge, 1) for _ in range(runs)]
            bursts = [await _told(name, bridge, messages) for _ in range(runs)]
            broken = {
                how: tuple([await _told(name, bridge, messages, how) for _ in range(runs)])
                for how in Break
            }
    return Report(
        name=name, idle_cpu=quiet, singles=tuple(singles), bursts=tuple(bursts), broken=broken
    )


async def _told(name: str, bridge: Bridge, messages: int, how: Break | None = None) -> Flow:
    one = await flow(bridge, messages, broken=how)
    if how is not None:
        await up_again(bridge)
    _say(
        f"{name}: {one.delivered} of {one.messages} in {one.seconds:.1f} s, "
        f"p50 {one.at(0.5):.2f} s, {one.cpu_seconds:.2f} s CPU"
        + (f"; {how}: {one.delivered_at_break} by then" if how else "")
    )
    return one


async def up_again(bridge: Bridge) -> None:
    """Wait until a relayer that was started again delivers; TimeoutError after two minutes."""
    async with asyncio.timeout(120):
        while (await flow(bridge, 1, patience=10.0)).delivered == 0:
            pass


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def table(reports: list[Report], messages: int) -> Table:
    """The medians side by side."""
    shown = Table(title=f"bursts of {messages}; medians")
    shown.add_column("figure")
    for report in reports:
        shown.add_column(report.name, justify="right")
    for label, cell in rows(messages).items():
        shown.add_row(label, *(cell(report) for report in reports))
    return shown


def rows(messages: int) -> dict[str, Callable[[Report], str]]:
    """What is shown of a report, by its label."""
    return {
        "one message, s": lambda r: _median(r.singles, lambda f: f.at(0.5), "{:.2f}"),
        "burst, messages/s": lambda r: _median(r.bursts, lambda f: f.per_second, "{:.2f}"),
        "burst, latency p50, s": lambda r: _median(r.bursts, lambda f: f.at(0.5), "{:.2f}"),
        "burst, latency p99, s": lambda r: _median(r.bursts, lambda f: f.at(0.99), "{:.2f}"),
        "burst, relayer CPU per message, ms": lambda r: _median(
            r.bursts, lambda f: 1000 * f.cpu_seconds / messages, "{:.0f}"
        ),
        "idle relayer, CPU per second, ms": lambda r: f"{1000 * r.idle_cpu:.0f}",
        "relayer memory at most, MiB": lambda r: f"{max(f.peak_mib for f in r.bursts):.0f}",
        **{f"lost of {messages}, {how}": _lost(how) for how in Break},
        "arrived twice": lambda r: str(sum(f.twice for f in _all(r))),
    }


def _lost(how: Break) -> Callable[[Report], str]:
    return lambda r: _median(r.broken[how], lambda f: f.messages - f.delivered, "{:.0f}")


def _all(report: Report) -> list[Flow]:
    return [*report.singles, *report.bursts, *(f for fs in report.broken.values() for f in fs)]


def _median(flows: tuple[Flow, ...], figure: Callable[[Flow], float], shape: str) -> str:
    return shape.format(median(figure(one) for one in flows))


def main() -> None:
    """Measure and print; ``--json`` for machines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20, help="in each burst")
    parser.add_argument("--runs", type=int, default=3, help="of each kind")
    parser.add_argument("--only", choices=BRIDGES, action="append", help="may be repeated")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names: list[str] = arguments.only or list(BRIDGES)
    reports = [asyncio.run(measure(n, arguments.messages, arguments.runs)) for n in names]
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(report) for report in reports], indent=2) + "\n")
    else:
        Console(width=110).print(table(reports, arguments.messages))


if __name__ == "__main__":
    main()
