"""One writer for all lanes: what several want to write at once becomes one commit.

Everything runs on the event loop while the disk is quick, as a local one is (0.2 ms a commit). A
thread would cost more than it saves: beside a busy loop it waits for the interpreter lock at every
statement, which made 1 ms of commit 3 ms, with a p99 of 370 ms (`benchmarks/bus.py`). But when
commits wait `SLOW` or longer, as on a network disk, the wait alone moves to a thread, so that the
loop does not stand still; what arrives meanwhile forms the next group.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relayer.domain.errors import Fatal, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayer.bus.sqlite_log import Log

GROUP: Final = 64
"""The most jobs in one commit; it bounds how long the statements of a group hold the loop."""

TIDY_PAUSE: Final = 0.05
"""Seconds between two steps of tidying while there is more to tidy."""


SLOW: Final = 0.005
"""Seconds that a commit may hold the event loop, on average, before the wait moves to a thread."""

PROBE: Final = 20
"""On the thread, one commit in so many is made on the loop, to see whether the disk is quick again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    act: Callable[[], object]
    topics: frozenset[str]
    done: asyncio.Future[object]


class Writer:
    """The one writer of the log. Made and used on one event loop."""

    def __init__(
        self,
        log: Log,
        *,
        ring: Callable[[frozenset[str]], None],
        tidy: Callable[[], bool],
        tidy_every: float,
        pace: float = 0.0,
    ) -> None:
        """Ring the topics of each commit; `tidy` every so many seconds, sooner if it asks.

        A commit begins `pace` seconds after the one before it at the earliest: what comes in
        between travels with it. One that comes alone does not wait.
        """
        self._log, self._ring = log, ring
        self._tidy, self._tidy_every = tidy, tidy_every
        self._pace, self._next = pace, 0.0
        self._jobs: list[_Job] = []
        self._some = asyncio.Event()
        self._wait, self._commits = 0.0, 0
        self._broken: Fatal | None = None
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bus-commit")
        self._task = asyncio.create_task(self._run())

    async def submit(self, act: Callable[[], object], topics: frozenset[str]) -> object:
        """Run `act` in the next transaction and return its answer once that is durable.

        `act` may refuse, raising `Transient` or `Rejected` before it has written anything; the
        rest of its group goes on. Cancelling the wait does not take the write back.
        """
        if self._broken is not None:
            raise self._broken
        job = _Job(act=act, topics=topics, done=_future())
        self._jobs.append(job)
        self._some.set()
        return await job.done

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._broken = self._broken or Fatal("the bus is closed")
        self._some.set()
        await self._task
        self._disk.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        tidy_at = loop.time() + self._tidy_every
        while self._broken is None or self._jobs:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(tidy_at):
                    await self._some.wait()
            await self._gather()
            group, self._jobs = self._jobs[:GROUP], self._jobs[GROUP:]
            if group:
                self._next = loop.time() + self._pace
                await self._step(group)
            if loop.time() >= tidy_at and self._broken is None:
                more = await self._tidy_up()
                tidy_at = loop.time() + (TIDY_PAUSE if more else self._tidy_every)
            if not self._jobs and self._broken is None:
                self._some.clear()

    async def _gather(self) -> None:
        """Wait until the next commit may begin, unless it is full or the last."""
        wait = self._next - asyncio.get_running_loop().time()
        if wait > 0 and 0 < len(self._jobs) < GROUP and self._broken is None:
            await asyncio.sleep(wait)

    async def _tidy_up(self) -> bool:
        job = _Job(act=self._tidy, topics=frozenset(), done=_future())
        await self._step([job])
        return job.done.exception() is None and bool(job.done.result())

    async def _step(self, group: list[_Job]) -> None:
        """Write one group and tell each of its jobs how it went."""
        try:
            answers = await self._transact(group)
        except Exception as error:  # noqa: BLE001 - the edge: its callers must hear it
            self._log.rollback()
            if isinstance(error, Fatal):
                self._broken = error
                group, self._jobs = group + self._jobs, []
            answers = [error] * len(group)
        self._ring(frozenset().union(*(job.topics for job in group)))
        for job, answer in zip(group, answers, strict=True):
            if job.done.cancelled():
                continue
            if isinstance(answer, Exception):
                job.done.set_exception(answer)
            else:
                job.done.set_result(answer)

    async def _transact(self, group: list[_Job]) -> list[object]:
        """Run the jobs in one transaction; the answer of one that refused is its error."""
        self._log.begin()
        answers: list[object] = []
        for job in group:
            try:
                answers.append(job.act())
            except (Transient, Rejected) as refusal:
                answers.append(refusal)
        await self._commit()
        self._log.settle()
        return answers

    async def _commit(self) -> None:
        """Commit where it disturbs least: here, or on the thread when the disk is slow."""
        self._commits += 1
        probing = self._wait >= SLOW
        if probing and self._commits % PROBE:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._log.commit)
            return
        began = time.perf_counter()
        self._log.commit()
        waited = min(time.perf_counter() - began, 2 * SLOW)  # one hiccup is not a slow disk
        self._wait = waited if probing else 0.9 * self._wait + 0.1 * waited


def _future() -> asyncio.Future[object]:
    return asyncio.get_running_loop().create_future()
