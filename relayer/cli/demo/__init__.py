"""``relayer demo``: the main job on local chains, with its proof."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.ending import in_order
from relayer.cli.options import nodes_option

if TYPE_CHECKING:
    from rich.console import Console

    from relayer.cli.demo.journey import Demo, Outcome
    from relayer.cli.demo.kafka import Kafka
    from relayer.settings import Settings

GIVEN_PATIENCE = 5
"""Nodes of one's own become final more slowly, and may be down for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What a demo is asked to do; ``rate`` in deposits per second, ``chaos`` in seconds."""

    transfers: int
    crashes: int
    seed: int
    users: int
    rate: float
    chaos: float | None

    def refuse(self) -> None:
        """BadParameter for what cannot be."""
        if not 0 <= self.crashes <= self.transfers:
            msg = "each SIGKILL needs a transfer in flight: at most as many as --transfers"
            raise click.BadParameter(msg, param_hint="--crash")
        if self.chaos is None:
            return
        from relayer.cli.demo.chaos import LEAST, kept_back

        if not self.rate:
            msg = "chaos lasts as long as deposits are made: give a --rate"
            raise click.BadParameter(msg, param_hint="--chaos")
        seconds = (self.transfers - kept_back(self.transfers)) / self.rate
        if seconds < LEAST * self.chaos:
            msg = f"deposits are made for {seconds:.0f} s: at least {LEAST} times as long as this"
            raise click.BadParameter(msg, param_hint="--chaos")


@click.command()
@click.option("--transfers", default=18, show_default=True, help="How many transfers to make.")
@click.option("--crash", "crashes", default=0, show_default=True, help="SIGKILLs of the relayer.")
@click.option("--seed", type=int, help="Draws SIGKILLs and chaos; random if absent.")
@click.option("--users", default=4, show_default=True, help="Users who deposit.")
@click.option("--rate", default=0.0, help="Deposits begun per second; all at once if absent.")
@click.option(
    "--chaos",
    type=click.FloatRange(min=1.0),
    help="Over Kafka: strike every so many seconds (kills, one replica more, one less, a broker "
    "lost). Starts three brokers where no --kafka is given.",
)
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
    help="kafka: each service is a process of its own, ten in all.",
)
@click.option(
    "--secured",
    is_flag=True,
    help="Over a Kafka that is started here: passwords, TLS, and a user for each service who may do "
    "what it needs and nothing else.",
)
@click.option("--kafka", "address", help="A running Kafka, host:port; else one is started here.")
@nodes_option
def command(
    directory: Path,
    bus: str,
    address: str | None,
    nodes_path: Path | None,
    *,
    secured: bool,
    **wished: Any,
) -> None:
    """Start local chains and a relayer, move shares over all six routes, and prove the books.

    Exit code 0 only if every transfer was delivered exactly once and the books balance.
    """
    seed = secrets.randbelow(10**6) if wished["seed"] is None else wished["seed"]
    wish = _Wish(**{**wished, "seed": seed})
    wish.refuse()
    chaos = wish.chaos is not None
    if secured and address:
        msg = "users are made on a Kafka that is started here, not on a given one"
        raise click.BadParameter(msg, param_hint="--secured")
    with in_order(), contextlib.ExitStack() as stack:
        on_kafka = bus == "kafka" or address or chaos or secured
        kafka = None
        if on_kafka:
            kafka = stack.enter_context(_broker(address, chaos=chaos, secured=secured))
        code = asyncio.run(_demo(wish, directory, kafka, nodes_path))
    sys.exit(code)


@contextlib.contextmanager
def _broker(address: str | None, *, chaos: bool, secured: bool) -> Iterator[Kafka]:
    """Run Kafka; where it cannot be had, end with one line that says what to install."""
    from relayer.cli.demo.kafka import broker
    from relayer.devnet.kafka.jars import KafkaMissing

    try:
        with broker(address, chaos=chaos, secured=secured) as kafka:
            yield kafka
    except KafkaMissing as missing:
        msg = f"{missing} with --kafka HOST:PORT"
        raise click.ClickException(msg) from None


async def _demo(wish: _Wish, directory: Path, kafka: Kafka | None, nodes_path: Path | None) -> int:
    from rich.console import Console

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
    async with LocalWorld(directory, WorldOptions(users=wish.users, given=nodes)) as world:
        settings = load(world.config_path)
        console.print(f"Moving {wish.transfers} transfers over six routes ...")
        demo = _made(wish, settings, world.config_path, console, kafka)
        demo.patience *= GIVEN_PATIENCE if nodes else 1
        async with contextlib.AsyncExitStack() as stack:
            if kafka is not None:
                demo.crew = await stack.enter_async_context(
                    fleet(settings, kafka.bus, guard=kafka.guard)
                )
            outcome = await demo.run()
    return _report(console, outcome, wish)


def _made(
    wish: _Wish, settings: Settings, config_path: Path, console: Console, kafka: Kafka | None
) -> Demo:
    from relayer.cli.demo.chaos import Chaos
    from relayer.cli.demo.journey import Demo

    demo = Demo(settings, config_path, console, wish.transfers, wish.users, wish.crashes, wish.seed)
    demo.rate = wish.rate
    if wish.chaos is not None and kafka is not None:
        demo.chaos = Chaos(every=wish.chaos, seed=wish.seed, brokers=kafka.brokers)
    return demo


def _report(console: Console, outcome: Outcome, wish: _Wish) -> int:
    from relayer.cli.demo.show import (
        books_table,
        chaos_table,
        latencies,
        percentiles,
        transfers_table,
    )

    # Sentences are the reader's to wrap: where stdout is no terminal, rich takes it for narrow.
    say = partial(console.print, soft_wrap=True)
    console.print(transfers_table(outcome.stories))
    if outcome.struck:
        console.print(chaos_table(outcome.struck, outcome.stories))
    console.print(books_table(outcome.before, outcome.after))
    say(latencies(outcome.stories))
    say(percentiles(outcome.took))
    say(
        f"relayer process: {outcome.cpu_seconds:.1f} s CPU, "
        f"{1000 * outcome.cpu_seconds / wish.transfers:.0f} ms per transfer with start-up, "
        f"{outcome.peak_bytes / 2**20:.0f} MiB at most, {outcome.seconds:.0f} s in all"
    )
    if outcome.kills:
        say(
            f"relayer killed {len(outcome.kills)} times, with {min(outcome.kills)} to "
            f"{max(outcome.kills)} transfers in flight"
        )
    if outcome.kills or outcome.struck:
        say(f"--seed {wish.seed} draws the same again")
    for problem in outcome.wrong:
        say(problem, style="red", markup=False)  # it may quote what somebody wrote
    if outcome.wrong:
        return 1
    killed = f", relayer killed {len(outcome.kills)} times" if outcome.kills else ""
    struck = f", in spite of {len(outcome.struck)} blows" if outcome.struck else ""
    say(
        f"[green]{wish.transfers} transfers delivered, each once{killed}{struck}; the books "
        "balance to the last unit.[/green]"
    )
    return 0
