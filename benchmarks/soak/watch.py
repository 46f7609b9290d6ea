"""What is measured during a run: the process from outside, and the files it keeps."""

from __future__ import annotations

import re
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from relayer.cli.demo.child import Child
from relayer.domain.errors import RelayerError
from relayer.domain.stage import CLOSED, Stage
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings

_TASKS = re.compile(r"^relayer_tasks (\S+)$", re.MULTILINE)
_ENDED = re.compile(r"^relayer_transfers_total\{.*outcome=\"delivered\".*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a living process and its files; times in seconds, sizes in bytes."""

    at: float
    pid: int
    resident: int
    descriptors: int
    threads: int
    tasks: int
    log: int
    bus: int
    wal: int
    tracker: int
    delivered: int
    """Deliveries that the tracker remembers: its retention makes them fewer again."""
    done: int
    """Deliveries that this process has seen."""
    waiting: Mapping[str, int]
    """Open transfers by reason, or by stage where there is none."""
    nameless: int
    """Transfers open for longer than the run's patience, without a reason."""
    records: Mapping[str, int]
    """Records of each topic that are in the bus's file."""
    ages: Mapping[str, float]
    """Age of the oldest record of each topic that is not compacted."""


@dataclass(slots=True)
class Watch:
    """Takes samples; None while the process is away or starts."""

    settings: Settings
    child: Child
    patience: float
    """Seconds after which an open transfer must have a reason."""
    samples: list[Sample] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """Where the process keeps its files."""
        return self.settings.path(self.settings.state_dir)

    def look(self) -> Sample | None:
        """Take a sample and keep it."""
        try:
            sample = self._look()
        except (OSError, ValueError, RelayerError, sqlite3.Error):
            return None  # it was killed, or is not up again
        self.samples.append(sample)
        return sample

    def _look(self) -> Sample:
        pid = self.child.pid
        if pid is None:
            msg = "the process is away"
            raise OSError(msg)
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        values = dict(line.split(":", 1) for line in status.splitlines())
        records, ages = _topics(self.directory / "bus.db")
        delivered, waiting, nameless = self._transfers()
        tasks, done = self._metrics()
        return Sample(
            at=time.time(),
            pid=pid,
            resident=int(values["VmRSS"].split()[0]) * 1024,
            descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
            threads=int(values["Threads"]),
            tasks=tasks,
            log=_size(self.child.log),
            bus=_size(self.directory / "bus.db"),
            wal=_size(self.directory / "bus.db-wal"),
            tracker=_size(self.directory / "tracker.db"),
            delivered=delivered,
            done=done,
            waiting=waiting,
            nameless=nameless,
            records=records,
            ages=ages,
        )

    def _metrics(self) -> tuple[int, int]:
        """How many tasks are alive, and how many deliveries this process has seen."""
        port = (self.directory / "http.port").read_text(encoding="ascii")
        url = f"http://127.0.0.1:{int(port)}/metrics"
        with urllib.request.urlopen(url, timeout=2) as answer:
            text = answer.read().decode()
        tasks = sum(float(count) for count in _TASKS.findall(text))
        return int(tasks), int(sum(float(count) for count in _ENDED.findall(text)))

    def _transfers(self) -> tuple[int, Mapping[str, int], int]:
        now = time.time()
        with Tracks(self.directory / "tracker.db") as tracks:
            counts = tracks.counts()
            tracked = tracks.status(Filter(open_only=True, limit=10_000))
        nameless = [t for t in tracked if t.told.reason is None and now - t.seen_at > self.patience]
        waiting: dict[str, int] = {}
        for (stage, reason), count in counts.items():
            if stage not in CLOSED:
                waiting[str(reason or stage)] = waiting.get(str(reason or stage), 0) + count
        done = sum(count for (stage, _), count in counts.items() if stage is Stage.DELIVERED)
        return done, waiting, len(nameless)


def _topics(path: Path) -> tuple[dict[str, int], dict[str, float]]:
    """Records per topic, and the age of the oldest of those that retention should remove."""
    now = time.time()
    records: dict[str, int] = {}
    ages: dict[str, float] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as db:
        names = dict(db.execute("select id, name from topic"))
        for table in ("log", "kept"):
            for topic, count, oldest in db.execute(
                f"select topic, count(*), min(time) from {table} group by topic"  # noqa: S608 - one of two constants
            ):
                records[names[topic]] = count
                if table == "log":
                    ages[names[topic]] = now - oldest
    return records, ages


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
