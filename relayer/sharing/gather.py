"""Questions that are asked together become one read, which begins after the last of them.

A question never joins a read under way, so no answer is older than its question.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from relayer.domain.errors import Unavailable

PATIENCE: Final = 0.05
"""Seconds that questions gather at most while the read before them is under way."""

K = TypeVar("K")
V = TypeVar("V")


class Reads:
    """The reads under way: whoever asked may be cancelled, the read goes on for the others."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End the reads; who still waits is told."""
        for task in tuple(self._tasks):
            task.cancel()


class Joined(Reads, Generic[K, V]):
    """Equal questions of one turn of the event loop are one read."""

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        """Answer by ``read``."""
        super().__init__()
        self._read = read
        self._waiting: dict[K, asyncio.Future[V]] = {}

    async def ask(self, key: K) -> V:
        """The answer of a read that has not begun yet; raises what it raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._start(self._tell(key, answer))
        return await asyncio.shield(answer)

    async def _tell(self, key: K, answer: asyncio.Future[V]) -> None:
        with told(answer):
            await asyncio.sleep(0)
            del self._waiting[key]
            answer.set_result(await self._read(key))


class Gathered(Reads, Generic[K, V]):
    """Questions that come while a read is under way are one read after it.

    They wait ``patience`` seconds at most: a read that hangs delays nobody but its own.
    """

    def __init__(
        self,
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        at_once: int,
        patience: float = PATIENCE,
    ) -> None:
        """Answer by ``read``, for ``at_once`` keys at most."""
        super().__init__()
        self._read = read
        self._at_once = at_once
        self._patience = patience
        self._next: tuple[dict[K, None], asyncio.Future[Mapping[K, V]]] | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, keys: Sequence[K]) -> Mapping[K, V]:
        """What a read that has not begun yet finds of these keys; raises what it raises."""
        if self._next is None or len(self._next[0]) + len(keys) > self._at_once:
            self._next = {}, asyncio.get_running_loop().create_future()
            self._start(self._tell(self._next))
        wanted, answer = self._next
        wanted.update(dict.fromkeys(keys))
        found = await asyncio.shield(answer)
        return {key: found[key] for key in keys if key in found}

    async def _tell(self, asked: tuple[dict[K, None], asyncio.Future[Mapping[K, V]]]) -> None:
        wanted, answer = asked
        with told(answer):
            await self._turn()
            if self._next is asked:
                self._next = None
            self._under_way += 1
            self._idle.clear()
            try:
                answer.set_result(await self._read(tuple(wanted)))
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._idle.set()

    async def _turn(self) -> None:
        """Let others ask too: to the next turn of the loop, and while a read is under way."""
        await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._idle.wait()


@contextlib.contextmanager
def told(answer: asyncio.Future[Any]) -> Iterator[None]:
    """Whatever ends a read, who waits for its answer hears of it."""
    try:
        yield
    except asyncio.CancelledError:
        _fail(answer, Unavailable("the reader was closed"))
        raise
    except Exception as error:  # noqa: BLE001 - raised again where it was asked
        _fail(answer, error)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    answer.set_exception(error)
    answer.exception()  # marks it as seen: nobody may wait any more
