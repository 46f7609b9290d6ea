"""Everything that is measured of Kafka, as tables for `benchmarks/README.md`: ~8 minutes.

``python -m benchmarks.kafka`` or ``--only steady`` (lanes, takeover, restore). A broker of its own is
started for it (Java 17, Maven). Ratios hold within a run, since its parts share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.kafka.flows import (
    EMBEDDED,
    FLEET,
    ONE,
    Burst,
    Flow,
    joined,
    measure_lanes,
    measure_steady,
)
from benchmarks.kafka.hops import HOPS
from benchmarks.kafka.restore import CaughtUp, Restored, measure_restore
from benchmarks.kafka.takeover import Standstill, measure_takeover
from benchmarks.measures import share
from relayer.cli.demo.kafka import broker
from relayer.process_settings import BusSettings
from relayer.telemetry.log import LogFormat, configure_logs

PARTS = ("steady", "lanes", "takeover", "restore")


def _rows(title: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [title, ["---", *["---:"] * (len(title) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def steady_table(flows: Sequence[Flow], rate: float) -> str:
    """Latency by hop, commits and records, of the three ways side by side."""
    ways = [joined(flows, name) for name in (EMBEDDED, ONE, FLEET)]
    base = share(ways[0].totals, 0.5)

    def rows() -> Iterator[list[str]]:
        for part in (0.1, 0.5, 0.99):  # the quickest tenth is hardly touched by a busy machine
            name = f"deposit known to listener → delivery broadcast, p{part * 100:.0f}"
            yield [name, *(_ms(share(way.totals, part)) for way in ways)]
        yield ["what Kafka adds, p50", *(_ms(share(way.totals, 0.5) - base) for way in ways)]
        for hop in HOPS:
            yield [f"of it: {hop}, p50", *(_ms(way.hops[hop]) for way in ways)]
        yield ["one commit of a lane, p50", *(_ms(way.commit_p50) for way in ways)]
        yield ["CPU per transfer", *(f"{way.cpu_ms:.1f} ms" for way in ways)]
        for what in ("commits", "records"):
            for kind in ways[1].commits if what == "commits" else ways[1].records:
                some = (getattr(way, what).get(kind, 0.0) for way in ways)
                yield [f"{what} per transfer: {kind}", *(f"{one:.1f}" for one in some)]
        yield ["load average at most", *(f"{way.load:.1f}" for way in ways)]

    return _rows([f"steady {rate:g}/s", *(way.name for way in ways)], rows())


def lanes_table(bursts: Sequence[Burst]) -> str:
    """Throughput and CPU by lanes."""
    return _rows(
        ["burst", "lanes a chain", "transfers/s", "CPU per transfer, start included"],
        (
            [one.bus, str(one.lanes), f"{one.per_second:.0f}", f"{one.cpu_ms:.1f} ms"]
            for one in sorted(bursts, key=lambda one: one.bus, reverse=True)
        ),
    )


def takeover_table(found: Sequence[Standstill]) -> str:
    """How long lanes stood."""
    return _rows(
        ["event", "longest time without a commit, of any lane", "lanes that stood for 1 s"],
        ([one.event, f"{one.worst:.2f} s", f"{one.lanes} of 4"] for one in found),
    )


def restore_table(found: Sequence[Restored], lag: CaughtUp) -> str:
    """Starts on full lanes."""

    def rows() -> Iterator[list[str]]:
        for one in found:
            yield [
                f"{one.bus}: {one.transfers} open transfers in one lane",
                f"{one.ready:.1f} s",
                f"{one.restored:.1f} s",
                f"{one.mib:.0f} MiB ({one.idle_mib:.0f} with none)",
            ]
        rate = lag.records / lag.seconds
        catching = f"{lag.seconds:.1f} s ({rate:.0f}/s)"
        yield [f"kafka: {lag.records} records behind", "", catching, f"{lag.mib:.0f} MiB at most"]

    return _rows(["start of a process", "until `/readyz`", "until done", "memory"], rows())


async def _measure(part: str, bus: BusSettings, options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        if part == "steady":
            flows = await measure_steady(
                directory,
                bus,
                rounds=options.rounds,
                transfers=options.transfers,
                rate=options.rate,
            )
            return steady_table(flows, options.rate)
        if part == "lanes":
            bursts = await measure_lanes(directory, bus, lanes=(1, 2, 4), transfers=options.burst)
            return lanes_table(bursts)
        if part == "takeover":
            return takeover_table(await measure_takeover())
        return restore_table(*await measure_restore(directory, bus, options.open))


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--transfers", type=int, default=120, help="of a steady flow")
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--burst", type=int, default=240)
    parser.add_argument("--open", type=int, default=100_000)
    options = parser.parse_args()
    configure_logs(LogFormat.CONSOLE, "error")  # tables are the output; clients warn of each retry
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with broker(None) as kafka:
        for part in options.only or PARTS:
            print(f"\n{asyncio.run(_measure(part, kafka.bus, options))}", flush=True)
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}")


main()
