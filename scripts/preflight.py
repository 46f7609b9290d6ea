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
    """Name this platform as Foundry's npm packages do, such as `linux-amd64`; empty if unknown."""
    return _named(platform.system(), platform.machine())


def _named(system: str, machine: str) -> str:
    names = SYSTEMS.get(system), MACHINES.get(machine.lower())
    return f"{names[0]}-{names[1]}" if all(names) else ""


def missing(root: Path) -> str:
    """Say in one line what cannot be brought, or return an empty string."""
    return (
        python_problem(sys.version_info[:2])
        or platform_problem(platform.system(), platform.machine())
        or (library_problem(_library()) if platform.system() == "Linux" else "")
        or _modules()
        or _writable(root)
    )


def python_problem(version: tuple[int, int]) -> str:
    """Say why a Python of this version will not do, if it will not."""
    if version >= PYTHON:
        return ""
    return f"Python 3.11 or newer is needed, {version[0]}.{version[1]} was found"


def platform_problem(system: str, machine: str) -> str:
    """Say why there are no builds for a platform, if there are none."""
    if _named(system, machine) not in {"", "darwin-amd64"}:
        return ""
    return (
        "there are builds of all that is needed for Linux on x86-64 and arm64 and macOS on arm64 "
        f"only, this is {system} on {machine}"
    )


def library_problem(found: str) -> str:
    """Say why a C library, named as `glibc 2.35`, will not do, if it will not."""
    version = re.fullmatch(r"glibc (\d+)\.(\d+).*", found)
    if version and (int(version[1]), int(version[2])) >= GLIBC:
        return ""
    return f"Anvil's Linux build needs glibc 2.35 or newer, this system has {found}"


def _library() -> str:
    unknown = "another C library"
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or unknown
    except (OSError, ValueError):
        return unknown


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
