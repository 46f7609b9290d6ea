"""What the embedded bus does with its file: append, fence, read. Synchronous, no asyncio.

Two connections, so that a read sees only what is committed and never waits for a writer (WAL).
A topic that is not compacted lives in `log`; a compacted one in `kept`, where a new value replaces
the old one at once, so that state never grows beyond its keys. Offsets come from `head` and never
repeat, whatever has been deleted. The times of one partition never fall, even if the clock does:
finding "since" by bisection relies on it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relayer.bus.sqlite_damage import REBUILD, FileTrouble, named
from relayer.bus.sqlite_file import connect, declare, prepare
from relayer.bus.sqlite_newest import Newest
from relayer.bus.sqlite_wal import refuse_lost_commits
from relayer.ports.bus import Lost, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from relayer.bus.catalog import Catalog
    from relayer.ports.bus import Out

READ_BYTES: Final = 4_000_000
"""A read ends early beyond this many bytes of values, which bounds memory."""

_HEADS: Final = "select name, part, next, time from head join topic on topic.id = head.topic"

_INSERT: Final = {
    table: f"insert or replace into {table}(topic, part, off, time, crc, key, value) "
    "values(?, ?, ?, ?, ?, ?, ?)"
    for table in ("log", "kept")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """An owner's right to commit: valid until a newer epoch is written."""

    state: str
    number: int
    epoch: int
    position: int
    """The offset of the next record to take when the title was given."""


class Log:
    """The open file."""

    def __init__(
        self, path: Path, catalog: Catalog, *, full_sync: bool, now: Callable[[], float]
    ) -> None:
        """Open or make the file. Raises `FileTrouble`."""
        self.path, self._now = path, now
        with named(path):
            if full_sync:
                refuse_lost_commits(path)
            self.write = connect(path)
            try:
                prepare(self.write, path, full_sync=full_sync)
                self.ids = declare(self.write, path, catalog)
                self.newest = Newest(self.write.execute(_HEADS))
                self._read = connect(path)
            except BaseException:
                self.write.close()
                raise
            self._read.execute("pragma query_only = on")
        self._tables = {t.name: "kept" if t.compacted else "log" for t in catalog}

    def close(self) -> None:
        """Close the file; an open transaction is rolled back."""
        with named(self.path):
            self._read.close()
            self.write.close()

    # ------------------------------------------------------------------ writing

    def begin(self) -> None:
        """Begin a transaction. Everything written until `commit` is one step."""
        with named(self.path):
            self.write.execute("begin immediate")

    def commit(self) -> None:
        """Make it durable: with full sync, this waits for the disk. Then `settle`."""
        heads = [(self.ids[topic], *head) for topic, *head in self.newest.moved]
        with named(self.path):
            self.write.executemany("insert or replace into head values(?, ?, ?, ?)", heads)
            self.write.execute("commit")

    def settle(self) -> None:
        """Let readers see what was committed; on the event loop, where they are."""
        self.newest.settle()

    def rollback(self) -> None:
        """Undo what was written since `begin`."""
        self.newest.undo()
        if self.write.in_transaction:
            with named(self.path):
                self.write.execute("rollback")

    def append(self, outs: Iterable[Out]) -> None:
        """Append records, in order, inside the open transaction."""
        now = self._now()
        rows: dict[str, list[tuple[object, ...]]] = {"log": [], "kept": []}
        for out in outs:
            topic, number, key, value = out.topic, out.partition, out.key, out.value
            offset, time = self.newest.claim(topic, number, now)
            table = self._tables[topic]
            crc = _checksum(key, value)
            rows[table].append((self.ids[topic], number, offset, time, crc, key, value))
            if table == "log":
                self.newest.add(
                    Record(
                        topic=topic,
                        partition=number,
                        offset=offset,
                        key=key,
                        value=value,
                        time=time,
                    )
                )
        with named(self.path):
            for table, some in rows.items():
                self.write.executemany(_INSERT[table], some)

    def fence(self, inbox: str | None, state: str, number: int) -> Title:
        """Write a new epoch, which ends every older title to this partition of the state."""
        topic = self.ids[state]
        with named(self.path):
            epoch, known, position = self.write.execute(
                "insert into owner values(?, ?, 1, ?, 0) on conflict do update "
                "set epoch = epoch + 1 returning epoch, inbox, position",
                (topic, number, inbox),
            ).fetchone()
            if known != inbox:  # another inbox has other offsets
                position = 0
                self.write.execute(
                    "update owner set inbox = ?, position = 0 where state = ? and part = ?",
                    (inbox, topic, number),
                )
        return Title(state=state, number=number, epoch=epoch, position=position)

    def advance(self, title: Title, position: int) -> None:
        """Store how far the owner has taken. Raises `Lost`, nothing written, if it is fenced."""
        with named(self.path):
            done = self.write.execute(
                "update owner set position = ? where state = ? and part = ? and epoch = ?",
                (position, self.ids[title.state], title.number, title.epoch),
            )
        if done.rowcount != 1:
            msg = f"{title.state}/{title.number} has a newer owner than epoch {title.epoch}"
            raise Lost(msg)

    # ------------------------------------------------------------------ reading

    def ends(self, topic: str) -> dict[int, int]:
        """Return the next offset of each partition that ever had a record."""
        return self.newest.ends(topic)

    def first_since(self, topic: str, number: int, since: float) -> int:
        """Return the offset of the oldest record from `since` (epoch seconds) on, or the end."""
        low, high = self.oldest(topic, number), self.ends(topic).get(number, 0)
        while low < high:
            middle = (low + high) // 2
            at = self._at(topic, number, middle)
            if at is not None and at[1] < since:
                low = at[0] + 1
            else:
                high = middle
        return low

    def oldest(self, topic: str, number: int) -> int:
        """Return the offset of the oldest record kept, or the next one to come."""
        at = self._at(topic, number, 0)
        return at[0] if at else self.ends(topic).get(number, 0)

    def _at(self, topic: str, number: int, offset: int) -> tuple[int, float] | None:
        with named(self.path):
            row: tuple[int, float] | None = self._read.execute(
                f"select off, time from {self._tables[topic]} "  # noqa: S608 - one of two constants
                "where topic = ? and part = ? and off >= ? order by off limit 1",
                (self.ids[topic], number, offset),
            ).fetchone()
        return row

    def read(self, topic: str, number: int, offset: int, limit: int) -> list[Record]:
        """Return up to `limit` records from `offset` on, fewer when they are large."""
        known = self.newest.records(topic, number, offset, limit)
        return self._stored(topic, number, offset, limit) if known is None else known

    def _stored(self, topic: str, number: int, offset: int, limit: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        with named(self.path):
            for off, time, crc, key, value in self._read.execute(
                f"select off, time, crc, key, value from {self._tables[topic]} "  # noqa: S608 - one of two constants
                "where topic = ? and part = ? and off >= ? order by off limit ?",
                (self.ids[topic], number, offset, limit),
            ):
                self._examine(crc, key, value)
                records.append(
                    Record(
                        topic=topic, partition=number, offset=off, key=key, value=value, time=time
                    )
                )
                size += len(value or b"")
                if size > READ_BYTES:
                    break
        return records

    def values(
        self, state: str, number: int, after: str | None, limit: int
    ) -> list[tuple[str, bytes]]:
        """Return up to `limit` keys behind `after`, in their order, with their last values."""
        side = ">= ''" if after is None else "> ?4"
        values: list[tuple[str, bytes]] = []
        with named(self.path):
            for key, value, crc in self._read.execute(
                "select key, value, crc from kept where topic = ?1 and part = ?2 "  # noqa: S608 - one of two constants
                f"and key {side} and value is not null order by key limit ?3",
                (self.ids[state], number, limit, *(() if after is None else (after,))),
            ):
                self._examine(crc, key, value)
                values.append((key, value))
        return values

    def _examine(self, crc: int, key: str, value: bytes | None) -> None:
        if crc != _checksum(key, value):
            raise FileTrouble(self.path, f"the record of key {key!r} is damaged. {REBUILD}")


def _checksum(key: str, value: bytes | None) -> int:
    return zlib.crc32(value or b"", zlib.crc32(key.encode()) + (value is None))
