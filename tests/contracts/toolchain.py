"""The Node tools of `contracts/`, run as the project runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CONTRACTS = Path(__file__).parents[2] / "contracts"


def _environment() -> dict[str, str]:
    brought = (CONTRACTS / "node_modules" / ".bin", CONTRACTS.parent / ".cache" / "node" / "bin")
    path = os.pathsep.join([*map(str, brought), os.environ["PATH"]])
    return {**os.environ, "PATH": path}


def run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command in `contracts/` and return its output, stderr included."""
    environment = _environment()
    found = shutil.which(command[0], path=environment["PATH"])
    assert found is not None, f"{command[0]} is not installed; `make setup` brings it"
    return subprocess.run(
        [found, *command[1:]],
        cwd=CONTRACTS,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
