"""The relayer of a demo as it runs on Kafka: each service in a process of its own, some twice."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

from relayer.cli.demo.child import Child
from relayer.process_settings import BusSettings

CREW: Final = (
    ("relayer-one", "relayer"),
    ("listener-one", "listener"),
    ("attester", "attester"),
    ("relayer-two", "relayer"),
    ("monitor", "monitor"),
    ("listener-two", "listener"),
    ("tracker", "tracker"),
)
"""Each process by its name, with the service it runs, in the order in which they are killed."""


def variables_of(bus: BusSettings) -> dict[str, str]:
    """Return the environment variables that put a process on this bus."""
    plain = bus.model_dump(mode="json", exclude_defaults=True)
    return {
        f"RELAYER_BUS__{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in plain.items()
    }


@dataclass(slots=True)
class Fleet:
    """Several processes that are started, killed and measured as one `Child` is."""

    config: Path
    bus: BusSettings
    _members: dict[str, Child] = field(default_factory=dict, init=False)
    _victims: cycle[tuple[str, str]] = field(default_factory=lambda: cycle(CREW), init=False)

    def __post_init__(self) -> None:
        """Give each process but the tracker a folder of its own; its files must outlive it."""
        logs = self.config.parent / "processes"
        logs.mkdir(exist_ok=True)
        for name, service in CREW:
            own = {} if service == "tracker" else {"RELAYER_STATE_DIR": str(logs / name)}
            self._members[name] = Child(
                config=self.config,
                log=logs / f"{name}.log",
                services=(service,),
                variables={**variables_of(self.bus), **own},
            )

    async def start(self) -> None:
        """Start every process that does not run."""
        for child in self._members.values():
            if child.pid is None:
                await child.start()

    def check(self) -> None:
        """Raise Fatal, with the end of its log, if a process has ended by itself."""
        for child in self._members.values():
            child.check()

    async def kill(self) -> None:
        """SIGKILL one of them, each in its turn."""
        name, _ = next(self._victims)
        await self._members[name].kill()

    async def stop(self) -> int | None:
        """SIGTERM all; the first exit code that is not 0, else 0."""
        async with asyncio.TaskGroup() as group:
            ends = [group.create_task(child.stop()) for child in self._members.values()]
        return next((code for end in ends if (code := end.result())), 0)

    def measure(self) -> None:
        """Take CPU and peak memory of all."""
        for child in self._members.values():
            child.measure()

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes so far, as last measured."""
        return sum(child.cpu for child in self._members.values())

    @property
    def peak_bytes(self) -> int:
        """Peak memory of all, added up."""
        return sum(child.peak_bytes for child in self._members.values())
