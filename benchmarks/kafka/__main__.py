"""Everything that is measured of Kafka, as tables for `benchmarks/README.md`: ~20 minutes.

``python -m benchmarks.kafka`` measures all; ``--only`` one part, or several. A broker of its own is
started for it (Java 17, Maven). Ratios hold within a run, since its parts share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.kafka import tables
from benchmarks.kafka.flows import measure_lanes, measure_steady
from benchmarks.kafka.idle import measure_idle
from benchmarks.kafka.relayers import measure_relayers
from benchmarks.kafka.restore import measure_restore
from benchmarks.kafka.spread import measure_spread
from benchmarks.kafka.takeover import measure_takeover
from relayer.cli.demo.kafka import broker
from relayer.process_settings import BusSettings
from relayer.telemetry.log import LogFormat, configure_logs

COUNTS: Final = (1, 2, 4)
"""Lanes a chain, and relayer processes."""

Part = Callable[[Path, BusSettings, argparse.Namespace], Awaitable[str]]
"""Measures in a folder and on a bus, and returns a table."""


async def _steady(place: Path, bus: BusSettings, told: argparse.Namespace) -> str:
    flows = await measure_steady(
        place, bus, rounds=told.rounds, transfers=told.transfers, rate=told.rate
    )
    return tables.steady_table(flows, told.rate)


async def _lanes(place: Path, bus: BusSettings, told: argparse.Namespace) -> str:
    return tables.lanes_table(await measure_lanes(place, bus, lanes=COUNTS, transfers=told.burst))


async def _spread(place: Path, bus: BusSettings, told: argparse.Namespace) -> str:
    found = await measure_spread(place, bus, counts=COUNTS, transfers=told.burst)
    return tables.spread_table(found)


async def _takeover(_place: Path, _bus: BusSettings, _told: argparse.Namespace) -> str:
    return tables.takeover_table(await measure_takeover())


async def _relayers(place: Path, bus: BusSettings, told: argparse.Namespace) -> str:
    return tables.relayers_table(await measure_relayers(place, bus, told.rate), told.rate)


async def _restore(place: Path, bus: BusSettings, told: argparse.Namespace) -> str:
    return tables.restore_table(*await measure_restore(place, bus, told.open))


async def _idle(place: Path, bus: BusSettings, _told: argparse.Namespace) -> str:
    return tables.idle_table(await measure_idle(place, bus, starts=3, seconds=20))


PARTS: Final[dict[str, tuple[Part, str]]] = {
    "steady": (_steady, "latency by hop, commits and CPU on either bus: 3 minutes"),
    "lanes": (_lanes, "a burst over lanes of one process: 2 minutes"),
    "spread": (_spread, "a burst over lanes of several relayers: 6 minutes"),
    "takeover": (_takeover, "how long lanes stand that only count: 1 minute"),
    "relayers": (_relayers, "relayers come and go under a steady flow: 3 minutes"),
    "restore": (_restore, "starts on 100,000 open transfers: 1 minute"),
    "idle": (_idle, "starts, and processes without traffic: 3 minutes"),
}


async def _measure(part: str, bus: BusSettings, told: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as place:
        return await PARTS[part][0](Path(place), bus, told)


def _told() -> argparse.Namespace:
    parts = "\n".join(f"  {name:10}{what}" for name, (_, what) in PARTS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nparts:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; more than once")
    parser.add_argument("--rounds", type=int, default=2, help="of steady")
    parser.add_argument("--transfers", type=int, default=120, help="of each round of steady")
    parser.add_argument("--rate", type=float, default=10.0, help="of steady and relayers, a second")
    parser.add_argument("--burst", type=int, default=240, help="transfers of lanes and spread")
    parser.add_argument("--open", type=int, default=100_000, help="transfers of restore")
    return parser.parse_args()


def main() -> None:
    """Measure and print Markdown."""
    told = _told()
    configure_logs(LogFormat.CONSOLE, "error")  # tables are the output; clients warn of each retry
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with broker(None) as kafka:
        for part in told.only or PARTS:
            print(f"\n{asyncio.run(_measure(part, kafka.bus, told))}", flush=True)
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}")


main()
