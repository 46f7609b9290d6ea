"""What cannot be brought is said in one line before anything starts."""

from __future__ import annotations

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
def test_a_platform_without_builds_is_named(system: str, machine: str) -> None:
    """A platform that some tool has no build for is refused by its name, in one line."""
    said = preflight.platform_problem(system, machine)

    assert f"{system} on {machine}" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("system", "machine"), [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")]
)
def test_a_platform_with_builds_passes(system: str, machine: str) -> None:
    """Linux on both architectures and macOS on arm64 are served."""
    assert preflight.platform_problem(system, machine) == ""


@pytest.mark.parametrize("library", ["glibc 2.31", "another C library"])
def test_another_c_library_is_refused(library: str) -> None:
    """Anvil's Linux builds need glibc: musl and old versions are refused by name."""
    assert library in preflight.library_problem(library)


@pytest.mark.parametrize("library", ["glibc 2.35", "glibc 2.41-12", "glibc 3.0"])
def test_a_new_c_library_passes(library: str) -> None:
    """The version that Anvil was built against and later ones are enough."""
    assert preflight.library_problem(library) == ""


def test_an_old_version_of_python_is_named() -> None:
    """The line says what was found."""
    assert preflight.python_problem((3, 10)).endswith("3.10 was found")
    assert preflight.python_problem((3, 11)) == ""
