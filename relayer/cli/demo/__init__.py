"""``relayer demo``: the main job on local chains, with its proof."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import nodes_option

if TYPE_CHECKING:
    from rich.console import Console

    from relayer.cli.demo.journey import Outcome
    from relayer.process_settings import BusSettings

GIVEN_PATIENCE = 5
"""Nodes of one's own become final more slowly, and may be down for a while."""


@click.command()
@click.option("--transfers", default=18, show_default=True, help="How many transfers to make.")
@click.option("--crash", "crashes", default=0, show_default=True, help="SIGKILLs of the relayer.")
@click.option("--seed", type=int, help="Draws the moments of the SIGKILLs; random if absent.")
@click.option("--users", default=4, show_default=True, help="Users who deposit.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".state/demo"),
    show_default=True,
    help="Config, keys, databases and logs; emptied first.",
)
@click.option(
    "--bus",
    type=click.Choice(["embedded", "kafka"]),
    default="embedded",
    show_default=True,
    help="kafka: each service is a process of its own; relayer and listener run twice.",
)
@click.option("--kafka", "address", help="A running Kafka, host:port; else one is started here.")
@nodes_option
def command(
    transfers: int,
    crashes: int,
    seed: int | None,
    users: int,
    directory: Path,
    bus: str,
    address: str | None,
    nodes_path: Path | None,
) -> None:
    """Start local chains and a relayer, move shares over all six routes, and prove the books.

    Exit code 0 only if every transfer was delivered exactly once and the books balance.
    """
    if not 0 <= crashes <= transfers:
        msg = "each SIGKILL needs a transfer in flight: at most as many as --transfers"
        raise click.BadParameter(msg, param_hint="--crash")
    drawn = secrets.randbelow(10**6) if seed is None else seed
    with contextlib.ExitStack() as stack:
        kafka = stack.enter_context(_broker(address)) if bus == "kafka" or address else None
        code = asyncio.run(_demo(transfers, crashes, drawn, users, directory, kafka, nodes_path))
    sys.exit(code)


@contextlib.contextmanager
def _broker(address: str | None) -> Iterator[BusSettings]:
    """Run Kafka; where it cannot be had, end with one line that says what to install."""
    from relayer.cli.demo.kafka import broker
    from relayer.devnet.kafka.jars import KafkaMissing

    try:
        with broker(address) as bus:
            yield bus
    except KafkaMissing as missing:
        msg = f"{missing} with --kafka HOST:PORT"
        raise click.ClickException(msg) from None


async def _demo(
    transfers: int,
    crashes: int,
    seed: int,
    users: int,
    directory: Path,
    kafka: BusSettings | None,
    nodes_path: Path | None,
) -> int:
    from rich.console import Console

    from relayer.cli.demo.journey import Demo
    from relayer.cli.demo.kafka import fleet
    from relayer.devnet import given
    from relayer.devnet.world import LocalWorld, WorldOptions
    from relayer.settings import load
    from relayer.telemetry.log import LogFormat, configure_logs

    configure_logs(LogFormat.CONSOLE, "error")
    console = Console()
    nodes = given.Given() if nodes_path is None else given.load(nodes_path)
    shutil.rmtree(directory, ignore_errors=True)
    words = nodes.words()
    console.print(f"{words[0].upper()}{words[1:]}, and deploying the bridge ...")
    async with LocalWorld(directory, WorldOptions(users=users, given=nodes)) as world:
        settings = load(world.config_path)
        console.print(f"Moving {transfers} transfers over six routes ...")
        demo = Demo(settings, world.config_path, console, transfers, users, crashes, seed)
        demo.patience *= GIVEN_PATIENCE if nodes else 1
        async with contextlib.AsyncExitStack() as stack:
            if kafka is not None:
                demo.crew = await stack.enter_async_context(fleet(settings, kafka))
            outcome = await demo.run()
    return _report(console, outcome, transfers, seed)


def _report(console: Console, outcome: Outcome, transfers: int, seed: int) -> int:
    from relayer.cli.demo.show import books_table, latencies, transfers_table

    console.print(transfers_table(outcome.stories))
    console.print(books_table(outcome.before, outcome.after))
    console.print(latencies(outcome.stories))
    console.print(
        f"relayer process: {outcome.cpu_seconds:.1f} s CPU, "
        f"{1000 * outcome.cpu_seconds / transfers:.0f} ms per transfer with start-up, "
        f"{outcome.peak_bytes / 2**20:.0f} MiB at most, {outcome.seconds:.0f} s in all"
    )
    if outcome.kills:
        console.print(
            f"relayer killed {len(outcome.kills)} times, with {min(outcome.kills)} to "
            f"{max(outcome.kills)} transfers in flight; --seed {seed} draws the same moments"
        )
    for problem in outcome.wrong:
        console.print(f"[red]{problem}[/red]")
    if outcome.wrong:
        return 1
    killed = f", relayer killed {len(outcome.kills)} times" if outcome.kills else ""
    console.print(
        f"[green]{transfers} transfers delivered, each once{killed}; the books balance to the "
        "last unit.[/green]"
    )
    return 0
