"""What a monitor has read of the chains, kept on its own disk, so that a start reads only the rest.

Final history does not change, so what was folded once needs no second reading. The file is this
monitor's own word, as a journal is an attester's: sealed under its secret, bound to what is read,
and left aside, with all chains read anew, if anything about it does not fit. Delete it to make a
monitor read everything again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from relayer.domain.errors import Fatal, RelayerError
from relayer.domain.keep import Keeper
from relayer.domain.ledger import LEDGER, Ledger
from relayer.domain.transfer import Deposit, TransferId
from relayer.domain.wire import Codec

DEPOSIT: Final[Codec[Deposit]] = Codec(Deposit)

_TABLES: Final = ("sums", "opened", "consumed")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sums (subject TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS opened (
    id BLOB PRIMARY KEY, deposit BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumed (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
"""


class LedgerFile:
    """A SQLite file with one monitor's ledger. Losing its last commits costs reading them again."""

    def __init__(self, path: Path, keeper: Keeper, subject: str) -> None:
        """Open or make it; ``subject`` names all that decides what is read. Fatal if unusable."""
        self._path, self._keeper, self._subject = path, keeper, subject
        try:
            self._db = self._opened()
        except sqlite3.DatabaseError:
            self._remove()
            self._db = self._opened_anew()

    def load(self) -> Ledger | None:
        """The ledger as it was last saved; None if there is none that can be relied on."""
        try:
            ledger = self._read()
            if ledger is None:
                self._clear()
        except (sqlite3.DatabaseError, RelayerError):
            self._db.close()
            self._remove()
            self._db = self._opened_anew()
            return None
        return ledger

    def save(self, ledger: Ledger) -> None:
        """Write what changed since the last call, and the sums, in one step. Fatal if it fails."""
        changes, text = ledger.changes(), LEDGER.encode(ledger.sums())
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO opened VALUES (?, ?)",
                [(deposit.id, self._sealed(deposit)) for deposit in changes.opened],
            )
            consumed = [(transfer,) for transfer in changes.consumed]
            self._db.executemany("DELETE FROM opened WHERE id = ?", consumed)
            self._db.executemany("INSERT OR IGNORE INTO consumed VALUES (?)", consumed)
            sealed = self._keeper.seal(self._subject, text)
            self._db.execute("INSERT OR REPLACE INTO sums VALUES (?, ?)", (self._subject, sealed))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read(self) -> Ledger | None:
        rows = self._db.execute("SELECT subject, value FROM sums").fetchall()
        if len(rows) != 1 or rows[0][0] != self._subject:
            return None
        text = self._keeper.opened(self._subject, rows[0][1])
        if text is None:
            return None
        opened = [self._deposit(*row) for row in self._db.execute("SELECT id, deposit FROM opened")]
        consumed = [TransferId(row[0]) for row in self._db.execute("SELECT id FROM consumed")]
        return Ledger.again(LEDGER.decode(text), filter(None, opened), consumed)

    def _sealed(self, deposit: Deposit) -> bytes:
        return self._keeper.seal(deposit.id.hex(), DEPOSIT.encode(deposit))

    def _deposit(self, transfer: bytes, value: bytes) -> Deposit | None:
        """None for a forged one: the sums then miss its id."""
        text = self._keeper.opened(transfer.hex(), value)
        return None if text is None else DEPOSIT.decode(text)

    def _clear(self) -> None:
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - one of three constants

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _opened_anew(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _trouble(self, error: sqlite3.Error) -> Fatal:
        return Fatal(
            f"the monitor's file {self._path} cannot be used ({error}): make room and the directory "
            "writable, or delete it; the monitor then reads all chains anew"
        )
