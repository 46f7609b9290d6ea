"""One reader for those parts of a process that check: what several ask at once is read once.

What is remembered is only what cannot change: a deposit that was read, final, at its place. What
can change (a head, a receipt, the absence of either) is read anew for each who asks, and begins
after they asked: a question joins a read that has not begun yet, never one under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Final, Generic, TypeVar

from relayer.domain.address import ChainId
from relayer.domain.errors import Unavailable
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import ChainFact, Deposit, Location, Receipt, TransferId
from relayer.ports.chain import ChainReader, Head

KEPT: Final = 5_000
"""Places whose deposits are remembered: more than are under way at once, a few MB."""

PATIENCE: Final = 0.05
"""Seconds that questions gather at most while the read before them is under way."""

IDS_AT_ONCE: Final = 500
"""Receipts asked for in one read."""

K = TypeVar("K")
V = TypeVar("V")


class SharedReader:
    """A ChainReader over another one, for several services of one process."""

    def __init__(
        self, reader: ChainReader, *, kept: int = KEPT, patience: float = PATIENCE
    ) -> None:
        """Ask ``reader``; remember ``kept`` places; gather receipts for ``patience`` seconds."""
        self._reader = reader
        self._kept = kept
        self._deposits: OrderedDict[Location, tuple[Deposit, ...]] = OrderedDict()
        self._places: _Joined[tuple[Location, int], tuple[Deposit, ...]] = _Joined(
            self._read_deposits
        )
        self._heads: _Joined[None, Head] = _Joined(lambda _: reader.final_head())
        self._receipts: _Gathered[TransferId, Receipt] = _Gathered(reader.receipts, patience)

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._reader.chain

    @property
    def first_height(self) -> int:
        """The height before which the bridge did not exist on this chain."""
        return self._reader.first_height

    async def final_head(self) -> Head:
        """The newest final height, read for all who ask in one turn of the event loop."""
        return await self._heads.ask(None)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every fact in [first, last]; read each time."""
        return await self._reader.history(first, last)

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The final deposits at a place: remembered once they are there, else read."""
        known = self._deposits.get(location)
        return known if known is not None else await self._places.ask((location, height))

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The final receipts of those ids that have one; several questions make one read."""
        return await self._receipts.ask(ids) if ids else {}

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made here that are refunded; read each time."""
        return await self._reader.refunded(ids)

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """One snapshot per asset; read each time."""
        return await self._reader.snapshots(height)

    def wakeups(self) -> AsyncIterator[None]:
        """A tick whenever something may have become final."""
        return self._reader.wakeups()

    async def close(self) -> None:
        """Release connections; who still waits is told."""
        for part in (self._places, self._heads, self._receipts):
            part.close()
        await self._reader.close()

    async def _read_deposits(self, claim: tuple[Location, int]) -> tuple[Deposit, ...]:
        location, height = claim
        found = tuple(await self._reader.deposit_at(location, height))
        if found:
            self._deposits[location] = found
            while len(self._deposits) > self._kept:
                self._deposits.popitem(last=False)
        return found


class _Reads:
    """The reads under way: whoever asked may be cancelled, the read goes on for the others."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()


class _Joined(_Reads, Generic[K, V]):
    """Equal questions of one turn of the event loop are one read."""

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        super().__init__()
        self._read = read
        self._waiting: dict[K, asyncio.Future[V]] = {}

    async def ask(self, key: K) -> V:
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._start(self._tell(key, answer))
        return await asyncio.shield(answer)

    async def _tell(self, key: K, answer: asyncio.Future[V]) -> None:
        with _told(answer):
            await asyncio.sleep(0)
            del self._waiting[key]
            answer.set_result(await self._read(key))


class _Gathered(_Reads, Generic[K, V]):
    """Questions that come while a read is under way are one read after it.

    They wait ``patience`` seconds at most: a read that hangs delays nobody but its own.
    """

    def __init__(
        self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], patience: float
    ) -> None:
        super().__init__()
        self._read = read
        self._patience = patience
        self._next: tuple[dict[K, None], asyncio.Future[Mapping[K, V]]] | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, keys: Sequence[K]) -> Mapping[K, V]:
        if self._next is None or len(self._next[0]) + len(keys) > IDS_AT_ONCE:
            self._next = {}, asyncio.get_running_loop().create_future()
            self._start(self._tell(self._next))
        wanted, answer = self._next
        wanted.update(dict.fromkeys(keys))
        found = await asyncio.shield(answer)
        return {key: found[key] for key in keys if key in found}

    async def _tell(self, asked: tuple[dict[K, None], asyncio.Future[Mapping[K, V]]]) -> None:
        wanted, answer = asked
        with _told(answer):
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
def _told(answer: asyncio.Future[Any]) -> Iterator[None]:
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
