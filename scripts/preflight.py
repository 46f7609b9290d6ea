"""What this machine must have already, checked before anything is downloaded.

Everything else is brought by `scripts/setup.py`. Standard library only: it runs before there is
an environment. Each check answers with one plain line, or with nothing.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from pathlib import Path

PYTHON = (3, 11)
SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
GLIBC = (2, 35)
"""Anvil's Linux build asks for symbols of this version (Ubuntu 22.04, Debian 12 and later)."""


def anvil_platform() -> str:
    """Name the platform as Foundry's npm packages do, such as `linux-amd64`; empty if unknown."""
    system, machine = SYSTEMS.get(platform.system()), MACHINES.get(platform.machine().lower())
    return f"{system}-{machine}" if system and machine else ""


def missing(root: Path) -> str:
    """Say in one line what cannot be brought, or return an empty string."""
    for check in (_python, _platform, _libc, _modules):
        if problem := check():
            return problem
    return _writable(root)


def _python() -> str:
    if sys.version_info >= PYTHON:
        return ""
    return f"Python 3.11 or newer is needed, {platform.python_version()} was found"


def _platform() -> str:
    if anvil_platform() not in {"", "darwin-amd64"}:
        return ""
    return (
        "there are builds of all that is needed for Linux on x86-64 and arm64 and macOS on arm64 "
        f"only, this is {platform.system()} on {platform.machine()}"
    )


def _libc() -> str:
    if platform.system() != "Linux":
        return ""
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        found = ""
    version = re.fullmatch(r"glibc (\d+)\.(\d+).*", found)
    if not version:
        return "Anvil's Linux build needs glibc 2.35 or newer, this system has another C library"
    if (int(version[1]), int(version[2])) < GLIBC:
        return f"Anvil's Linux build needs glibc 2.35 or newer, this system has {found}"
    return ""


def _modules() -> str:
    for module in ("venv", "ensurepip", "sqlite3", "ssl", "_ctypes"):
        if importlib.util.find_spec(module) is None:
            return (
                f"this Python ({sys.executable}) lacks its standard module {module!r}; "
                "on Debian and Ubuntu the package python3-venv or python3-full has it"
            )
    return ""


def _writable(root: Path) -> str:
    if os.access(root, os.W_OK):
        return ""
    return f"the project's folder {root} is not writable"


if __name__ == "__main__":
    line = missing(Path(__file__).resolve().parent.parent)
    sys.exit(f"setup: {line}" if line else 0)
