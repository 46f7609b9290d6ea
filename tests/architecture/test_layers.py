"""The layers hold, and the check of the layers can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

PLANTS = {
    "the domain imports a service": ("domain/planted_a.py", "relayer.services.listener"),
    "a port imports an adapter": ("ports/planted_b.py", "relayer.bus.sqlite"),
    "a port imports agreement": ("ports/planted_j.py", "relayer.agreement.reading"),
    "sharing imports agreement": ("sharing/planted_k.py", "relayer.agreement.reading"),
    "a service imports an adapter": ("services/monitor/planted_c.py", "relayer.bus.sqlite"),
    "the bus imports a chain": ("bus/planted_d.py", "relayer.chains.gateway"),
    "a chain imports another": ("chains/tron/planted_e.py", "relayer.chains.solana"),
    "a service imports another": ("services/relayer/planted_f.py", "relayer.services.monitor"),
    "the bus imports the devnet": ("bus/planted_g.py", "relayer.devnet"),
    "the domain reads a clock": ("domain/planted_h.py", "time"),
    "a service imports a library": ("services/monitor/planted_i.py", "web3"),
}
CONTRACTS = 6


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("lint-imports"))
    return subprocess.run([program], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Plant one violation of each kind in a copy; returns what the check says of it."""
    folder = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "relayer", folder / "relayer", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for file, target in PLANTS.values():
        (folder / "relayer" / file).write_text(f"import {target}\n")
    done = _lint(folder)
    assert done.returncode != 0
    return done.stdout


def test_layers_hold() -> None:
    """The project keeps every contract of its layers."""
    done = _lint(ROOT)

    assert done.returncode == 0, done.stdout
    assert f"{CONTRACTS} kept, 0 broken" in done.stdout


def test_every_contract_can_break(planted: str) -> None:
    """With one violation of each kind, no contract is kept."""
    assert f"0 kept, {CONTRACTS} broken" in planted


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_violation_is_found(planted: str, plant: str) -> None:
    """An import against a contract is named by the check."""
    file, target = PLANTS[plant]
    module = "relayer." + file.removesuffix(".py").replace("/", ".")

    assert f"{module} -> {target}" in planted
