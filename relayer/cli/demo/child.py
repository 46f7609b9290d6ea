"""The relayer of a demo: a process of its own, so that it can be killed and measured."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from relayer.devnet.child import die_with_parent
from relayer.domain.errors import Fatal

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Child:
    """One ``relayer run`` over a config; its output goes to a log file."""

    config: Path
    log: Path
    command: tuple[str, ...] = ("-m", "relayer.cli.main")
    services: tuple[str, ...] = ()
    """Which services it runs; all, if none is named."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables beside our own."""
    cpu_seconds: float = field(default=0.0, init=False)
    peak_bytes: int = field(default=0, init=False)
    _living: float = field(default=0.0, init=False)
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _file: IO[bytes] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)
    """Whether it was told to end."""

    async def start(self) -> None:
        """Start the process; it is the caller's to stop it."""
        self._asked = False
        self._file = self.log.open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *self.line(),
            env={**os.environ, **self.variables},
            stdout=self._file,
            stderr=self._file,
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )

    def line(self) -> list[str]:
        """The whole command line."""
        return [sys.executable, *self.command, "run", "--config", str(self.config), *self.services]

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    def check(self) -> None:
        """Raise Fatal, with the end of the log, if the process has ended by itself."""
        process = self._process
        if process is None or process.returncode is None or self._asked:
            return
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        msg = f"{self.log.stem} ended by itself with code {process.returncode}:\n{tail}"
        raise Fatal(msg)

    async def kill(self) -> None:
        """SIGKILL: no drain, no last word."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """SIGTERM; the exit code, 0 after a clean drain."""
        return await self._end(signal.SIGTERM)

    def measure(self) -> None:
        """Take CPU and peak memory of the living process, where the system tells them."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split(") ")[1]
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return
        user, system = fields.split()[11:13]
        self._living = (int(user) + int(system)) / _TICKS
        for line in status.splitlines():  # a killed process has no memory left to tell of
            if line.startswith("VmHWM"):
                self.peak_bytes = max(self.peak_bytes, int(line.split()[1]) * 1024)

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes so far, as last measured."""
        return self.cpu_seconds + self._living

    async def _end(self, number: signal.Signals) -> int | None:
        process = self._process
        if process is None:
            return None
        self.measure()
        self._asked = True
        if process.returncode is None:
            process.send_signal(number)
        code = await process.wait()
        self.cpu_seconds, self._living = self.cpu, 0.0
        if self._file is not None:
            self._file.close()
        self._process = None
        return code
