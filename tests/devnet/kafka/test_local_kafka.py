"""A local Kafka as a process: brought, never left behind, and missed in plain words."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from relayer.devnet.kafka import jars
from relayer.devnet.kafka.broker import remove_what_the_dead_left
from relayer.devnet.kafka.jars import KafkaMissing, bring
from tests.architecture.tree import ROOT

PARENT = """
import time
from relayer.devnet.kafka.broker import LocalKafka

with LocalKafka() as kafka:
    print(kafka.pid(1), flush=True)
    time.sleep(60)
"""
PROBE = """
def test_that_wants_kafka(kafka):
    pass
"""


async def test_it_dies_with_a_parent_that_is_killed(kafka: str) -> None:
    """SIGKILL of the parent leaves no broker behind, and its files go with the next start."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    broker = int(await parent.stdout.readline())
    (left,) = _files_of(parent.pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async with asyncio.timeout(10):
        while _alive(broker):
            await asyncio.sleep(0.05)
    remove_what_the_dead_left()
    assert left not in _files_of(parent.pid)


@pytest.mark.parametrize("tools", [(), ("java",)])
def test_what_is_missing_is_said_in_one_line(
    tools: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Java, or without Maven where the program was not brought yet, the line says so."""
    bare = _bare(tmp_path / "bin", tools)
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(jars, "_CACHE", tmp_path / "cache")
    with pytest.raises(KafkaMissing) as missing:
        bring()

    assert ("mvn (Apache Maven)" if tools else "Java 17 or newer") in str(missing.value)
    assert "apt-get install" in str(missing.value)
    assert "\n" not in str(missing.value)


@pytest.mark.parametrize(("ci", "word"), [("true", "error"), ("", "skipped")])
def test_a_missing_kafka_fails_in_ci_and_is_told_elsewhere(
    ci: str, word: str, tmp_path: Path
) -> None:
    """CI cannot pass without Kafka; elsewhere the tests that need it are skipped, with advice."""
    (tmp_path / "test_probe.py").write_text(PROBE)
    (tmp_path / "conftest.py").write_text("from tests.conftest import kafka\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={
            "PATH": str(_bare(tmp_path / "bin", ())),
            "PYTHONPATH": str(ROOT),
            "DOCKER_HOST": f"unix://{tmp_path}/none",
            "CI": ci,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"1 {word}" in done.stdout
    assert (done.returncode == 0) is (word == "skipped")
    assert "Install a Java 17" in done.stdout
    assert "XSTOCKS_TEST_KAFKA" in done.stdout


def _files_of(pid: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"*-kafka-{pid}-*"))


def _bare(folder: Path, tools: tuple[str, ...]) -> Path:
    """Make a folder for PATH with these programs only."""
    folder.mkdir()
    for name in tools:
        (folder / name).symlink_to(_program(name))
    return folder


def _program(name: str) -> str:
    """Where a program stands; without it CI fails, and elsewhere the test is skipped by name."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {name} here")
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}").exists() or sys.platform != "linux"
