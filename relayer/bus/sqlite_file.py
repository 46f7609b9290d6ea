"""Opening the file of the embedded bus: its tables, its format, and every reason to refuse it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from relayer.bus.sqlite_damage import REBUILD, FileTrouble

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.bus.catalog import Catalog

FORMAT: Final = 1
"""The version of the tables below; a file with a higher one is refused."""

MARK: Final = 0x78534275
"""The application id that says "this file is a bus" ("xSBu")."""

_TABLES: Final = """
create table topic(id integer primary key, name text not null unique, compacted integer not null);
create table head(topic integer not null, part integer not null, next integer not null,
  time real not null, primary key(topic, part)) without rowid;
create table log(topic integer not null, part integer not null, off integer not null,
  time real not null, crc integer not null, key text not null, value blob,
  primary key(topic, part, off)) without rowid;
create table kept(topic integer not null, part integer not null, key text not null,
  off integer not null, time real not null, crc integer not null, value blob,
  primary key(topic, part, key)) without rowid;
create unique index kept_order on kept(topic, part, off);
create index graves on kept(time) where value is null;
create table owner(state integer not null, part integer not null, epoch integer not null,
  inbox text, position integer not null, primary key(state, part)) without rowid;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit, usable from the thread that waits for the disk."""
    return sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)


def prepare(run: sqlite3.Connection, path: Path, *, full_sync: bool) -> None:
    """Make the tables, or examine those that are there. Raises `FileTrouble`."""
    (mark,) = run.execute("pragma application_id").fetchone()
    (tables,) = run.execute("select count(*) from sqlite_master").fetchone()
    if tables and mark != MARK:
        raise FileTrouble(path, "it is a database of something else. Name another file.")
    if not tables:
        run.execute("pragma auto_vacuum = incremental")
    run.execute("pragma journal_mode = wal")
    run.execute(f"pragma synchronous = {'full' if full_sync else 'normal'}")
    run.execute("pragma journal_size_limit = 67108864")
    if tables:
        _examine(run, path)
    else:
        run.executescript(
            f"begin; {_TABLES} pragma application_id = {MARK}; "
            f"pragma user_version = {FORMAT}; commit;"
        )


def _examine(run: sqlite3.Connection, path: Path) -> None:
    (version,) = run.execute("pragma user_version").fetchone()
    if version > FORMAT:
        text = f"a newer release wrote it (format {version}; this one knows up to {FORMAT}). "
        raise FileTrouble(path, f"{text}Start that release, or: {REBUILD}")
    (verdict,) = run.execute("pragma quick_check(1)").fetchone()
    if verdict != "ok":
        words = " ".join(verdict.split())  # it comes in several lines
        raise FileTrouble(path, f"it is damaged ({words}). {REBUILD}")


def declare(run: sqlite3.Connection, path: Path, catalog: Catalog) -> dict[str, int]:
    """Write the declared topics down and return the number of every topic in the file."""
    run.execute("begin immediate")
    run.executemany(
        "insert into topic(name, compacted) values(?, ?) on conflict do nothing",
        [(topic.name, topic.compacted) for topic in catalog],
    )
    run.execute("commit")
    rows = run.execute("select name, id, compacted from topic").fetchall()
    for name, _, compacted in rows:
        if name in catalog and catalog.topic(name).compacted != bool(compacted):
            text = f"topic {name!r} was made {'' if compacted else 'not '}compacted in it. "
            raise FileTrouble(path, text + REBUILD)
    return {name: number for name, number, _ in rows}
