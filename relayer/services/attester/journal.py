"""An attester's durable memory: which binding of an id it has ever signed.

As validators guard themselves against slashing: the entry is on disk before the signature leaves,
and a second, different binding of the same id is never signed. One way only is open, away from the
delivery: deliver, then void (the chain lets one of the two happen), then, when the void is final,
refund. What has gone on never comes back, so a refund never meets a delivery. The file must outlive
the process and must not be shared by two attesters. It says when it was born: of what was deposited
before that, it may have lost what an older file knew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from relayer.domain.distrust import Decline
from relayer.domain.errors import DraftRefused, Fatal
from relayer.domain.transfer import ActKind

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS owner (attester TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS born (at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS binding (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    chain TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT, WITHOUT ROWID;
"""

FORMAT: Final = 1
"""The version of the tables; a journal with a higher one is refused."""

Binding = tuple[bytes, str, str, bytes]
"""(transfer id, chain, act kind, digest of what is bound)."""


class Journal:
    """A SQLite file that holds one row per id."""

    def __init__(self, path: Path, attester: str, now: float) -> None:
        """Open the journal, or create it as born ``now`` (seconds since the epoch).

        Fatal if it is unreadable or another attester's.
        """
        self._path = path
        self.born = now
        """When it was made (seconds since the epoch); 0 for one of a release that did not say."""
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            with ExitStack() as failed:
                failed.callback(self._db.close)
                self._open(path, attester)
                failed.pop_all()
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    def _open(self, path: Path, attester: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            msg = f"a newer release wrote the journal {path} (format {version}; this one knows up \
to {FORMAT}): start that release"
            raise Fatal(msg)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={FORMAT}")
        (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._unusable(" ".join(verdict.split()))  # it comes in several lines
        self._claim(path, attester)

    def _unusable(self, why: str) -> Fatal:
        return Fatal(
            f"the journal {self._path} cannot be used ({why}): see to disk and permissions, or "
            "restore it from a copy; never start an attester on an empty journal while its key is "
            "in a quorum"
        )

    def bind(
        self, bindings: Sequence[Binding], *, voided: bool = False
    ) -> list[DraftRefused | None]:
        """Record bindings durably; per binding None, or why it must not be signed.

        ``voided`` says that the caller has read the final voids of these ids. Raises Fatal, with
        nothing recorded, if the file cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            verdicts = [self._bind(binding, voided=voided) for binding in bindings]
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            msg = f"the journal {self._path} cannot be written ({error}): see to disk and \
permissions and start again; nothing was signed that is not in it"
            raise Fatal(msg) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        return verdicts

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _bind(self, binding: Binding, *, voided: bool) -> DraftRefused | None:
        transfer, chain, kind, digest = binding
        row = self._db.execute(
            "SELECT chain, kind, digest FROM binding WHERE id = ?", (transfer,)
        ).fetchone()
        if row is None:
            self._db.execute("INSERT INTO binding VALUES (?, ?, ?, ?)", binding)
            return None
        if row == (chain, kind, digest):
            return None
        if _goes_on(row, (chain, kind), voided=voided):
            self._db.execute("REPLACE INTO binding VALUES (?, ?, ?, ?)", binding)
            return None
        msg = f"{transfer.hex()} is bound to {row[1]} on {row[0]} already"
        return DraftRefused(msg, Decline.BOUND)

    def _claim(self, path: Path, attester: str) -> None:
        row = self._db.execute("SELECT attester FROM owner").fetchone()
        if row is None:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO born VALUES (?)", (self.born,))
            self._db.execute("INSERT INTO owner VALUES (?)", (attester,))
            self._db.execute("COMMIT")
        elif row[0] != attester:
            msg = f"the journal {path} belongs to attester {row[0]}, not {attester}"
            raise Fatal(msg)
        born = self._db.execute("SELECT max(at) FROM born").fetchone()[0]
        self.born = 0.0 if born is None else float(born)


def _goes_on(row: tuple[str, str, bytes], new: tuple[str, str], *, voided: bool) -> bool:
    """Whether a binding may follow the one that stands: see the module's first words."""
    if new[1] == ActKind.VOID:
        return row[1] == ActKind.DELIVER and row[0] == new[0]
    return new[1] == ActKind.REFUND and row[1] != ActKind.REFUND and voided
