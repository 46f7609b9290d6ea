"""``relayer trace``: the life of one transfer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import config_option
from relayer.cli.words import plain

if TYPE_CHECKING:
    from relayer.services.tracks import Story


HINT = (
    "this is what was told on the bus, and no proof: that is on the chains, the deposit on its source "
    "and the receipt on its destination"
)


@click.command()
@config_option
@click.argument("name")
def command(config_path: Path, name: str) -> None:
    """Tell the story of NAME: a transfer id, or a transaction of its source or destination."""
    from relayer.services.tracks import Tracks
    from relayer.settings import load

    settings = load(config_path)
    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        stories = tracks.trace(name)
    if not stories:
        click.echo(
            f"no transfer is known by {name!r}: a deposit is seen once it is final on its chain",
            err=True,
        )
        sys.exit(1)
    for story in stories:
        _tell(story)
    click.echo(HINT, err=True)


def _tell(story: Story) -> None:
    from datetime import UTC, datetime

    from relayer.cli.chain import short_name
    from relayer.domain.address import caip10
    from relayer.domain.amount import format_shares
    from relayer.domain.reasons import EXPLANATIONS
    from relayer.domain.stage import Stage
    from relayer.domain.transfer import ActKind

    told = story.track.told
    click.echo(f"transfer    {told.id.hex()}")
    click.echo(
        f"            {format_shares(told.shares)} {plain(told.asset)}, "
        f"{short_name(told.source)} → {short_name(told.destination)}"
    )
    click.echo(f"from        {caip10(told.source, told.sender)}")
    if told.destination:
        click.echo(f"to          {caip10(told.destination, told.recipient)}")
    final = datetime.fromtimestamp(told.source_time, UTC)
    click.echo(f"deposit     {plain(told.source_tx)}")
    click.echo(f"            height {told.source_height}, {final:%Y-%m-%d %H:%M:%S} chain time")
    act = "delivery" if told.act is ActKind.DELIVER else "void"
    _place(act, told.destination_tx, told.destination_height)
    _place("refund", told.refund_tx, told.refund_height)
    click.echo("")
    for fact in story.facts:
        at = datetime.fromtimestamp(fact.at, UTC)
        after = fact.at - story.track.seen_at
        reason = f"  {fact.reason}: {plain(fact.detail)}" if fact.reason else ""
        under_way = fact.stage in (Stage.SIGNING, Stage.READY, Stage.SUBMITTED)
        about = f" ({fact.act})" if under_way and fact.act is not ActKind.DELIVER else ""
        click.echo(
            f"  {at:%H:%M:%S}.{at:%f}"[:14] + f"  +{after:8.3f} s  {fact.stage}{about}{reason}"
        )
    if told.reason and told.stage in (Stage.WAITING, Stage.PARKED):
        click.echo(f"\n{EXPLANATIONS[told.reason].user}")
        click.echo(f"Operators: {EXPLANATIONS[told.reason].operator}")
    if told.stage is Stage.VOIDED:
        click.echo("\nNothing will be delivered any more; the source gives the shares back next.")
    click.echo("")


def _place(what: str, tx: str | None, height: int | None) -> None:
    if tx is None:
        return
    click.echo(f"{what:<12}{plain(tx)}")
    if height:
        click.echo(f"            height {height}")
