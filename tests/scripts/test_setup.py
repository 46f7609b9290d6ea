"""What cannot be brought is said in one line before anything starts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import preflight
import pytest

from tests.architecture.tree import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the scripts to a place where nothing was brought yet."""
    shutil.copytree(ROOT / "scripts", tmp_path / "project" / "scripts")
    return tmp_path / "project"


def _setup(project: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / "scripts" / "setup"],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _bare(folder: Path) -> Path:
    """Make a folder for PATH with the shell's own tools only."""
    folder.mkdir()
    for name in ("sh", "dirname"):
        (folder / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} here"))
    return folder


def test_a_machine_without_python_is_told_so_in_one_line(copy: Path, tmp_path: Path) -> None:
    """Without Python nothing starts, and one line says which version is needed."""
    done = _setup(copy, _bare(tmp_path / "bin"))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert {entry.name for entry in copy.iterdir()} == {"scripts"}


def test_an_old_python_is_not_taken(copy: Path, tmp_path: Path) -> None:
    """A `python3` that says it is too old is passed over."""
    folder = _bare(tmp_path / "bin")
    old = folder / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    done = _setup(copy, folder)

    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_this_machine_passes() -> None:
    """Where these tests run, nothing is missing."""
    assert preflight.missing(ROOT) == ""


@pytest.mark.parametrize(
    ("system", "machine"), [("Linux", "riscv64"), ("Windows", "AMD64"), ("Darwin", "x86_64")]
)
def test_a_platform_without_builds_is_named(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    """A platform that some tool has no build for is refused by its name, in one line."""
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    said = preflight.missing(ROOT)

    assert f"{system} on {machine}" in said
    assert "\n" not in said


def test_another_c_library_is_refused_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anvil's Linux builds need glibc: musl and old versions are refused."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "confstr", lambda _name: "glibc 2.31")

    assert "glibc 2.35 or newer" in preflight.missing(ROOT)
