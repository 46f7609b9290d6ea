"""Forgetting, a little at a time: old records, tombstones that all have seen, empty pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relayer.bus.sqlite_damage import named

if TYPE_CHECKING:
    from relayer.bus.catalog import Catalog
    from relayer.bus.sqlite_log import Log
    from relayer.ports.bus import Topic

BATCH: Final = 200
"""The most records deleted from one partition in one step."""

GRAVES_KEPT: Final = 600.0
"""Seconds that a tombstone stays, so that a follower that lags meets it."""

SPARE_PAGES: Final = 1_000
"""Empty pages left in the file for what comes next; the rest goes back to the disk."""

PAGES_PER_STEP: Final = 200
"""The most pages given back in one step."""


def tidy(log: Log, catalog: Catalog, now: float) -> bool:
    """Delete what is due, inside the open transaction, and say whether there is more to do.

    `now` is in seconds since the epoch. Of a partition, the oldest records go first, so that its
    offsets keep no hole but at the beginning (as on Kafka).
    """
    more = False
    for topic in catalog:
        for number in log.ends(topic.name):
            more |= _expire(log, topic, number, now)
    with named(log.path):
        buried = log.write.execute(
            "delete from kept where (topic, part, key) in (select topic, part, key from kept "
            "where value is null and time < ? limit ?)",
            (now - GRAVES_KEPT, BATCH),
        ).rowcount
        (spare,) = log.write.execute("pragma freelist_count").fetchone()
        for _ in range(min(PAGES_PER_STEP, spare - SPARE_PAGES)):
            # Python steps this statement once, which frees one page whatever number it names.
            log.write.execute("pragma incremental_vacuum(1)")
    return more or buried == BATCH or spare > SPARE_PAGES


def _expire(log: Log, topic: Topic, number: int, now: float) -> bool:
    if topic.retention is None:
        return False
    keep_from = log.first_since(topic.name, number, now - topic.retention.total_seconds())
    oldest = log.oldest(topic.name, number)
    if keep_from <= oldest:
        return False
    upto = min(keep_from, oldest + BATCH)
    log.newest.expire(topic.name, number, upto)
    table = "kept" if topic.compacted else "log"
    with named(log.path):
        log.write.execute(
            f"delete from {table} where topic = ? and part = ? and off < ?",  # noqa: S608 - one of two constants
            (log.ids[topic.name], number, upto),
        )
    return upto < keep_from
