"""The relayer in processes over one bus: all services in one, or each in some of its own."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.measures import answer_at
from relayer.cli.demo.child import Child
from relayer.cli.demo.fleet import variables_of
from relayer.process_settings import BusSettings
from relayer.settings import Settings

ALL: Final = (("all", ()),)
"""One process that runs every service."""

SERVICES: Final = ("listener", "relayer", "attester", "monitor", "tracker")

APART: Final = tuple((service, (service,)) for service in SERVICES)
"""A process for each service."""


def with_relayers(count: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return a process for each service, and so many of the relayer's."""
    first, _, *others = APART
    return [first, *((f"relayer-{n}", ("relayer",)) for n in range(1, count + 1)), *others]


@dataclass(slots=True)
class Members:
    """Processes over one bus, with files of their own; what they noted is gathered at their end."""

    name: str
    config: Path
    directory: Path
    bus: BusSettings | None
    services: Sequence[tuple[str, tuple[str, ...]]] = ALL
    """Each process's name and what it runs; the tracker's is the last."""
    traced: bool = True
    """Whether they note what passes the bus."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all beside the config."""
    children: dict[str, Child] = field(default_factory=dict, init=False)
    """All by their names, those that have left too."""

    def __post_init__(self) -> None:
        """Make each process; none is started yet."""
        for name, services in self.services:
            self.add(name, services)

    def add(self, name: str, services: tuple[str, ...]) -> Child:
        """Make one more process, with a folder of its own; it is not started yet."""
        place = self.directory / name
        place.mkdir(parents=True, exist_ok=True)
        bus = self.bus.model_dump(mode="json", exclude_defaults=True) if self.bus else {}
        child = self.children[name] = Child(
            config=self.config,
            log=place / "log",
            services=services,
            variables={
                **variables_of({"bus": bus, **self.told}),
                "RELAYER_STATE_DIR": str(place),
                "RELAYER_LOG__FORMAT": "json",
            },
        )
        if self.traced:
            child.command = ("-m", "benchmarks.kafka.traced", str(place / "notes"))
        return child

    def seen_by(self, settings: Settings) -> Settings:
        """The settings with the folder in which these processes' tracker writes."""
        place = self.directory / self.services[-1][0]
        return settings.model_copy(update={"state_dir": place})

    async def start(self, *names: str) -> None:
        """Start those named; all, if none is."""
        for name in names or self.children:
            (self.directory / name / "http.port").unlink(missing_ok=True)
            await self.children[name].start()

    def is_ready(self, name: str) -> bool:
        """Whether a process says so at ``/readyz``."""
        try:
            return self.answer(name, "/readyz") == "ok\n"
        except OSError:
            return False

    def answer(self, name: str, path: str) -> str:
        """What a process's HTTP server says under a path; OSError while it does not."""
        return answer_at(self.directory / name, path)

    def lanes_of(self, name: str) -> int:
        """How many lanes a process owned when it last looked, some seconds ago."""
        lines = self.answer(name, "/metrics").splitlines()
        return sum(line.startswith("relayer_bus_behind_records{") for line in lines)

    async def ready(self, *names: str) -> None:
        """Wait until those named are ready, all if none is; TimeoutError after a minute."""
        async with asyncio.timeout(60):
            for name in names or self.children:
                while not await asyncio.to_thread(self.is_ready, name):
                    self.check()
                    await asyncio.sleep(0.02)

    def check(self) -> None:
        """Raise Fatal if one has ended by itself."""
        for child in self.children.values():
            child.check()

    async def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one process: SIGTERM, or SIGKILL."""
        child = self.children[name]
        await (child.kill() if number is signal.SIGKILL else child.stop())

    async def stop(self) -> None:
        """Drain all at once."""
        async with asyncio.TaskGroup() as group:
            for child in self.children.values():
                group.create_task(child.stop())

    @property
    def cpu(self) -> float:
        """CPU seconds of all so far."""
        return sum(map(self.cpu_of, self.children))

    def cpu_of(self, name: str) -> float:
        """CPU seconds of one so far."""
        child = self.children[name]
        child.measure()
        return child.cpu

    def notes(self) -> list[dict[str, Any]]:
        """What all have noted, and who it was; they are forgotten: a file is written at each end."""
        found: list[dict[str, Any]] = []
        for name in self.children:
            path = self.directory / name / "notes"
            if path.exists():
                lines = path.read_text(encoding="utf-8").splitlines()
                found += ({**json.loads(line), "who": name} for line in lines)
                path.unlink()
        return found
