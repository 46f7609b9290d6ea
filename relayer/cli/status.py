"""``relayer status``: where transfers stand."""

from __future__ import annotations

from pathlib import Path

import click

from relayer.cli.options import config_option

WIDE = 120
"""Columns of the table where the output is no terminal."""


@click.command()
@config_option
@click.option("--open", "open_only", is_flag=True, help="Only transfers that are not closed.")
@click.option("--asset", help="Only this asset.")
@click.option("--limit", default=30, show_default=True, help="How many, newest first.")
def command(config_path: Path, *, open_only: bool, asset: str | None, limit: int) -> None:
    """List transfers, newest change first, with the reason where one waits."""
    import time

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from relayer.cli.chain import short_name
    from relayer.cli.trace import HINT
    from relayer.cli.words import plain
    from relayer.domain.amount import format_shares
    from relayer.domain.transfer import ActKind
    from relayer.services.tracks import Filter, Tracks
    from relayer.settings import load

    settings = load(config_path)
    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        counts = tracks.counts()
        found = tracks.status(Filter(open_only=open_only, asset=asset, limit=limit))
    table = Table()
    for name in ("transfer", "route", "shares", "stage", "since", "reason"):
        table.add_column(name, no_wrap=True)
    for track in found:
        told = track.told
        table.add_row(
            told.id.hex()[:16],
            f"{short_name(told.source)} → {short_name(told.destination)}",
            escape(f"{format_shares(told.shares)} {plain(told.asset)}"),
            f"{told.stage} ({told.act})" if told.act is not ActKind.DELIVER else told.stage,
            f"{time.time() - told.at:.0f} s",
            told.reason or "",
        )
    console = Console()
    if not console.is_terminal:  # rich takes it for narrow, and would cut words off
        console.width = max(console.width, WIDE)
    console.print(table)
    summary = ", ".join(
        f"{count} {stage}{f' ({reason})' if reason else ''}"
        for (stage, reason), count in sorted(counts.items(), key=str)
    )
    console.print(summary or "no transfer is known yet")
    click.echo(HINT, err=True)
