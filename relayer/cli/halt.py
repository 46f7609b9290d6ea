"""``relayer halt``: anybody who reaches the relayer may stop it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from relayer.cli.options import config_option


@click.command()
@config_option
@click.option("--url", help="The relayer's HTTP server; default: from the config.")
@click.option(
    "--scope",
    type=click.Choice(["global", "asset", "chain"]),
    default="global",
    show_default=True,
    help="What is stopped.",
)
@click.option("--name", default="", help="The asset's symbol or the chain's CAIP-2 name.")
@click.option("--reason", required=True, help="Why; shown to everybody who looks.")
def command(config_path: Path, url: str | None, scope: str, name: str, reason: str) -> None:
    """Stop deliveries of a scope until an operator resumes them. Needs no key."""
    from relayer.cli.control import publish
    from relayer.domain.gate import CONTROL_RECORDS, Halt, Scope, ScopeKind
    from relayer.settings import load

    halt = Halt(
        scope=Scope(kind=ScopeKind(scope), name=name),
        reason=reason,
        evidence="raised by hand",
        raised_at=int(time.time()),
        raised_by="operator",
    )
    asyncio.run(publish(load(config_path), url, CONTROL_RECORDS.encode(halt)))
    click.echo(f"halted: {halt.digest.hex()}")
