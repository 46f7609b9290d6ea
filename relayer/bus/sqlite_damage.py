"""What can be wrong with the file of the embedded bus, said so that a person knows what to do."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from relayer.domain.errors import Fatal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REBUILD: Final = (
    "Nothing on chain depends on this file: stop the relayer, move {path} (with its -wal and -shm) "
    "away and start again; the Sweep rebuilds the state from the chains."
)

_DAMAGED: Final = "it is damaged. " + REBUILD
_CURES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and start again.",
    sqlite3.SQLITE_READONLY: "it cannot be written. Make file and directory writable.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Its directory must exist and be writable.",
    sqlite3.SQLITE_PERM: "access is denied. Make it readable and writable for this user.",
    sqlite3.SQLITE_BUSY: "another program holds it. Close that program and start again.",
    sqlite3.SQLITE_LOCKED: "another program holds it. Close that program and start again.",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: "reading or writing failed. Check the disk. " + REBUILD,
}


class FileTrouble(Fatal):
    """The file of the embedded bus cannot be used; the message names it and says what to do."""

    def __init__(self, path: Path, trouble: str) -> None:
        """Say what is wrong with the file at `path`."""
        super().__init__(f"bus file {path}: {trouble.format(path=path)}")


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `FileTrouble`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        cure = _CURES.get(code, "it does not answer as it should. " + REBUILD)
        raise FileTrouble(path, f"{cure.format(path=path)} ({error})") from error


def lock(path: Path) -> int:
    """Take the file for this process and return the lock's descriptor; close it to let go.

    The lock sits on a file beside it: closing a descriptor of the file itself would drop SQLite's
    own locks. Raises `FileTrouble` when another process has it.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileTrouble(path, f"{beside} cannot be made: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise FileTrouble(
            path,
            f"process {holder or 'unknown'} uses it, and it serves one process only. Stop that "
            "process, give this one another file, or use Kafka for several.",
        ) from error
    with contextlib.suppress(OSError):  # the number is a courtesy; a full disk speaks up later
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
