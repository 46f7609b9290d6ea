"""A relayer process that notes when each record passes its seam with the bus.

``python -m benchmarks.kafka.traced FILE run ...`` runs the command line so. It works on both buses
alike, since it stands at the port. Times are of the wall clock, which all processes of a machine
share. Notes are written at the end, one JSON object a line, so that nothing is written meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import relayer.app.run as app
from relayer.app.bus import bus_of
from relayer.bus.passing import PassingBus, PassingFollower, PassingPartition
from relayer.cli.main import main
from relayer.domain.records import TRANSFERS, TRANSFERS_TOPIC
from relayer.ports.bus import Bus, Follower, Out, Partition, Record
from relayer.settings import Settings

Note = tuple[str, str, float, float, bytes | None]
"""What, of which key, from when, until when; and the value where it must be looked into."""


class Notes:
    """What passed, and how long commits took."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.notes: list[Note] = []
        self._commits: list[dict[str, object]] = []

    def read(self, what: str, records: Sequence[Record]) -> None:
        """Records have arrived."""
        now = time.time()
        self.notes += ((f"{what} {one.topic}", one.key, now, now, None) for one in records)

    def wrote(self, what: str, outs: Sequence[Out], since: float) -> None:
        """Records were written by one commit or publication that lasted since then."""
        now = time.time()
        for out in outs:
            value = out.value if out.topic == TRANSFERS_TOPIC else None
            self.notes.append((f"{what} {out.topic}", out.key, since, now, value))

    def committed(self, state: str, number: int, keys: int, since: float) -> None:
        """A commit that changed so many keys of a state's partition lasted since then."""
        took = time.time() - since
        self._commits.append(
            {"commit": state, "partition": number, "at": since, "took": took, "keys": keys}
        )

    def write(self, path: Path) -> None:
        """Write all down."""
        lines = [json.dumps(note) for note in [*map(_plain, self.notes), *self._commits]]
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def _plain(note: Note) -> dict[str, object]:
    what, key, since, until, value = note
    stage = TRANSFERS.decode(value).stage if value else ""
    return {"what": f"{what} {stage}".strip(), "key": key, "since": since, "until": until}


class _Traced(PassingPartition):
    """A partition whose records are noted."""

    def __init__(self, inner: Partition, notes: Notes, state: str) -> None:
        """Stand before ``inner``, whose state is in that topic."""
        super().__init__(inner)
        self._notes, self._state = notes, state

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - the port's own
        records = await super().take(limit, timeout, wake)
        self._notes.read("took", records)
        return records

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        since = time.time()
        await super().commit(outs, state)
        self._notes.wrote("committed", outs, since)
        self._notes.committed(self._state, self.number, len(state), since)


class _TracedFollower(PassingFollower):
    """A follower whose records are noted."""

    def __init__(self, inner: Follower, notes: Notes) -> None:
        """Stand before ``inner``."""
        super().__init__(inner)
        self._notes = notes

    async def __anext__(self) -> Record:
        record = await super().__anext__()
        self._notes.read("followed", [record])
        return record


class TracedBus(PassingBus):
    """A bus whose records are noted."""

    def __init__(self, inner: Bus, notes: Notes) -> None:
        """Stand before ``inner``."""
        super().__init__(inner)
        self._notes = notes

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        """As the bus does, with partitions that are noted."""

        async def traced(partition: Partition) -> None:
            await body(_Traced(partition, self._notes, state))

        await super().serve(inbox, state, traced)

    def follow(self, topic: str, since: timedelta | None) -> Follower:
        """As the bus does, with a follower whose records are noted."""
        return _TracedFollower(super().follow(topic, since), self._notes)

    async def publish(self, outs: Sequence[Out]) -> None:
        """As the bus does."""
        since = time.time()
        await super().publish(outs)
        self._notes.wrote("published", outs, since)


def _run(path: str, *arguments: str) -> None:
    @asynccontextmanager
    async def traced(settings: Settings, directory: Path, *rest: Any) -> AsyncIterator[Bus]:
        notes = Notes()
        try:
            async with bus_of(settings, directory, *rest) as bus:
                yield TracedBus(bus, notes)
        finally:
            notes.write(Path(path))

    vars(app)["bus_of"] = traced
    sys.argv = ["relayer", *arguments]
    main()


if __name__ == "__main__":
    _run(*sys.argv[1:])
