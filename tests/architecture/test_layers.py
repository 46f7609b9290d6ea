"""The layers hold, and the check of the layers can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

PLANTS = {
    "domain imports a service": ("domain/planted.py", "import relayer.services", "layers"),
    "a port imports an adapter": ("ports/planted.py", "import relayer.bus", "layers"),
    "a service imports an adapter": ("services/planted.py", "import relayer.chains", "layers"),
    "the bus imports a chain": ("bus/planted.py", "import relayer.chains", "layers"),
    "a chain imports another": ("chains/tron/planted.py", "import relayer.chains.solana", "chains"),
    "a service imports another": (
        "services/listener.py",
        "import relayer.services.monitor",
        "services",
    ),
    "the bus imports the devnet": ("bus/planted.py", "import relayer.devnet", "devnet"),
    "the domain reads a clock": ("domain/planted.py", "import time", "pure"),
    "a service imports a library": ("services/planted.py", "import web3", "libraries"),
}


def _lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("lint-imports"))
    command = [program, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package and its contracts to where violations can be planted."""
    folder = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "relayer", folder / "relayer", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("services", "chains/solana", "chains/tron", "devnet", "bus"):
        (folder / "relayer" / package).mkdir(parents=True, exist_ok=True)
        (folder / "relayer" / package / "__init__.py").touch()
    return folder


def test_layers_hold() -> None:
    """The project keeps every contract of its layers."""
    done = _lint(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_violation_is_found(project: Path, plant: str) -> None:
    """An import against a contract makes the check of that contract fail."""
    file, line, contract = PLANTS[plant]
    planted = project / "relayer" / file
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")

    try:
        done = _lint(project, "--contract", contract)
    finally:
        planted.unlink() if before is None else planted.write_text(before)

    assert done.returncode != 0
    assert line.removeprefix("import ") in done.stdout
