"""One writer for all lanes: what several want to write at once becomes one commit.

The statements run on the event loop (tens of microseconds), only the commit, which waits for the
disk, runs on a thread of its own. Both extremes were measured (`benchmarks/bus.py`): commits
on the loop stall it for as long as the disk takes, and a transaction made wholly on a thread loses
the interpreter lock at every statement, up to 5 ms each time beside a busy loop. What arrives
while the disk is awaited forms the next group.
"""

from __future__ import annotations

import asyncio
import contextlib
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
    ) -> None:
        """Ring the topics of each commit; `tidy` every so many seconds, sooner if it asks."""
        self._log, self._ring = log, ring
        self._tidy, self._tidy_every = tidy, tidy_every
        self._jobs: list[_Job] = []
        self._some = asyncio.Event()
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
            group, self._jobs = self._jobs[:GROUP], self._jobs[GROUP:]
            if group:
                await self._step(group)
            if loop.time() >= tidy_at and self._broken is None:
                more = await self._tidy_up()
                tidy_at = loop.time() + (TIDY_PAUSE if more else self._tidy_every)
            if not self._jobs and self._broken is None:
                self._some.clear()

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
        await asyncio.get_running_loop().run_in_executor(self._disk, self._log.commit)
        return answers


def _future() -> asyncio.Future[object]:
    return asyncio.get_running_loop().create_future()
