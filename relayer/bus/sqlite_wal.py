"""Does the -wal file still hold every commit that it promised?

SQLite stops reading it at the first frame whose checksum is wrong and forgets what follows. That is
right for the one commit that a power cut tore. But with full sync a commit begins only when the one
before it is on the disk: any but the last commit of the file was finished, and if SQLite cannot
read that far, the file lost what it had promised, and the state would silently go back in time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from relayer.bus.sqlite_damage import REBUILD, FileTrouble

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, Literal

_HEADER: Final = 32
_FRAME_HEADER: Final = 24


def refuse_lost_commits(path: Path) -> None:
    """Raise `FileTrouble` when finished commits cannot be read. Nothing is changed on the disk."""
    beside = path.with_name(path.name + "-wal")
    if not beside.exists():
        return
    # Read-only: a connection that may write would tidy the evidence away when it closes.
    with contextlib.closing(
        sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    ) as reader:
        (page_size,) = reader.execute("pragma page_size").fetchone()
        with beside.open("rb") as wal:
            promised = _last_but_one_commit(wal, page_size)
        if promised is None:
            return
        reader.execute("select count(*) from sqlite_master").fetchone()
        readable = _frames_read(path)
    if readable < promised:
        text = f"its -wal file is damaged: {promised} frames were finished, {readable} are readable"
        raise FileTrouble(path, f"{text}. {REBUILD}")


def _frames_read(path: Path) -> int:
    """Return how many frames SQLite accepted: a field of its index over the -wal file."""
    index = path.with_name(path.name + "-shm").read_bytes()
    return int.from_bytes(index[16:20], sys.byteorder)


def _last_but_one_commit(wal: BinaryIO, page_size: int) -> int | None:
    """Return the number of the last frame that surely was the end of a finished commit."""
    header = wal.read(_HEADER)
    if len(header) < _HEADER:
        return None
    salts = header[16:24] if _header_is_whole(header) else None
    commits: list[int] = []
    number = 0
    while len(frame := wal.read(_FRAME_HEADER)) == _FRAME_HEADER:
        number += 1
        salts = salts or frame[8:16]
        # Frames of an earlier round of the file carry other salts. The size of the database is
        # written in the frame that ends a commit only.
        if frame[8:16] == salts and int.from_bytes(frame[4:8], "big"):
            commits.append(number)
        wal.seek(page_size, os.SEEK_CUR)
    return commits[-2] if len(commits) > 1 else None


def _header_is_whole(header: bytes) -> bool:
    """Check the header of a -wal file as SQLite does; a torn one can only be a new one."""
    order: Literal["big", "little"] = "big" if header[3] & 1 else "little"
    words = [int.from_bytes(header[i : i + 4], order) for i in range(0, 24, 4)]
    one = two = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return header[24:32] == one.to_bytes(4, "big") + two.to_bytes(4, "big")
