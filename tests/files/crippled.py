"""Runs ``relayer run`` as somebody to whom file permissions apply, or with little disk.

The tests may run as root, who may write everywhere: the capability to do so is dropped before the
program starts. Nothing here is skipped where that fails: the test then fails too.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_CAPBSET_DROP = 24
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def main() -> None:
    """``crippled.py BYTES ARGUMENTS``: no file may grow beyond BYTES (0: no bound)."""
    most = int(sys.argv[1])
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _OVERRIDES:
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "a capability cannot be dropped")
    os.execv(sys.executable, [sys.executable, "-m", "relayer.cli.main", *sys.argv[2:]])  # noqa: S606 - the test says which


if __name__ == "__main__":
    main()
