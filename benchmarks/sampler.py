"""Where the relayer's CPU goes: stacks of its one thread, taken every so much CPU time.

``python -m benchmarks.sampler DIRECTORY run --config ...`` runs the command line under it. SIGUSR1
begins a sample, SIGUSR2 ends it and writes the stacks, one per line with its count, outermost
frame first: what flame graph programs read. Cheap enough not to change what it looks at.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from relayer.cli.main import main

EVERY: Final = 0.004
"""CPU seconds between two samples: what the kernel's clock can tell."""

_STACKS: Final = "stacks.txt"


class Sampler:
    """Counts stacks while it is on."""

    def __init__(self, directory: Path) -> None:
        """Write into ``directory``."""
        self._directory = directory
        self._stacks: Counter[str] = Counter()

    def install(self) -> None:
        """Wait for the two signals."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGUSR1, self._begin)
        signal.signal(signal.SIGUSR2, self._end)

    def _begin(self, _number: int, _frame: FrameType | None) -> None:
        self._stacks.clear()
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        lines = [f"{stack} {count}" for stack, count in self._stacks.most_common()]
        fresh = self._directory / f"{_STACKS}.new"
        fresh.write_text("\n".join(lines), encoding="utf-8")
        fresh.rename(self._directory / _STACKS)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(_name(frame))
            frame = frame.f_back
        self._stacks[";".join(reversed(names))] += 1


def _name(frame: FrameType) -> str:
    code = frame.f_code
    parts = Path(code.co_filename).parts
    start = parts.index("site-packages") + 1 if "site-packages" in parts else -3
    if "relayer" in parts and "site-packages" not in parts:
        start = len(parts) - 1 - parts[::-1].index("relayer")
    return f"{'/'.join(parts[start:])}:{code.co_qualname}".replace(" ", "").replace(";", ",")


@dataclass(frozen=True, slots=True)
class Profile:
    """The profiles of a benchmark's scenarios, written into a directory."""

    directory: Path

    @property
    def command(self) -> tuple[str, ...]:
        """What to run instead of the plain command line."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return ("-m", "benchmarks.sampler", str(self.directory))

    def begin(self, pid: int) -> None:
        """Begin to sample."""
        os.kill(pid, signal.SIGUSR1)

    def end(self, pid: int, name: str) -> None:
        """End it; the stacks and a summary are written under the scenario's name."""
        os.kill(pid, signal.SIGUSR2)
        written = self.directory / _STACKS
        while not written.exists():
            time.sleep(0.1)
        stacks = written.rename(self.directory / f"{name.replace(' ', '-').replace('/', '-')}.txt")
        text = summary(stacks.read_text(encoding="utf-8"))
        stacks.with_suffix(".summary.txt").write_text(text, encoding="utf-8")


def summary(stacks: str, most: int = 45) -> str:
    """Shares of all samples: by innermost function, by function of ours, and by all callers."""
    own: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        ours[next((f for f in reversed(frames) if f.startswith("relayer/")), "(none)")] += int(
            count
        )
        for name in set(frames):
            within[name] += int(count)
    total = own.total()
    parts = [f"{total} samples, {total * EVERY:.2f} CPU seconds\n"]
    titles = ("itself", "innermost of ours", "with all it calls")
    for title, counts in zip(titles, (own, ours, within), strict=True):
        rows = [f"{100 * n / total:6.1f} %  {name}" for name, n in counts.most_common(most)]
        parts.append(f"\n{title}\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _run(directory: str, *arguments: str) -> None:
    Sampler(Path(directory)).install()
    sys.argv = ["relayer", *arguments]
    main()


if __name__ == "__main__":
    _run(*sys.argv[1:])
