"""Rules for every file of the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import texts

LINES = 400
BANNED = {"utils", "util", "common", "helpers", "helper", "types", "base", "manager", "misc"}
MACHINE = re.compile(
    r"(?<![\w.\-/])/(work|tmp|root|home|Users|opt/wheels)/[\w.]|\.\./shared|\.library\b"
)
REGISTRY = re.compile(
    r"registry\.(npmjs|yarnpkg)\.|files\.pythonhosted\.|pypi\.(org|python)|repo\d?\.maven|github\.com/[^\s)\"']+/releases/"
)
UNFINISHED = re.compile(
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|raise NotImplemented" + r"Error"
)
MOCKS_PER_TEST = 0.1
MOCK = re.compile(r"\b(MagicMock|AsyncMock|Mock|patch|monkeypatch\.setattr|mocker)\b\(?")


def test_no_source_file_is_too_long_to_be_read_at_once() -> None:
    """A Python or Solidity file has at most 400 lines."""
    long = {
        path: n for path, text in texts(".py", ".sol").items() if (n := text.count("\n")) > LINES
    }

    assert long == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    """No module or folder is named utils, common, helpers, types, base or manager."""
    parts = {path: {part.removesuffix(".py") for part in path.split("/")} for path in texts(".py")}

    assert {path for path, names in parts.items() if names & BANNED} == set()


@pytest.mark.parametrize(
    ("pattern", "suffixes"),
    [
        pytest.param(MACHINE, (), id="a-path-of-a-machine"),
        pytest.param(REGISTRY, (), id="an-address-of-a-registry"),
        pytest.param(
            UNFINISHED, (".py", ".sol", ".mjs", ".md", ".toml", ".yaml", ""), id="unfinished"
        ),
    ],
)
def test_no_file_holds_what_must_not_stand_there(
    pattern: re.Pattern[str], suffixes: tuple[str, ...]
) -> None:
    """No committed file names a machine's path, a download address, or unfinished work."""
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts(*suffixes).items()
        if path != "tests/architecture/test_files.py"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]

    assert found == []


def test_lock_files_hold_names_versions_and_hashes_only() -> None:
    """A lock file names no address, so that a mirror serves as well."""
    locks = {p: t for p, t in texts().items() if p.endswith((".lock", "package-lock.json"))}

    assert len(locks) >= 4
    assert {path for path, text in locks.items() if "://" in text} == set()


def test_every_test_says_what_it_shows() -> None:
    """Each test function has a docstring."""
    silent = [
        f"{path}:{test.lineno} {test.name}"
        for path, test in _tests()
        if not ast.get_docstring(test)
    ]

    assert silent == []


def test_fakes_stand_behind_ports_instead_of_mocks() -> None:
    """At most one test in ten replaces a part of the program behind its back."""
    mocks = sum(
        len(MOCK.findall(text))
        for path, text in texts(".py").items()
        if path.startswith("tests/") and path != "tests/architecture/test_files.py"
    )

    assert mocks <= MOCKS_PER_TEST * max(len(list(_tests())), 10)


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, text in texts(".py").items():
        if not path.startswith("tests/") or "/test_" not in f"/{path}":
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    if name.startswith("test_"):
                        yield path, node
                case _:
                    pass
