"""The Tracker's file: where every transfer stands, its whole story, and the newest verdicts.

A pure fold of the bus: whoever deletes the file loses nothing, it is made again from what the
topics keep. Anybody may read it while the Tracker writes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from relayer.domain.address import Account, ChainId
from relayer.domain.errors import Fatal, Unavailable
from relayer.domain.gate import VERDICT, Verdict
from relayer.domain.reasons import Reason
from relayer.domain.records import TRANSFERS, TransferTold
from relayer.domain.stage import CLOSED, Stage
from relayer.domain.transfer import TransferId

FORMAT: Final = 1
"""The version of the tables; a file of another version is made again."""

_TABLES: Final = """
create table transfer(id blob primary key, stage text not null, reason text, asset text not null,
  source text not null, destination text, sender blob not null, recipient blob not null,
  seen_at real not null, at real not null, told blob not null) without rowid;
create index transfer_at on transfer(at);
create index transfer_stage on transfer(stage, at);
create table history(id blob not null, number integer not null, digest blob not null,
  told blob not null, primary key(id, number), unique(id, digest)) without rowid;
create table tx(name text not null, id blob not null, primary key(name, id)) without rowid;
create table verdict(asset text not null, monitor text not null, time real not null,
  data blob not null, primary key(asset, monitor)) without rowid;
create table tracking(topic text not null, part integer not null, next integer not null,
  time real not null, primary key(topic, part)) without rowid;
"""

_OPEN: Final = tuple(stage.value for stage in Stage if stage not in CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Where one transfer stands: the newest word about it, and when the relayer first saw it.

    ``seen_at`` is in seconds since the epoch.
    """

    told: TransferTold
    seen_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The whole life of one transfer: where it stands, and every fact told, oldest first."""

    track: Track
    facts: tuple[TransferTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which transfers are asked for; None and empty leave that side open.

    ``account`` is sender or recipient. ``before`` (seconds since the epoch, and an id) continues
    a list after its last entry.
    """

    stages: frozenset[Stage] = frozenset()
    open_only: bool = False
    asset: str | None = None
    source: ChainId | None = None
    destination: ChainId | None = None
    reason: Reason | None = None
    account: Account | None = None
    before: tuple[float, TransferId] | None = None
    limit: int = 50


class Tracks:
    """Questions to the file. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file for reading. Raises Unavailable when no tracker has written it yet."""
        if not path.exists():
            msg = f"there is no {path}: the tracker has not run there yet"
            raise Unavailable(msg)
        self._path = path
        with troubled(path), ExitStack() as failed:
            self._db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
            failed.callback(self._db.close)
            (version,) = self._db.execute("pragma user_version").fetchone()
            if version != FORMAT:
                msg = f"{path} is of another release: start that release's tracker, or this one's"
                raise Unavailable(msg)
            failed.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def status(self, wanted: Filter) -> list[Track]:
        """The transfers that a filter lets through, newest change first."""
        where, values = _conditions(wanted)
        rows = self._rows(
            f"select told, seen_at from transfer where {where} order by at desc, id desc limit ?",  # noqa: S608 - made of constants
            *values,
            wanted.limit,
        )
        return [_track(row) for row in rows]

    def counts(self) -> Mapping[tuple[Stage, Reason | None], int]:
        """How many transfers there are in each stage, for each reason."""
        rows = self._rows("select stage, reason, count(*) from transfer group by stage, reason")
        return {(Stage(s), Reason(r) if r else None): count for s, r, count in rows}

    def find(self, text: str) -> list[TransferId]:
        """The ids that a text names: a transfer id, or a transaction of deposit, act or refund.

        The beginning of an id (8 hex digits or more) names it too. One transaction may carry
        several transfers.
        """
        name = text.strip()
        rows = self._rows("select id from tx where name in (?, ?)", name, _plain(name))
        found = [TransferId(row[0]) for row in rows]
        return sorted({*found, *self._by_id(_plain(name))})

    def trace(self, text: str) -> list[Story]:
        """The story of every transfer that a text names, see `find`."""
        return [self._story(one) for one in self.find(text)]

    def verdicts(self) -> list[Verdict]:
        """The newest verdict of each monitor on each asset."""
        rows = self._rows("select data from verdict order by asset, monitor")
        return [VERDICT.decode(data) for (data,) in rows]

    def _by_id(self, digits: str) -> list[TransferId]:
        if not 8 <= len(digits) <= 64 or set(digits) - set("0123456789abcdef"):
            return []
        low, high = (bytes.fromhex(digits.ljust(64, end)) for end in "0f")
        rows = self._rows("select id from transfer where id between ? and ?", low, high)
        return [TransferId(row[0]) for row in rows]

    def _story(self, one: TransferId) -> Story:
        (track,) = self._rows("select told, seen_at from transfer where id = ?", one)
        facts = self._rows("select told from history where id = ? order by number", one)
        return Story(track=_track(track), facts=tuple(TRANSFERS.decode(f) for (f,) in facts))

    def _rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with troubled(self._path), closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()


def _track(row: Sequence[Any]) -> Track:
    told, seen_at = row
    return Track(told=TRANSFERS.decode(told), seen_at=seen_at)


def _plain(text: str) -> str:
    """The text as hex is stored: lower case, without 0x."""
    return text.lower().removeprefix("0x")


def names(told: TransferTold) -> set[str]:
    """Every text by which a transaction of this fact may be asked for."""
    given = {told.source_tx, told.destination_tx or "", told.refund_tx or ""} - {""}
    hexes = {_plain(name) for name in given if not set(_plain(name)) - set("0123456789abcdef")}
    return given | hexes


def _conditions(wanted: Filter) -> tuple[str, list[object]]:
    stages = [stage.value for stage in wanted.stages]
    if wanted.open_only:
        stages = [stage for stage in _OPEN if not stages or stage in stages]
    sides = {
        "asset = ?": wanted.asset,
        "source = ?": wanted.source,
        "destination = ?": wanted.destination,
        "reason = ?": wanted.reason,
    }
    chosen = {side: value for side, value in sides.items() if value is not None}
    where, values = ["true", *chosen], list[object](chosen.values())
    if wanted.stages or wanted.open_only:
        where.append(f"stage in ({', '.join('?' * len(stages))})")
        values += stages
    if wanted.account is not None:
        where.append("? in (sender, recipient)")
        values.append(wanted.account)
    if wanted.before is not None:
        where.append("(at, id) < (?, ?)")
        values += wanted.before
    return " and ".join(where), values


def create(path: Path) -> sqlite3.Connection:
    """Open the file for the Tracker; make it again if another release wrote it. Raises Fatal."""
    with troubled(path):
        db = _writer(path)
        (version,) = db.execute("pragma user_version").fetchone()
        if version not in {0, FORMAT}:
            db.close()
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            db, version = _writer(path), 0
        if not version:
            db.executescript(f"begin; {_TABLES} pragma user_version = {FORMAT}; commit;")
    return db


def _writer(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")  # what a power cut takes is folded again
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def troubled(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into Fatal with the way out."""
    try:
        yield
    except sqlite3.Error as error:
        msg = (
            f"the tracker's file {path} cannot be used ({error}). It holds nothing of its own: "
            "see to disk and permissions, or delete it (with its -wal and -shm); it is made again"
        )
        raise Fatal(msg) from error
