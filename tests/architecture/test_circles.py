"""No file of the relayer is needed, however far round, by a file that it needs itself."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.tree import texts


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(text: str, modules: frozenset[str]) -> set[str]:
    """Name what a text imports of the modules, also for types alone or within a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            found.update(inside or {node.module})
    return found & modules


def _circle(files: dict[str, str]) -> list[str]:
    """Find a circle of imports among the files; none is an empty list."""
    named = {_module(path): text for path, text in files.items()}
    modules = frozenset(named)
    needs = {name: _imports(text, modules) - {name} for name, text in named.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_imports_run_in_a_circle() -> None:
    """Every file can be read before those that use it, imports for types included."""
    files = {path: text for path, text in texts(".py").items() if path.startswith("relayer/")}

    assert len(files) > 100
    assert _circle(files) == []


@pytest.mark.parametrize(
    "back",
    [
        "import relayer.a",
        "from relayer import a",
        "from relayer.a import A",
        "if TYPE_CHECKING:\n    from relayer.a import A",
        "def late():\n    from relayer.a import A",
    ],
)
def test_a_planted_circle_is_found(back: str) -> None:
    """Two files that import each other are named, whichever way the second does it."""
    files = {"relayer/a.py": "from relayer.b import B", "relayer/b.py": back}

    assert {"relayer.a", "relayer.b"} == set(_circle(files))
