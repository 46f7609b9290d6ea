"""What is wrong with its files a relayer says in one sentence, with the way out, and ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from relayer.cli.demo.child import Child
from relayer.devnet.world import LocalWorld

# The files here are small and local, and nothing else waits for them.
# ruff: noqa: ASYNC240
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
CRIPPLED = Path(__file__).with_name("crippled.py")


@dataclass(frozen=True)
class Ended:
    """How a relayer ended by itself."""

    code: int
    said: str


async def _run(
    world: LocalWorld, state: Path, *, most_bytes: int = 0, seconds: float = 60
) -> Ended:
    """Run a relayer over a state directory until it ends; TimeoutError if it does not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CRIPPLED),
        str(most_bytes),
        "run",
        "--config",
        str(world.config_path),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "RELAYER_STATE_DIR": str(state)},
    )
    try:
        async with asyncio.timeout(seconds):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, said.decode())


def _refused(ended: Ended, *words: str) -> None:
    """It ended with 1 and one line that says what is wrong and what to do."""
    assert ended.code == 1, ended.said
    told = [line for line in ended.said.splitlines() if line.startswith("relayer: ")]
    assert len(told) == 1, ended.said
    assert "Traceback" not in ended.said
    for word in words:
        assert word in told[0]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def used(world: LocalWorld) -> Path:
    """The state directory of a relayer that has run for a moment."""
    state = world.directory / "used"
    child = Child(config=_config(world, state), log=world.directory / "used.log")
    await child.start()
    while not (state / "tracker.db").exists():
        child.check()
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)
    assert await child.stop() == 0
    return state


def _config(world: LocalWorld, state: Path) -> Path:
    """The world's config with another state directory."""
    config = world.directory / f"{state.name}.toml"
    text = world.config_path.read_text(encoding="utf-8")
    config.write_text(f'state_dir = "{state}"\n{text}', encoding="utf-8")
    return config


@pytest.fixture
def state(used: Path, tmp_path: Path) -> Path:
    """A copy of it to be spoiled."""
    return Path(shutil.copytree(used, tmp_path / "state"))


def _garbage(file: Path) -> None:
    file.write_bytes(b"not a database, whatever it says" * 200)


def _flip(file: Path) -> None:
    """One bit in each of the pages' headers but the first: as bad memory or a bad disk does."""
    content = bytearray(file.read_bytes())
    for place in range(4096, len(content), 4096):
        content[place] ^= 0x80
    file.write_bytes(content)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 + 700])


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("pragma user_version = 99")


@pytest.mark.parametrize("spoil", [_garbage, _flip, _cut])
async def test_a_damaged_bus_is_refused_with_the_way_out(
    world: LocalWorld, state: Path, spoil: Callable[[Path], None]
) -> None:
    """The sentence names the file and says that the Sweep rebuilds what it held."""
    spoil(state / "bus.db")

    _refused(await _run(world, state), "bus.db", "move", "the Sweep rebuilds")


@pytest.mark.parametrize("spoil", [_garbage, _flip, _cut])
async def test_a_damaged_journal_is_refused_and_never_begun_anew(
    world: LocalWorld, state: Path, spoil: Callable[[Path], None]
) -> None:
    """An attester without its memory could sign a second binding."""
    spoil(state / "attester-one.db")

    _refused(await _run(world, state), "attester-one.db", "restore it from a copy")


async def test_a_damaged_tracker_is_refused_and_may_be_deleted(
    world: LocalWorld, state: Path
) -> None:
    """It holds nothing of its own."""
    _garbage(state / "tracker.db")

    _refused(await _run(world, state), "tracker.db", "delete it")


@pytest.mark.parametrize(("name", "word"), [("bus.db", "newer"), ("attester-two.db", "newer")])
async def test_a_file_of_a_newer_release_is_refused(
    world: LocalWorld, state: Path, name: str, word: str
) -> None:
    """What a newer release means by it is not guessed."""
    _newer(state / name)

    _refused(await _run(world, state), name, word, "tart that release")


async def test_a_second_process_on_one_directory_is_refused(world: LocalWorld, state: Path) -> None:
    """Two would write one lane's nonces; the sentence names the process that has it."""
    first = Child(config=_config(world, state), log=world.directory / "first.log")
    (state / "http.port").unlink()
    await first.start()
    try:
        while not (state / "http.port").exists():
            first.check()
            await asyncio.sleep(0.1)
        _refused(await _run(world, state), "bus.db", str(first.pid), "Stop that process")
    finally:
        assert await first.stop() == 0


async def test_a_directory_that_cannot_be_written_is_refused(
    world: LocalWorld, state: Path
) -> None:
    """A volume mounted read-only, or a wrong owner."""
    state.chmod(0o500)
    try:
        _refused(await _run(world, state), "bus.db")
    finally:
        state.chmod(0o700)


async def test_a_directory_that_cannot_be_made_is_refused(
    world: LocalWorld, tmp_path: Path
) -> None:
    """The parent belongs to somebody else."""
    tmp_path.chmod(0o500)
    try:
        _refused(await _run(world, tmp_path / "state"), "cannot be made", "state_dir")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["bus.db", "attester-one.db", "tracker.db"])
async def test_a_file_of_a_wrong_owner_is_refused(
    world: LocalWorld, state: Path, name: str
) -> None:
    """Restored from a copy by another user, say."""
    (state / name).chmod(0o000)

    _refused(await _run(world, state), name)


async def test_a_full_disk_ends_the_relayer_loudly(world: LocalWorld, state: Path) -> None:
    """No file may grow any more while it runs: each file that meets it is named once."""
    biggest = max(file.stat().st_size for file in state.iterdir())

    ended = await _run(world, state, most_bytes=biggest + 8192)

    told = [line for line in ended.said.splitlines() if line.startswith("relayer: ")]
    assert ended.code == 1
    assert 1 <= len(told) == len(set(told))
    assert all("disk" in line for line in told)
    assert "Traceback" not in ended.said


async def test_a_config_that_was_cut_is_refused(world: LocalWorld, tmp_path: Path) -> None:
    """The editor died while it wrote."""
    cut = tmp_path / "cut.toml"
    text = world.config_path.read_text(encoding="utf-8")
    cut.write_text(text[: len(text) // 2], encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayer.cli.main", "run", "--config", str(cut)),
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    _, said = await process.communicate()

    assert process.returncode == 1
    assert said.decode().startswith("relayer: ")
    assert "cut.toml" in said.decode()
    assert "Traceback" not in said.decode()
