"""What `check` says about the embedded bus."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from relayer.bus.sqlite_damage import named
from relayer.ports.bus import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.bus.catalog import Catalog
    from relayer.bus.sqlite_log import Log

ROOM: Final = 256_000_000
"""Bytes free on the disk below which it is time to speak."""


def examine(log: Log, catalog: Catalog, *, full_sync: bool) -> list[Finding]:
    """Return what is wrong, or may soon be, with file, topics and disk."""
    return [*_topics(log, catalog), *_disk(log), *_sync(log, full_sync=full_sync)]


def _topics(log: Log, catalog: Catalog) -> Iterator[Finding]:
    for name in sorted(log.ids):
        if name not in catalog:
            yield Finding(
                level=Level.WARNING,
                subject=name,
                problem="the file holds this topic, the configuration does not know it",
                remedy="name its chain again, or leave it: it only takes space",
            )
            continue
        count = catalog.topic(name).partitions
        beyond = [number for number in log.ends(name) if number >= count]
        if beyond:
            yield Finding(
                level=Level.ERROR,
                subject=name,
                problem=f"partitions {beyond} hold records, but only {count} lanes are configured",
                remedy=f"run with {max(beyond) + 1} lanes until all is drained, then lower it",
            )


def _disk(log: Log) -> Iterator[Finding]:
    free = shutil.disk_usage(log.path.parent).free
    if free < ROOM:
        yield Finding(
            level=Level.ERROR if free < ROOM // 8 else Level.WARNING,
            subject=str(log.path),
            problem=f"{free // 1_000_000} MB are free on its disk",
            remedy=f"free some space: at least {ROOM // 1_000_000} MB",
        )


def _sync(log: Log, *, full_sync: bool) -> Iterator[Finding]:
    with named(log.path):
        (level,) = log.write.execute("pragma synchronous").fetchone()
    if not full_sync or level < 2:
        yield Finding(
            level=Level.WARNING,
            subject=str(log.path),
            problem="commits do not wait for the disk: a power cut may take the last ones back",
            remedy="switch full sync on",
        )
