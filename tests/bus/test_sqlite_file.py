"""What the embedded bus says about a file that it cannot use."""

# ruff: noqa: ASYNC230, ASYNC240 - the files are damaged on purpose, nothing else runs meanwhile

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from relayer.bus.sqlite import SqliteBus
from relayer.bus.sqlite_damage import FileTrouble
from relayer.bus.sqlite_file import FORMAT
from relayer.ports.bus import Level, Out, Record, Topic
from tests.bus.harness import SOON, everything, out, read, topics
from tests.bus.worlds import SqliteWorld


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "bus.db"


@pytest.fixture
async def bus(path: Path) -> AsyncIterator[SqliteBus]:
    """An open bus."""
    async with _bus(path) as bus:
        yield bus


def _bus(path: Path) -> SqliteBus:
    return SqliteBus(path, topics(SqliteWorld(path)))


async def _reopened(path: Path) -> list[Record]:
    """Open the file and read the stream."""
    async with _bus(path) as bus, aclosing(bus.follow("stream", None)) as follower:
        return await read(follower, 8)


async def _refusal(path: Path) -> str:
    """Open the file, expect to be refused by name, and return the message."""
    with pytest.raises(FileTrouble) as caught:
        async with _bus(path):
            pass
    assert str(path) in str(caught.value)
    return str(caught.value)


def _copy(path: Path, name: str) -> Path:
    """Return a copy of the file as a power cut would leave it."""
    twin = path.with_name(name)
    shutil.copyfile(path, twin)
    shutil.copyfile(f"{path}-wal", f"{twin}-wal")
    return twin


async def test_a_second_process_is_refused(bus: SqliteBus) -> None:
    """The message says who has the file and what to do instead."""
    program = textwrap.dedent("""
        import asyncio, sys, pathlib
        from relayer.bus.sqlite import SqliteBus
        async def main():
            async with SqliteBus(pathlib.Path(sys.argv[1]), []):
                pass
        asyncio.run(main())
    """)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(bus.path)), stderr=subprocess.PIPE
    )
    _, said = await child.communicate()

    assert child.returncode == 1
    assert f"process {os.getpid()} uses it".encode() in said
    assert b"Kafka" in said


async def test_the_file_is_free_again_after_closing(path: Path) -> None:
    """Opening twice in turn works, in one process too."""
    for _ in range(2):
        async with _bus(path) as bus:
            with pytest.raises(FileTrouble):
                async with _bus(path):
                    pass
            assert await bus.check() == []


async def test_a_newer_format_is_refused(path: Path) -> None:
    """A file of a later release is left as it is."""
    async with _bus(path):
        pass
    with sqlite3.connect(path) as file:
        file.execute(f"pragma user_version = {FORMAT + 1}")
    file.close()

    assert "newer release" in await _refusal(path)


async def test_another_programs_database_is_refused(path: Path) -> None:
    """A database that is not a bus is never written to."""
    with sqlite3.connect(path) as file:
        file.execute("create table precious(x)")
    file.close()

    assert "something else" in await _refusal(path)


async def test_a_file_of_garbage_is_refused(path: Path) -> None:
    """What is no database is named as damaged, with the way out."""
    path.write_bytes(os.urandom(8192))

    assert "move" in await _refusal(path)


async def test_damaged_pages_are_refused(bus: SqliteBus) -> None:
    """Every page in turn is overwritten: each time the file is refused, or reads whole."""
    sent = [out("stream", 0, f"k{i}", bytes([i]) * 3000) for i in range(8)]
    await bus.publish(sent)
    whole = await everything(bus, "stream")
    image = bus.path.with_name("image.db")
    bus.log.write.execute("vacuum into ?", (str(image),))
    pages, refused = image.stat().st_size // 4096, 0
    for page in range(pages):
        twin = bus.path.with_name(f"page{page}.db")
        data = bytearray(image.read_bytes())
        data[page * 4096 + 100 : page * 4096 + 3000] = b"\xa5" * 2900
        twin.write_bytes(data)
        try:
            assert await _reopened(twin) == whole
        except FileTrouble:
            refused += 1

    assert refused >= len(sent)


async def test_a_wal_torn_in_its_last_commit_is_read_up_to_there(bus: SqliteBus) -> None:
    """A power cut tears what was not yet acknowledged: that alone is dropped, without complaint."""
    await bus.publish([out("stream", 0, "kept")])
    before = Path(f"{bus.path}-wal").stat().st_size
    await bus.publish([out("stream", 0, f"torn{i}", b"x" * 9000) for i in range(3)])
    twin = _copy(bus.path, "twin.db")
    after = Path(f"{twin}-wal").stat().st_size
    for cut in (before + 1, (before + after) // 2, after - 1):
        torn = _copy(twin, f"torn{cut}.db")
        os.truncate(f"{torn}-wal", cut)
        async with _bus(torn) as bus_again:
            assert [r.key for r in await everything(bus_again, "stream")] == ["kept"]


async def test_a_wal_damaged_in_acknowledged_commits_is_refused(bus: SqliteBus) -> None:
    """Where SQLite would silently forget commits that were promised, the file is refused."""
    for i in range(5):
        await bus.publish([out("stream", 0, f"k{i}")])
    wal = Path(f"{bus.path}-wal").read_bytes()
    for at in (8, 20, 32 + 10, 32 + 24 + 50, len(wal) // 2):
        twin = _copy(bus.path, f"twin{at}.db")
        with Path(f"{twin}-wal").open("r+b") as file:
            file.seek(at)
            file.write(bytes(byte ^ 0xFF for byte in wal[at : at + 4]))

        for _ in range(2):  # the refusal itself must not tidy the evidence away
            assert "damaged" in await _refusal(twin)


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """The directory is not made up; the message says that it must exist."""
    message = await _refusal(tmp_path / "nowhere" / "bus.db")

    assert "No such file or directory" in message


async def test_a_full_disk_is_named_and_ends_the_bus(path: Path) -> None:
    """The commit that does not fit fails as Fatal, nothing of it is there, what was before is."""
    async with _bus(path) as bus:
        await bus.publish([out("stream", 0, "before")])
        (pages,) = bus.log.write.execute("pragma page_count").fetchone()
        bus.log.write.execute(f"pragma max_page_count = {pages + 2}")
        for _ in range(2):
            with pytest.raises(FileTrouble, match="disk is full"):
                await bus.publish([out("stream", 0, "big", b"x" * 100_000)])

    async with _bus(path) as bus:
        assert [record.key for record in await everything(bus, "stream")] == ["before"]


async def test_a_read_only_disk_is_named(bus: SqliteBus) -> None:
    """A write that is not allowed ends the bus with a message about permissions."""
    bus.log.write.execute("pragma query_only = on")  # SQLite answers as for a read-only disk
    with pytest.raises(FileTrouble, match="writable"):
        await bus.publish([out("stream", 0, "k")])


async def test_a_file_that_may_not_grow_is_named(path: Path) -> None:
    """The operating system's own refusal to write, in the middle of a commit, is told as Fatal."""
    async with _bus(path) as bus:
        await bus.publish([out("stream", 0, "before")])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            with pytest.raises(FileTrouble, match=r"full|failed"):
                await bus.publish([out("stream", 0, "big", b"x" * 900_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    async with _bus(path) as bus:
        assert [record.key for record in await everything(bus, "stream")] == ["before"]


async def test_a_topic_that_changed_its_kind_is_refused(path: Path) -> None:
    """Compacted or not is decided when a topic is made."""
    for compacted in (False, True):
        topic = Topic(name="t", partitions=1, retention=None, compacted=compacted)
        bus = SqliteBus(path, [topic])
        if not compacted:
            async with bus:
                continue
        with pytest.raises(FileTrouble, match="compacted"):
            async with bus:
                pass


async def test_check_tells_what_is_left_over(path: Path) -> None:
    """Lanes that were taken away with records in them, topics of a chain that was removed."""
    wide = Topic(name="in", partitions=4, retention=timedelta(days=1), compacted=False)
    gone = Topic(name="gone", partitions=1, retention=None, compacted=True)
    async with SqliteBus(path, [wide, gone]) as bus:
        await bus.publish([Out(topic="in", partition=3, key="k", value=b"v")])

    narrow = Topic(name="in", partitions=2, retention=timedelta(days=1), compacted=False)
    async with SqliteBus(path, [narrow]) as bus:
        found = {finding.subject: finding for finding in await bus.check()}

    assert found["in"].level is Level.ERROR
    assert "4 lanes" in found["in"].remedy
    assert found["gone"].level is Level.WARNING


async def test_check_tells_that_full_sync_is_off(path: Path) -> None:
    """The weaker setting is never silent."""
    async with SqliteBus(path, [], full_sync=False) as bus:
        (finding,) = await bus.check()

    assert "power cut" in finding.problem


async def test_a_closed_bus_says_so(path: Path) -> None:
    """Using a bus that is not open is an error with its name; a follower just ends."""
    async with _bus(path) as bus:
        follower = bus.follow("stream", None)
        waiting = asyncio.ensure_future(anext(follower, None))
        async with asyncio.timeout(SOON):
            await follower.caught_up.wait()
    async with asyncio.timeout(SOON):
        assert await waiting is None
    with pytest.raises(Exception, match="not open"):
        await bus.publish([out("stream", 0, "k")])
