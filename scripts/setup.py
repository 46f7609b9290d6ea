"""Bring everything that `make` needs: the environment, the node tools, the project itself.

Standard library only. Idempotent: what was brought is remembered in stamp files that hold a digest
of the lock files, so a second run does nothing. Two runs at once wait for each other. Every
package is pinned by version and hash in a lock file; no address is written down anywhere, so a
mirror set up for pip, uv or npm is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import preflight

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OUTER = getattr(sys, "_base_executable", sys.executable)
"""The Python outside of .venv, whichever of them runs this: .venv may have to be made anew."""
CONTRACTS = ROOT / "contracts"
CACHE = ROOT / ".cache"
LINES_OF_A_FAILURE = 20
TOOLS = ("anvil", "cast", "forge")
NEWEST = (3, 13)
"""The newest Python that every locked package has a build for."""
LOCKED_PLATFORM = "linux-amd64"
NODE = 20
"""The major version of Node that Foundry's packages ask for."""


class Failed(Exception):
    """A step did not work; the message is for the person at the terminal."""


def main() -> None:
    """Check the machine, then bring what is missing."""
    if problem := preflight.missing(ROOT):
        raise Failed(problem)
    with _alone():
        started = time.monotonic()
        brought = [*_environment(), *_node_tools()]
    if brought:
        _say(f"ready in {time.monotonic() - started:.0f} s ({', '.join(brought)})")


def _environment() -> Iterator[str]:
    """Create .venv as requirements.lock has it, with the project installed in place."""
    stamp = VENV / ".stamp"
    inputs = _digest(ROOT / "requirements.lock", _project())
    if _is_current(stamp, inputs) and _works(PYTHON, "-c", "import relayer"):
        return
    _say("bringing the Python environment (.venv)")
    uv = _bring_uv()
    suits = f"import sys; sys.exit(not {preflight.PYTHON} <= sys.version_info[:2] <= {NEWEST})"
    if not _works(PYTHON, "-c", suits):
        _create_environment(uv)
    _run(uv, "pip", "sync", "--quiet", "--require-hashes", "requirements.lock")
    _run(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    stamp.write_text(inputs)
    yield "Python environment"


def _create_environment(uv: Path) -> None:
    """Create .venv with this Python, or with one that uv brings where this one is too new.

    One such package is coincurve, which tronpy needs: it has no build for Python 3.14.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    if sys.version_info[:2] <= NEWEST:
        _run(OUTER, "-m", "venv", "--without-pip", VENV)
        return
    _say("this Python is newer than some packages have builds for: uv brings Python 3.13")
    flags = ("--quiet", "--managed-python", "--python", "3.13")
    _run(uv, "venv", *flags, VENV, variables={"UV_PYTHON_DOWNLOADS": "automatic"})


def _bring_uv() -> Path:
    """Install uv beside the environment, so that syncing the environment does not remove it."""
    home = CACHE / "uv"
    uv = home / "bin" / "uv"
    wanted = _digest(ROOT / "scripts" / "uv.lock")
    if not (_is_current(home / ".stamp", wanted) and _works(uv, "--version")):
        shutil.rmtree(home, ignore_errors=True)
        _run(OUTER, "-m", "venv", home)
        _pip(home, "uv.lock")
        (home / ".stamp").write_text(wanted)
    return uv


def _node_tools() -> Iterator[str]:
    """Install Anvil, Forge, solc and OpenZeppelin into contracts/node_modules."""
    modules = CONTRACTS / "node_modules"
    stamp = modules / ".stamp"
    locks = (CONTRACTS / "package.json", CONTRACTS / "package-lock.json")
    inputs = _digest(*locks, preflight.anvil_platform())
    node = _node_folder()
    if _is_current(stamp, inputs) and node is not None:
        return
    if node is None:
        node = _bring_node()
        yield "Node"
    _say("bringing Anvil, Forge and solc (contracts/node_modules)")
    _npm(node, "ci")
    if unlocked := _unlocked_tools():
        _say(f"the lock file has no hash of {', '.join(unlocked)}: taken by version alone")
        _npm(node, "install", "--no-save", "--no-package-lock", *unlocked)
    for tool in TOOLS:
        _run(modules / ".bin" / tool, "--version", path=node, quiet=True)
    stamp.write_text(inputs)
    yield "node tools"


def _node_folder() -> Path | None:
    """Return the folder of a sufficient node with npm: ours, else the one on PATH."""
    for folder in (CACHE / "node" / "bin", *map(Path, os.get_exec_path())):
        node, npm = folder / "node", folder / "npm"
        script = f"process.exit(parseInt(process.versions.node) < {NODE} ? 1 : 0)"
        if npm.exists() and _works(node, "-e", script):
            return folder
        if node.exists() and folder.parent.parent != CACHE:
            return None
    return None


def _bring_node() -> Path:
    """Install Node and npm from PyPI; returns the folder with both commands."""
    _say(f"bringing Node (none of version {NODE} or newer with npm on PATH)")
    home = CACHE / "node"
    shutil.rmtree(home, ignore_errors=True)
    _run(OUTER, "-m", "venv", home)
    _pip(home, "node.lock")
    return home / "bin"


def _unlocked_tools() -> list[str]:
    """Name the tools of this platform, with version, that package-lock.json does not pin by hash.

    `npm ci` refuses a lock file that names a package without its hash, and npm knows a hash only of
    what its registry served on the day of locking: so far, the builds for Linux on x86-64.
    """
    locked = json.loads((CONTRACTS / "package-lock.json").read_text())["packages"]
    wanted = []
    for tool in TOOLS:
        name = f"@foundry-rs/{tool}-{preflight.anvil_platform()}"
        if f"node_modules/{name}" not in locked:
            version = locked[f"node_modules/@foundry-rs/{tool}-{LOCKED_PLATFORM}"]["version"]
            wanted.append(f"{name}@{version}")
    return wanted


def _npm(node: Path, *arguments: str) -> None:
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
    _run(node / "npm", *arguments, *flags, "--loglevel=error", cwd=CONTRACTS, path=node, quiet=True)


def _pip(home: Path, lock: str) -> None:
    flags = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
    hashes = ("--require-hashes", "-r", ROOT / "scripts" / lock)
    _run(home / "bin" / "python", "-m", "pip", "install", *flags, *hashes)


def _run(
    *command: str | Path,
    cwd: Path = ROOT,
    path: Path | None = None,
    quiet: bool = False,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run a step; on failure show what it said and stop."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**_variables(path), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        if done.stdout:
            sys.stderr.writelines(done.stdout.splitlines(keepends=True)[:LINES_OF_A_FAILURE])
        raise Failed(f"`{' '.join(map(str, command))}` failed with exit code {done.returncode}")


def _variables(path: Path | None) -> dict[str, str]:
    """Return the caller's variables, with pip's mirror and certificate known to uv too."""
    variables = dict(os.environ)
    for theirs, ours in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if theirs in variables:
            variables.setdefault(ours, variables[theirs])
    variables.pop("PYTHONHOME", None)
    variables |= {"VIRTUAL_ENV": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    if path is not None:
        variables["PATH"] = f"{path}{os.pathsep}{variables.get('PATH', '')}"
    return variables


def _works(program: Path, *arguments: str) -> bool:
    if not program.exists():
        return False
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _project() -> str:
    """Return what of pyproject.toml decides how the project is installed."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return json.dumps([content["project"], content["build-system"]], sort_keys=True)


def _digest(*parts: Path | str) -> str:
    """Digest files and words, and the project's place: an environment cannot be moved."""
    digest = hashlib.sha256(str(ROOT).encode())
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return digest.hexdigest()


def _is_current(stamp: Path, inputs: str) -> bool:
    return stamp.exists() and stamp.read_text() == inputs


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.flock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(words: str) -> None:
    sys.stderr.write(f"setup: {words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"setup: {failure}")
