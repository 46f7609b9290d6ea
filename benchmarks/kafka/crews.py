"""The relayer in three ways over the same chains: one process on either bus, and a fleet on Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relayer.cli.demo.child import Child
from relayer.cli.demo.fleet import variables_of
from relayer.process_settings import BusSettings
from relayer.settings import Settings

ALL: Final = (("all", ()),)
"""One process that runs every service."""

APART: Final = tuple(
    (service, (service,)) for service in ("listener", "relayer", "attester", "monitor", "tracker")
)
"""A process for each service."""


@dataclass(slots=True)
class Members:
    """Processes over one bus, with files of their own; what they noted is gathered at their end."""

    name: str
    config: Path
    directory: Path
    bus: BusSettings | None
    services: Sequence[tuple[str, tuple[str, ...]]] = ALL
    children: list[Child] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Give each process a folder; the tracker's is the one that is looked into."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, services in self.services:
            place = self.directory / name
            place.mkdir(exist_ok=True)
            self.children.append(
                Child(
                    config=self.config,
                    log=place / "log",
                    command=("-m", "benchmarks.kafka.traced", str(place / "notes")),
                    services=services,
                    variables={
                        **variables_of(
                            {"bus": self.bus.model_dump(mode="json", exclude_defaults=True)}
                            if self.bus
                            else {}
                        ),
                        "RELAYER_STATE_DIR": str(place),
                        "RELAYER_LOG__FORMAT": "json",
                    },
                )
            )

    def seen_by(self, settings: Settings) -> Settings:
        """The settings with the folder in which these processes' tracker writes."""
        place = self.directory / self.services[-1][0]
        return settings.model_copy(update={"state_dir": place})

    async def start(self) -> None:
        """Start all."""
        for child in self.children:
            await child.start()

    def check(self) -> None:
        """Raise Fatal if one has ended by itself."""
        for child in self.children:
            child.check()

    async def stop(self) -> None:
        """Drain all at once."""
        async with asyncio.TaskGroup() as group:
            for child in self.children:
                group.create_task(child.stop())

    @property
    def cpu(self) -> float:
        """CPU seconds of all so far."""
        for child in self.children:
            child.measure()
        return sum(child.cpu for child in self.children)

    def notes(self) -> list[dict[str, Any]]:
        """What all have noted, and forget it: a file is written at each end."""
        found: list[dict[str, Any]] = []
        for name, _ in self.services:
            path = self.directory / name / "notes"
            if path.exists():
                found += map(json.loads, path.read_text(encoding="utf-8").splitlines())
                path.unlink()
        return found
