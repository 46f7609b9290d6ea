"""``relayer supply``: the equation per asset, with the heights it was read at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import config_option

if TYPE_CHECKING:
    from relayer.domain.gate import Verdict


@click.command()
@config_option
@click.option("--asset", help="Only this asset.")
def command(config_path: Path, asset: str | None) -> None:
    """Print K per chain, outstanding, in flight and backed, as the monitors read them last."""
    from relayer.services.tracks import Tracks
    from relayer.settings import load

    settings = load(config_path)
    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        verdicts = [v for v in tracks.verdicts() if asset in (None, v.asset)]
    for verdict in verdicts:
        _print(verdict)
    if not verdicts:
        click.echo("no monitor has published a verdict yet")


def _print(verdict: Verdict) -> None:
    import time

    from relayer.cli.chain import short_name
    from relayer.domain.amount import WAD, format_shares

    age = time.time() - verdict.at
    click.echo(f"{verdict.asset}  read {age:.0f} s ago by monitor {verdict.monitor[:16]}")
    for snapshot in verdict.snapshots:
        k = verdict.k[str(snapshot.chain)]
        click.echo(
            f"  {short_name(snapshot.chain):<7} height {snapshot.height:<10} {snapshot.mode:<12} "
            f"supply {format_shares(snapshot.supply.low)}  held {format_shares(snapshot.held)}  "
            f"inventory {format_shares(snapshot.inventory)}  K {format_shares(k.low)}"
        )
    if verdict.outstanding is not None:
        multiplier = max(snapshot.multiplier for snapshot in verdict.snapshots)
        required = -(-verdict.outstanding.low * multiplier // WAD)
        backed = format_shares(verdict.reserve.stock) if verdict.reserve else "unknown"
        click.echo(
            f"  outstanding {format_shares(verdict.outstanding.low)} x {format_shares(multiplier)}"
            f" = {format_shares(required)} required, {backed} backed; "
            f"{format_shares(verdict.in_flight)} of it in flight"
        )
    if verdict.withheld:
        click.echo(f"  NO LEASE: {verdict.withheld}: {verdict.detail}")
    else:
        click.echo("  lease issued: the invariant holds")
