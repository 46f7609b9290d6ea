"""The embedded bus: one SQLite file, one process, the default.

Ownership: `serve` owns every partition, in this process, one owner at a time. A restore writes a
new epoch; a commit of an older owner finds its epoch gone and is `Lost`. Waiting costs nothing:
whoever waits for records has a bell that the writer rings after each commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time as clock
from functools import partial
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakSet

import structlog

from relayer.bus.catalog import Catalog
from relayer.bus.ownership import keep, together
from relayer.bus.sqlite_damage import lock
from relayer.bus.sqlite_findings import examine
from relayer.bus.sqlite_follow import SqliteFollower
from relayer.bus.sqlite_log import Log, Title
from relayer.bus.sqlite_tidy import tidy
from relayer.bus.sqlite_writer import Writer
from relayer.domain.errors import Fatal
from relayer.ports.bus import Lost, unasked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path
    from typing import Self

    from relayer.ports.bus import Finding, Genuine, Out, Partition, Record, Topic

CHUNK: Final = 500
"""Records of state read before others get a turn on the event loop."""

_log = structlog.get_logger("relayer.bus")


class SqliteBus:
    """The embedded bus over the file at `path`. Use it as an async context manager."""

    def __init__(
        self,
        path: Path,
        topics: Iterable[Topic],
        *,
        full_sync: bool = True,
        now: Callable[[], float] = clock.time,
        tidy_every: float = 10.0,
        pace: float = 0.0,
    ) -> None:
        """Name file and topics; nothing is opened yet.

        Without `full_sync` a power cut (not a crash of the process) may take the last commits
        back, all of each. `now` is in seconds since the epoch, `tidy_every` and `pace` (between
        two commits, at the least) in seconds.
        """
        self.path, self.full_sync = path, full_sync
        self.catalog = Catalog(topics)
        self._now, self._tidy_every, self._pace = now, tidy_every, pace
        self._bells: dict[str, WeakSet[asyncio.Event]] = {}
        self._owned: dict[tuple[str, int], asyncio.Lock] = {}
        self._open: tuple[Log, Writer] | None = None
        self._lock = -1

    async def __aenter__(self) -> Self:
        """Open the file. Raises `FileTrouble` (Fatal) when it cannot be used."""
        self._lock = lock(self.path)
        try:
            log = Log(self.path, self.catalog, full_sync=self.full_sync, now=self._now)
        except BaseException:
            os.close(self._lock)
            raise
        writer = Writer(
            log,
            ring=self._ring,
            tidy=lambda: tidy(log, self.catalog, self._now()),
            tidy_every=self._tidy_every,
            pace=self._pace,
        )
        self._open = log, writer
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is waiting and close the file."""
        log, writer = self._opened
        self._open = None
        await writer.close()
        self._ring(frozenset(self._bells))
        log.close()
        os.close(self._lock)

    @property
    def _opened(self) -> tuple[Log, Writer]:
        if self._open is None:
            msg = f"the bus {self.path} is not open"
            raise Fatal(msg)
        return self._open

    @property
    def log(self) -> Log:
        """The open file, for the parts of this bus. Raises `Fatal` when closed."""
        return self._opened[0]

    @property
    def closed(self) -> bool:
        """Whether the bus was closed, or not opened yet."""
        return self._open is None

    def now(self) -> float:
        """Return the time that records are stamped with, in seconds since the epoch."""
        return self._now()

    def bell(self, topic: str) -> asyncio.Event:
        """Return a new event, set after each commit to the topic for as long as it is held."""
        event = asyncio.Event()
        self._bells.setdefault(topic, WeakSet()).add(event)
        return event

    def _ring(self, topics: frozenset[str]) -> None:
        for topic in topics:
            for event in self._bells.get(topic, ()):
                event.set()

    async def write(self, act: Callable[[Log], object], topics: Iterable[str]) -> object:
        """Run `act` in the next commit and ring the topics once it is durable."""
        log, writer = self._opened
        return await writer.submit(partial(act, log), frozenset(topics))

    # ------------------------------------------------------------------ the port

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `Undeclared`."""
        return self.catalog.topic(topic).partitions

    async def serve(
        self, inbox: str | None, state: str, body: Callable[[Partition], Awaitable[None]]
    ) -> None:
        """Run `body` on every partition, see `relayer.ports.bus.Bus.serve`."""
        count = self.catalog.served(inbox, state)
        await together(keep(partial(self.own, inbox, state, n), body) for n in range(count))

    @contextlib.asynccontextmanager
    async def own(self, inbox: str | None, state: str, number: int) -> AsyncIterator[Partition]:
        """Own one partition, after whoever owns it in this process has let go."""
        async with self._owned.setdefault((state, number), asyncio.Lock()):
            yield SqlitePartition(self, inbox, state, number)

    def follow(self, topic: str, since: timedelta | None) -> SqliteFollower:
        """Read all partitions of the topic, see `relayer.ports.bus.Bus.follow`."""
        self.catalog.topic(topic)
        return SqliteFollower(self, topic, since)

    async def publish(self, outs: Sequence[Out]) -> None:
        """Append the records in one commit, see `relayer.ports.bus.Bus.publish`."""
        self.catalog.admit(outs)
        if outs:
            await self.write(lambda log: log.append(outs), {out.topic for out in outs})

    async def check(self) -> Sequence[Finding]:
        """Judge file, topics and disk."""
        return examine(self.log, self.catalog, full_sync=self.full_sync)


class SqlitePartition:
    """One owned partition, see `relayer.ports.bus.Partition`."""

    def __init__(self, bus: SqliteBus, inbox: str | None, state: str, number: int) -> None:
        """Stand for a partition that is not restored yet."""
        self._bus, self._inbox, self._state, self._number = bus, inbox, state, number
        self._title: Title | None = None
        self._position = self._committed = 0
        self._bell = bus.bell(inbox) if inbox else asyncio.Event()

    @property
    def number(self) -> int:
        """The partition's number."""
        return self._number

    async def restore(self, genuine: Genuine = unasked) -> Mapping[str, bytes]:
        """Fence older owners, then read the state."""
        fence = partial(Log.fence, inbox=self._inbox, state=self._state, number=self._number)
        self._title = cast("Title", await self._bus.write(fence, ()))
        self._position = self._committed = self._title.position
        self._tell_what_expired()
        return await self._load(genuine)

    def _tell_what_expired(self) -> None:
        if self._inbox is None:
            return
        oldest = self._bus.log.oldest(self._inbox, self._number)
        if oldest > self._position:
            _log.warning(
                "bus.records_expired_unread",
                topic=self._inbox,
                partition=self._number,
                position=self._position,
                oldest=oldest,
            )

    async def _load(self, genuine: Genuine) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        last: str | None = None
        while chunk := self._bus.log.values(self._state, self._number, last, CHUNK):
            values.update((key, value) for key, value in chunk if genuine(key, value))
            last = chunk[-1][0]
            await asyncio.sleep(0)
        return values

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - a wait for records, not a bound on the call
        """Return the next records, or none after `timeout` seconds or when woken."""
        self._held()
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            self._bell.clear()  # before reading: a commit from here on rings again
            if records := self._next(limit):
                return records
            if wake.is_set() or loop.time() >= until:
                return []
            await _first_of(self._bell, wake, until - loop.time())

    def _next(self, limit: int) -> list[Record]:
        if self._inbox is None:
            return []
        records = self._bus.log.read(self._inbox, self._number, self._position, limit)
        if records:
            self._position = records[-1].offset + 1
        return records

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        """Write outputs, state and position in one step. Raises `Lost` when fenced."""
        title, position = self._held(), self._position
        everything = [*outs, *self._bus.catalog.state_outs(self._state, self._number, state)]
        self._bus.catalog.admit(everything)

        def act(log: Log) -> None:
            log.advance(title, position)
            log.append(everything)

        await self._bus.write(act, {out.topic for out in everything})
        self._committed = position

    async def behind(self) -> int:
        """Look at the end of the log."""
        self._held()
        if self._inbox is None:
            return 0
        return max(0, self._bus.log.ends(self._inbox).get(self._number, 0) - self._committed)

    def _held(self) -> Title:
        if self._title is None:
            msg = f"{self._state}/{self._number} was not restored by this owner"
            raise Lost(msg)
        return self._title


async def _first_of(bell: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    """Wait until one of the two is set, or so many seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in (bell, wake)]
    try:
        await asyncio.wait(
            waits,
            timeout=None if math.isinf(seconds) else seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        for wait in waits:
            wait.cancel()
