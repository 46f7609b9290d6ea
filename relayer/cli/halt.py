"""``relayer halt``: anybody who reaches the relayer may stop it."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import config_option

if TYPE_CHECKING:
    from relayer.domain.halt import Scope
    from relayer.settings import Settings


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
@click.option(
    "--name", default="", help="The asset's symbol, or the chain: bnb, solana, tron or CAIP-2."
)
@click.option("--reason", required=True, help="Why; shown to everybody who looks.")
def command(config_path: Path, url: str | None, scope: str, name: str, reason: str) -> None:
    """Stop deliveries of a scope until an operator resumes them. Needs no key."""
    from relayer.cli.control import publish
    from relayer.domain.gate import CONTROL_RECORDS
    from relayer.domain.halt import Halt
    from relayer.settings import load

    settings = load(config_path)
    halt = Halt(
        scope=scope_of(settings, scope, name),
        reason=reason,
        evidence="raised by hand",
        raised_at=int(time.time()),
        raised_by=f"operator, {secrets.token_hex(8)}",
    )
    asyncio.run(publish(settings, url, CONTROL_RECORDS.encode(halt)))
    click.echo(f"halted: {halt.digest.hex()}")


def scope_of(settings: Settings, kind: str, name: str) -> Scope:
    """The scope that a person means; SettingRefused for one that would stop nothing.

    Whoever halts in a hurry and misspells must not believe that something stands still.
    """
    from relayer.cli.chain import find_chain
    from relayer.domain.errors import SettingRefused
    from relayer.domain.halt import Scope, ScopeKind

    match ScopeKind(kind):
        case ScopeKind.CHAIN:
            return Scope(kind=ScopeKind.CHAIN, name=find_chain(settings, name).id)
        case ScopeKind.ASSET:
            served = [asset.symbol for asset in settings.assets]
            if name not in served:
                msg = f"{name!r} names no asset; served are {', '.join(served)}"
                raise SettingRefused(msg)
            return Scope(kind=ScopeKind.ASSET, name=name)
        case other:
            if name:
                msg = f"--name {name} goes with --scope asset or --scope chain"
                raise SettingRefused(msg)
            return Scope(kind=other)
