"""The relayer of a demo as it runs on Kafka: each service in processes of its own.

Two relayers and two listeners, of which either may die; three attesters with a key and a journal
each, of which two must sign; two monitors, both of whose leases are needed.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

from relayer.app.chains import ed25519
from relayer.cli.demo.child import Child
from relayer.cli.demo.users import credentials
from relayer.process_settings import BusSettings
from relayer.settings import Settings

MONITORS: Final = {"monitor-one": "file:keys/monitor", "monitor-two": "file:keys/monitor-two"}
"""Each monitor's process by its name, with the place of its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A process: its name, what it runs, and its own settings beside those of all."""

    name: str
    services: tuple[str, ...]
    own: Mapping[str, Any] = field(default_factory=dict)


def crew_of(settings: Settings) -> list[Member]:
    """Return every process, in the order in which they are killed in turn."""
    first, *others = [
        Member(
            name=f"attester-{one.name}",
            services=("attester",),
            own={"attesters": [one.model_dump(mode="json")]},
        )
        for one in settings.attesters
    ]
    watching = [
        Member(name=name, services=("monitor",), own={"monitor": {"key": key}})
        for name, key in MONITORS.items()
    ]
    return [
        replica("relayer-one"),
        replica("listener-one"),
        first,
        watching[0],
        replica("relayer-two"),
        *others,
        replica("listener-two"),
        watching[1],
        Member(name="tracker", services=("tracker",)),
    ]


def replica(name: str) -> Member:
    """Return one more process of the service that its name begins with."""
    return Member(name=name, services=(name.partition("-")[0],))


def shared(settings: Settings, bus: BusSettings) -> dict[str, Any]:
    """Return what every process is told beside the config: the bus, and whose leases count."""
    keys = [ed25519(settings, key).public.hex() for key in MONITORS.values()]
    return {
        "bus": bus.model_dump(mode="json", exclude_defaults=True),
        "monitor": {"keys": keys, "needed": len(keys)},
        "attesters": [],
    }


def variables_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that stand for these settings."""
    variables: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            parts = variables_of(value)
            variables |= {
                part.replace("RELAYER_", f"RELAYER_{name.upper()}__", 1): text
                for part, text in parts.items()
            }
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            variables[f"RELAYER_{name.upper()}"] = text
    return variables


@dataclass(slots=True)
class Fleet:
    """Several processes that are started, killed and measured as one `Child` is."""

    settings: Settings
    bus: BusSettings
    crew: Sequence[Member] = ()
    """The processes to run; all of `crew_of`, if none is named."""
    secured: bool = False
    """Whether each is the user of its service on the bus."""
    _members: dict[str, Child] = field(default_factory=dict, init=False)
    _retired: list[Child] = field(default_factory=list, init=False)
    _victims: cycle[str] = field(init=False)

    def __post_init__(self) -> None:
        """Make every process; none is started yet."""
        self.crew = self.crew or crew_of(self.settings)
        for member in self.crew:
            self.add(member)
        self._victims = cycle(member.name for member in self.crew)

    def add(self, member: Member) -> Child:
        """Make a process with a folder of its own, save the tracker: its file is read by all."""
        logs = self.settings.base / "processes"
        logs.mkdir(exist_ok=True)
        folder = {} if "tracker" in member.services else {"state_dir": str(logs / member.name)}
        told = shared(self.settings, self.bus)
        user = credentials(member.services) if self.secured else {}
        child = self._members[member.name] = Child(
            config=self.settings.base / "config.toml",
            log=logs / f"{member.name}.log",
            services=member.services,
            variables=variables_of(told) | variables_of({**folder, **member.own, **user}),
        )
        return child

    def __getitem__(self, name: str) -> Child:
        """Return a process by its name."""
        return self._members[name]

    @property
    def names(self) -> list[str]:
        """The names of all processes that belong to it now."""
        return list(self._members)

    async def retire(self, name: str) -> int | None:
        """SIGTERM a process for good; its exit code, 0 after a clean leave."""
        child = self._members.pop(name)
        self._retired.append(child)
        return await child.stop()

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
        await self._members[next(self._victims)].kill()

    async def stop(self) -> int | None:
        """SIGTERM all; the first exit code of one that did not leave as told, else 0.

        Who was only starting ends by the signal itself: it had nothing to hand over.
        """
        async with asyncio.TaskGroup() as group:
            ends = [group.create_task(child.stop()) for child in self._members.values()]
        codes = [end.result() for end in ends]
        return next((code for code in codes if code not in {0, None, -signal.SIGTERM}), 0)

    def measure(self) -> None:
        """Take CPU and peak memory of all."""
        for child in self._members.values():
            child.measure()

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes so far, as last measured."""
        return sum(child.cpu for child in (*self._members.values(), *self._retired))

    @property
    def peak_bytes(self) -> int:
        """Peak memory of all, added up."""
        return sum(child.peak_bytes for child in self._members.values())
