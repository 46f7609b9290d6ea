"""Child processes of the local world that must not outlive it."""

from __future__ import annotations

import ctypes
import signal
import socket
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Ask the kernel (in the child, before exec; Linux) to kill this process with its parent.

    Strictly: when the thread ends that started it, so start the child in one that lasts.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def watching(pid: int) -> tuple[str, ...]:
    """Return a command that kills `pid` when its standard input closes, as our death does too.

    For systems where the kernel cannot be asked.
    """
    return ("/bin/sh", "-c", f"cat >/dev/null; kill -9 {pid}")


def free_port(wanted: int = 0) -> int:
    """Return a port of this machine to listen on, `wanted` unless 0; OSError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
        port: int = probe.getsockname()[1]
    return port
