"""The committed artifacts are what the committed sources compile to."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import contracts_abi
from tests.contracts import eip712_fixture
from tests.contracts.toolchain import CONTRACTS, run

NAMES: tuple[contracts_abi.ContractName, ...] = ("Gateway", "DevnetToken")
RUNTIME_LIMIT = 24_576
IMPORT = re.compile(r'^import .*?"(?P<path>[^"]+)";', re.MULTILINE)
MINUTES = 60


def _sources(path: str, seen: dict[str, bytes]) -> dict[str, bytes]:
    """Collect a source and all it imports, by the path that the compiler gives it."""
    if path in seen:
        return seen
    base = CONTRACTS / "node_modules" if path.startswith("@") else CONTRACTS
    seen[path] = (base / path).read_bytes()
    for match in IMPORT.finditer(seen[path].decode()):
        target = match["path"]
        if target.startswith("."):
            root = Path("/").joinpath(path).parent.joinpath(target)
            target = str(Path(*_normal(root)))
        _sources(target, seen)
    return seen


def _normal(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts[1:]:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return parts


@pytest.mark.timeout(15 * MINUTES)
def test_the_artifacts_are_what_the_sources_compile_to(tmp_path: Path) -> None:
    """ABI, bytecode, compiler, settings and source hash of a fresh build equal the committed."""
    built = run("node", "build.mjs", str(tmp_path), seconds=14 * MINUTES)

    assert built.returncode == 0, built.stdout
    for name in NAMES:
        fresh = json.loads((tmp_path / f"{name}.json").read_text())
        path = CONTRACTS.parent / "contracts_abi" / f"{name}.json"
        committed = json.loads(path.read_text())
        stale = [key for key in fresh if fresh[key] != committed.get(key)]
        assert stale == [], f"{name}: run `node contracts/build.mjs`; differs in {stale}"
        assert fresh.keys() == committed.keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_source_hash_is_that_of_the_files(name: contracts_abi.ContractName) -> None:
    """The hash covers path and content of the contract's source and of everything it imports."""
    sources = _sources(f"src/{name}.sol", {})
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.encode() + b"\0" + sources[path] + b"\0")

    assert contracts_abi.load(name).source_sha256 == digest.hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_the_runtime_fits_on_chain_and_runs_on_the_tron_virtual_machine(
    name: contracts_abi.ContractName,
) -> None:
    """The code is below the size limit and was built for `paris`, so without PUSH0."""
    artifact = contracts_abi.load(name)

    assert 0 < len(artifact.deployed_bytecode) < RUNTIME_LIMIT
    assert artifact.settings["evmVersion"] == "paris"
    assert 0x5F not in _opcodes(artifact.deployed_bytecode)
    # COINBASE, PREVRANDAO, BASEFEE and CREATE2 mean other things on Tron.
    assert not {0x41, 0x44, 0x48, 0xF5} & _opcodes(artifact.deployed_bytecode)


def _opcodes(code: bytes) -> set[int]:
    """Walk the code up to INVALID, which ends it (constants follow), over what PUSH1 to 32 push."""
    found: set[int] = set()
    at = 0
    while code[at] != 0xFE:
        found.add(code[at])
        at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
    assert at > 0.9 * len(code)
    return found


def test_the_eip712_fixture_is_what_eth_account_signs() -> None:
    """The signatures that forge checks are the ones that Python makes today."""
    assert eip712_fixture.FIXTURE.read_text(encoding="utf-8") == eip712_fixture.text()


def test_an_unknown_contract_is_not_found() -> None:
    """Loading a name that was never built says so."""
    with pytest.raises(FileNotFoundError):
        contracts_abi.load("Nothing")
