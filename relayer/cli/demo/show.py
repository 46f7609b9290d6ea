"""What a demo shows: live progress, the table of transfers, and the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from relayer.cli.chain import short_name
from relayer.cli.demo.books import Books
from relayer.cli.demo.chaos import Struck, gaps
from relayer.domain.address import ChainId
from relayer.domain.amount import format_shares
from relayer.domain.stage import Stage
from relayer.domain.supply import Interval
from relayer.services.tracks import Story

ROWS: Final = 30
"""Transfers shown one by one; the others are summed up."""


class Board:
    """The bars of a running demo."""

    def __init__(self, console: Console, transfers: int) -> None:
        """Begin with nothing deposited."""
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            console=console,
            transient=True,
        )
        self._deposited = self._bar("deposited", transfers)
        self._final = self._bar("deposit final, verified", transfers)
        self._submitted = self._bar("delivery broadcast", transfers)
        self._delivered = self._bar("delivered", transfers)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def deposited(self) -> None:
        """One more deposit is in a block."""
        self._progress.advance(self._deposited)

    def stages(self, stages: Counter[Stage]) -> None:
        """So many transfers stand in each stage."""
        delivered = stages[Stage.DELIVERED]
        submitted = delivered + stages[Stage.SUBMITTED]
        self._progress.update(self._final, completed=stages.total())
        self._progress.update(self._submitted, completed=submitted)
        self._progress.update(self._delivered, completed=delivered)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(text, soft_wrap=True)

    def _bar(self, name: str, total: int) -> TaskID:
        return self._progress.add_task(name, total=total)


def seconds(story: Story) -> float | None:
    """Seconds from the final deposit being seen to the final delivery being seen."""
    ends = [fact.at for fact in story.facts if fact.stage is Stage.DELIVERED]
    return ends[0] - story.track.seen_at if ends else None


def transfers_table(stories: Sequence[Story]) -> Table:
    """One row per transfer, the first ROWS of them."""
    table = Table(title="Transfers", title_justify="left")
    for name in ("route", "asset", "shares", "source tx", "destination tx", "sec"):
        right = name in ("shares", "sec")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for story in stories[:ROWS]:
        told = story.track.told
        took = seconds(story)
        table.add_row(
            f"{short_name(told.source)} → {short_name(told.destination)}",
            told.asset,
            format_shares(told.shares),
            _short(told.source_tx),
            _short(told.destination_tx),
            "-" if took is None else f"{took:.1f}",
        )
    if len(stories) > ROWS:
        table.add_row(f"... and {len(stories) - ROWS} more", "", "", "", "", "")
    return table


def books_table(before: Books, after: Books) -> Table:
    """Per asset and chain: K before and after, and the sums against what is backed."""
    table = Table(title="Books (shares; K is the issuer's circulation)", title_justify="left")
    for name in ("asset", "chain", "height", "K before", "K after", "in flight", "equal"):
        left = name in ("asset", "chain")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for asset in sorted({asset for asset, _ in after.k}):
        for (name, chain), k in after.k.items():
            if name == asset:
                _book_row(table, before, after, asset, chain, k)
        was, now = total(before, asset), total(after, asset)
        flight = format_shares(after.in_flight[asset])
        equal = _mark(was == now)
        table.add_row(asset, "all", "", _text(was), _text(now), flight, equal, style="bold")
        table.add_section()
    return table


def total(books: Books, asset: str) -> Interval:
    """Outstanding shares of an asset over all chains."""
    sums = Interval.exactly(0)
    for (name, _), k in books.k.items():
        if name == asset:
            low, high = sums.low + k.low, sums.high + k.high
            sums = Interval.exactly(low) if low == high else Interval(low=low, high=high)  # type: ignore[arg-type]  # sums of shares are shares
    return sums


def chaos_table(struck: Sequence[Struck], stories: Sequence[Story]) -> Table:
    """One row per blow: when, who, and how long until every chain was written to again."""
    acted: dict[ChainId | None, list[float]] = {}
    for story in stories:
        sent = [fact.at for fact in story.facts if fact.stage is Stage.SUBMITTED]
        acted.setdefault(story.track.told.destination, []).extend(sent[:1])
    table = Table(title="Chaos", title_justify="left")
    table.add_column("second", justify="right")
    table.add_column("what happened")
    table.add_column("all chains written to again, s", justify="right")
    for one, gap in zip(struck, gaps(struck, list(acted.values())), strict=True):
        table.add_row(f"{one.at:.0f}", one.blow.words, f"{gap:.1f}")
    return table


def percentiles(took: Sequence[float]) -> str:
    """Median, 99th percentile and worst of seconds in ascending order."""
    if not took:
        return "nothing was delivered"
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    return f"deposit in its block to final delivery: p50 {p50:.1f} s, p99 {p99:.1f} s, worst {took[-1]:.1f} s"


def latencies(stories: Sequence[Story]) -> str:
    """Median and worst seconds from final deposit to final delivery."""
    took = sorted(s for s in map(seconds, stories) if s is not None)
    if not took:
        return "nothing was delivered"
    return f"final deposit to final delivery: median {took[len(took) // 2]:.1f} s, worst {took[-1]:.1f} s"


def _book_row(
    table: Table, before: Books, after: Books, asset: str, chain: ChainId, k: Interval
) -> None:
    was = before.k[asset, chain]
    height = str(after.heights[chain])
    table.add_row(asset, short_name(chain), height, _text(was), _text(k), "", _mark(was == k))


def _text(k: Interval) -> str:
    if k.low == k.high:
        return format_shares(k.low)
    return f"{format_shares(k.low)} to {format_shares(k.high)}"


def _mark(good: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "[green]yes[/green]" if good else "[red]NO[/red]"


def _short(tx: str | None) -> str:
    return "-" if not tx else tx if len(tx) < 15 else f"{tx[:8]}…{tx[-4:]}"
