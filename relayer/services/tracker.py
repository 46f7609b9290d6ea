"""The Tracker: folds ``transfers`` and ``supply`` into a file that answers "where is it?".

The bus is at least once, so a fact may come again: the same content is folded once, and the
position read so far is stored in the same transaction as what was folded. The bus is not trusted
either: nothing here decides anything, it only shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import VERDICT, Verdict, said_by
from relayer.domain.records import SUPPLY, TRANSFERS, TRANSFERS_TOPIC, TransferTold
from relayer.domain.stage import CLOSED, Stage
from relayer.domain.transfer import ActKind
from relayer.ports.bus import Bus, Follower, Record
from relayer.services.tracks import create, names, troubled

BATCH: Final = 200
"""The most records folded in one transaction."""

GATHER: Final = 0.2
"""Seconds that records gather before they are folded: a transaction costs as much as ten records."""

KNOWN: Final = 2_000
"""Transfers whose standing is kept in memory; others are read from the file when told of."""

OVERLAP: Final = 3600.0
"""Seconds read again after a start, so that no difference of clocks skips a record."""

CALENDAR: Final = 253_402_300_800
"""Seconds since the epoch that no calendar reaches: the year 10000."""

AHEAD: Final = 3600.0
"""Seconds that a fact may be ahead of the record it came in: clocks differ. What is dated further
would stand before all others for years, and never be forgotten."""

_log = structlog.get_logger("relayer.tracker")

Refused = Callable[[Record, RecordRefused], None]
"""Told of a record that was passed over."""


def _logged(record: Record, error: RecordRefused) -> None:
    _log.warning("tracker.record_refused", topic=record.topic, offset=record.offset, why=str(error))


class Tracker:
    """The service. One at a time writes a file."""

    def __init__(
        self,
        bus: Bus,
        path: Path,
        *,
        monitors: Collection[bytes] = (),
        keep: timedelta = timedelta(days=180),
        now: Callable[[], float] = time.time,
        refused: Refused = _logged,
    ) -> None:
        """Track into the file at ``path``; closed transfers are forgotten after ``keep``.

        Readings count of these ``monitors`` alone, by their signatures.
        """
        self.caught_up = asyncio.Event()
        """Set once all that was on the bus at the start has been folded."""
        self._bus, self._path, self._keep, self._now = bus, path, keep, now
        self._refused, self._monitors = refused, monitors

    async def run(self) -> None:
        """Fold until cancelled. Raises Fatal when the file cannot be used."""
        with closing(Fold(self._path, self._refused, self._monitors)) as fold:
            seen = {topic: asyncio.Event() for topic in (TRANSFERS_TOPIC, SUPPLY)}
            async with asyncio.TaskGroup() as group:
                for topic, event in seen.items():
                    group.create_task(self._follow(topic, fold, event))
                for event in seen.values():
                    await event.wait()
                self.caught_up.set()

    async def _follow(self, topic: str, fold: Fold, seen: asyncio.Event) -> None:
        queue: asyncio.Queue[Record | None] = asyncio.Queue(BATCH * 2)
        since = fold.since(topic)
        age = None if since is None else timedelta(seconds=self._now() - since + OVERLAP)
        async with (
            aclosing(self._bus.follow(topic, age)) as follower,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(_pour(follower, queue))
            group.create_task(_mark(follower, queue))
            while True:
                batch = await _batch(queue)
                fold.take(topic, [record for record in batch if record is not None])
                fold.forget(self._now() - self._keep.total_seconds())
                if None in batch:
                    seen.set()


async def _pour(follower: Follower, queue: asyncio.Queue[Record | None]) -> None:
    async for record in follower:
        await queue.put(record)


async def _mark(follower: Follower, queue: asyncio.Queue[Record | None]) -> None:
    """Put the mark behind the last record that was there at the start."""
    await follower.caught_up.wait()
    await queue.put(None)


async def _batch(queue: asyncio.Queue[Record | None]) -> list[Record | None]:
    """Return what is there, at least one; what comes a moment later belongs to it."""
    batch = [await queue.get()]
    _drain(queue, batch)
    if len(batch) < BATCH and None not in batch:
        await asyncio.sleep(GATHER)
        _drain(queue, batch)
    return batch


def _drain(queue: asyncio.Queue[Record | None], into: list[Record | None]) -> None:
    while len(into) < BATCH and not queue.empty():
        into.append(queue.get_nowait())


@dataclass(frozen=True, slots=True)
class _Standing:
    told: TransferTold
    seen_at: float
    text: bytes
    """``told`` as it was read, or as it is written."""


class Fold:
    """The file, written."""

    def __init__(
        self, path: Path, refused: Refused = _logged, monitors: Collection[bytes] = ()
    ) -> None:
        """Open or make it. Raises Fatal."""
        self._path, self._db, self._refused = path, create(path), refused
        self._monitors = monitors
        self._ends: dict[tuple[str, int], tuple[int, float]] = {}
        self._known: OrderedDict[bytes, _Standing] = OrderedDict()
        self._changed: dict[bytes, set[str]] = {}
        self._moved: set[tuple[str, int]] = set()
        with troubled(path):
            self._load()

    def _load(self) -> None:
        """Know what the file says, and nothing else."""
        self._known.clear()
        self._changed.clear()
        self._moved.clear()
        rows = self._db.execute("select topic, part, next, time from tracking")
        self._ends = {(topic, part): (following, at) for topic, part, following, at in rows}

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def since(self, topic: str) -> float | None:
        """The time (seconds since the epoch) up to which every partition was read; None: never."""
        with troubled(self._path):
            (oldest,) = self._db.execute(
                "select min(time) from tracking where topic = ?", (topic,)
            ).fetchone()
        return None if oldest is None else float(oldest)

    def take(self, topic: str, records: Sequence[Record]) -> None:
        """Fold records of a topic and the position behind them in one transaction."""
        with troubled(self._path):
            self._db.execute("begin immediate")
            try:
                for record in records:
                    if self._advance(record):
                        self._fold(topic, record)
                self._write()
            except BaseException:
                self._db.execute("rollback")
                self._load()
                raise
            self._db.execute("commit")

    def forget(self, before: float) -> None:
        """Delete some of the closed transfers that did not change since ``before`` (seconds)."""
        closed = tuple(stage.value for stage in CLOSED)
        with troubled(self._path):
            old = self._db.execute(
                f"select id from transfer where at < ? and stage in ({_marks(closed)}) limit {BATCH}",  # noqa: S608
                (before, *closed),
            ).fetchall()
            if old:
                self._db.execute("begin immediate")
                for table in ("transfer", "history", "tx"):
                    self._db.executemany(f"delete from {table} where id = ?", old)  # noqa: S608
                self._db.execute("commit")
            for (transfer,) in old:
                self._known.pop(transfer, None)

    def _advance(self, record: Record) -> bool:
        """Store the position; False for a record that was folded before.

        A topic that was made anew begins again at offset 0, but at a later time.
        """
        place = (record.topic, record.partition)
        known = self._ends.get(place)
        if known is not None and record.offset < known[0] and record.time <= known[1]:
            return False
        self._ends[place] = record.offset + 1, record.time
        self._moved.add(place)
        return True

    def _fold(self, topic: str, record: Record) -> None:
        try:
            if topic == SUPPLY:
                self._fold_supply(record)
            else:
                self._fold_told(TRANSFERS.decode(record.value or b""), record)
        except RecordRefused as error:
            self._refused(record, error)

    def _fold_supply(self, record: Record) -> None:
        _, said = said_by(record.value or b"", self._monitors)
        if isinstance(said, Verdict):
            self._db.execute(
                "insert into verdict values(?, ?, ?, ?) on conflict do update set "
                "time = excluded.time, data = excluded.data where excluded.time > time",
                (said.asset, said.monitor, said.at, VERDICT.encode(said)),
            )

    def _fold_told(self, told: TransferTold, record: Record) -> None:
        days = all(0 <= at < CALENDAR for at in (told.at, told.source_time))
        if not days or told.at > record.time + AHEAD:
            msg = "a time that no calendar has, or that is yet to come"
            raise RecordRefused(msg, Distrust.NUMBER)
        new = self._db.execute(
            "insert or ignore into history select ?1, count(*), ?2, ?3 from history where id = ?1",
            (told.id, _digest(record), record.value),
        )
        if new.rowcount != 1:
            return
        self._known[told.id] = _stands(self._standing(told.id), told, record.value or b"")
        self._changed.setdefault(told.id, set()).update(names(told))

    def _standing(self, transfer: bytes) -> _Standing | None:
        known = self._known.get(transfer)
        if known is not None:
            return known
        row = self._db.execute(
            "select told, seen_at from transfer where id = ?", (transfer,)
        ).fetchone()
        return None if row is None else _Standing(TRANSFERS.decode(row[0]), row[1], row[0])

    def _write(self) -> None:
        """Write standings, names and positions that changed, inside the open transaction."""
        self._db.executemany(
            f"insert or replace into transfer values({_marks(range(11))})",
            [_row(self._known[transfer]) for transfer in self._changed],
        )
        self._db.executemany(
            "insert or ignore into tx values(?, ?)",
            [(name, transfer) for transfer, found in self._changed.items() for name in found],
        )
        self._db.executemany(
            "insert or replace into tracking values(?, ?, ?, ?)",
            [(*place, *self._ends[place]) for place in self._moved],
        )
        self._changed.clear()
        self._moved.clear()
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def _row(standing: _Standing) -> tuple[object, ...]:
    stands = standing.told
    return (
        stands.id,
        stands.stage,
        stands.reason,
        stands.asset,
        stands.source,
        stands.destination,
        stands.sender,
        stands.recipient,
        standing.seen_at,
        stands.at,
        standing.text,
    )


def _stands(known: _Standing | None, told: TransferTold, text: bytes) -> _Standing:
    """Where a transfer stands after one more fact, which was told in ``text``."""
    if known is None:
        return _Standing(told, told.at, text)
    now, seen_at = merged(known.told, told), min(told.at, known.seen_at)
    if now is known.told:
        return _Standing(now, seen_at, known.text)
    return _Standing(now, seen_at, text if now is told else TRANSFERS.encode(now))


def merged(known: TransferTold, new: TransferTold) -> TransferTold:
    """Where a transfer stands after one more fact.

    What the chain has closed stays closed, whatever an owner that began anew tells later; and what
    was told with its place on the destination keeps it: a delivery, and the void before a refund.
    """
    if known.stage in CLOSED and new.stage not in CLOSED:
        return known
    returning = new.act is ActKind.REFUND and new.destination_tx is None
    if returning or (new.stage is Stage.DELIVERED and new.destination_height is None):
        return replace(
            new,
            destination_tx=new.destination_tx or known.destination_tx,
            destination_height=known.destination_height,
            destination_time=known.destination_time,
        )
    return new


def _digest(record: Record) -> bytes:
    return hashlib.blake2b(record.value or b"", digest_size=16).digest()


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
