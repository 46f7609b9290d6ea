"""Agreement of n endpoints: a ChainReader over n ChainReaders of one chain.

Of n endpoints k must agree. While at most k - 1 lie, nothing is told that every honest endpoint
denies; while k honest ones answer, everything is told. An endpoint that cannot answer for the
heights asked (it lags, or has pruned them) abstains: its adapter raises, and others are asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from relayer.agreement.endpoints import Endpoint, Endpoints, Settle
from relayer.domain.address import ChainId
from relayer.domain.agreement import (
    Agreed,
    Books,
    Heads,
    Moment,
    equal,
    equal_books,
    equal_by_id,
    in_order,
)
from relayer.domain.errors import Disagreement, Transient, Unavailable
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import ChainFact, Deposit, Location, Receipt, TransferId
from relayer.ports.chain import ChainReader, Head

T = TypeVar("T")

_TRIES: Final = 8
_PAUSE: Final = 0.25
"""Seconds between two looks at endpoints whose heights do not meet."""

_WAITS: Final = 40
"""Such pauses until a lagging endpoint is given up that is needed for a range."""

_APART: Final = 500
"""Heights between books above which they are not compared."""

_KEPT_BOOKS: Final = 4
"""Books remembered per endpoint, so that one that lags meets one that does not."""

_HALF_TOLD: Final = 16
"""Ranges remembered of which too few endpoints have told."""

_SILENCE: Final = 15.0
"""Seconds without a tick after which another endpoint is listened to."""


HalfTold = dict[int, tuple[int, tuple[ChainFact, ...]]]
"""What endpoints have told of a range from a height on, and up to where."""


class QuorumReader:
    """What ``endpoints.needed`` readers of one chain agree on."""

    def __init__(self, endpoints: Endpoints[ChainReader]) -> None:
        """Read through these endpoints, which serve one chain with one configuration."""
        self._endpoints = endpoints
        self._reader = endpoints.members[0].port
        self._heads = Heads(needed=endpoints.needed)
        self._books: dict[int, list[Books]] = {}
        self._half_told: dict[int, HalfTold] = {}
        self._told = -1
        self._waits = _WAITS if len(endpoints.members) > 1 else 0

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._reader.chain

    @property
    def first_height(self) -> int:
        """The height before which the bridge did not exist on this chain."""
        return self._reader.first_height

    async def final_head(self) -> Head:
        """The newest height that enough endpoints call final; it never goes back.

        All endpoints are asked, since one that lags shows only beside the others. ``time`` is what
        enough of them had reached by that height: at most a poll older than the block's own.
        """
        for _ in range(_TRIES):
            await self._endpoints.tell_all("final head", _head, self._tell)
            agreed = self._heads.agreed
            if agreed is not None:
                return Head(height=agreed.height, time=agreed.time)
            await asyncio.sleep(_PAUSE)
        raise Unavailable("the endpoints' heads are too far apart to agree on one")

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """What enough endpoints that hold the range tell alike: every fact, compared whole.

        By height; within one height deposits come first, by nonce. A liar's high head may have
        made ``last`` final before enough honest endpoints are there: those are waited for. Who has
        told a range is not asked for it again because the others failed.
        """
        told = self._half_told.pop(first, {})

        async def put(reader: ChainReader) -> tuple[ChainFact, ...]:
            place = self._endpoints.place(reader)
            upto, facts = told.get(place, (first - 1, ()))
            if upto < last:
                facts = (*facts, *await reader.history(upto + 1, last))
                told[place] = last, facts
            return in_order(fact for fact in facts if fact.height <= last)

        async def ask() -> Sequence[ChainFact]:
            try:
                return await self._endpoints.ask("history", put, self._equal, f"{first}-{last}")
            except Disagreement:
                told.clear()  # any of them may have been wrong: all are asked anew
                raise
            except BaseException:
                self._keep_half(first, told)
                raise

        for _ in range(self._waits):
            try:
                return await ask()
            except Transient:
                if last > self._heads.height or not self._heads.below(last):
                    raise
                await asyncio.sleep(_PAUSE)
                await self.final_head()
        return await ask()

    def _keep_half(self, first: int, told: HalfTold) -> None:
        self._half_told[first] = told
        while len(self._half_told) > _HALF_TOLD:
            self._half_told.pop(next(iter(self._half_told)))

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The deposits that enough endpoints find at a location, or deny alike."""

        async def put(reader: ChainReader) -> tuple[Deposit, ...]:
            return tuple(await reader.deposit_at(location, height))

        return await self._endpoints.ask("deposit", put, self._equal, f"at {location.tx}")

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The receipts that enough endpoints tell, id by id."""

        async def put(reader: ChainReader) -> Mapping[TransferId, Receipt]:
            return await reader.receipts(ids)

        return await self._endpoints.ask("receipts", put, self._by_id(ids))

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """The ids that enough endpoints call refunded."""

        async def put(reader: ChainReader) -> Mapping[TransferId, bool]:
            return dict.fromkeys(await reader.refunded(ids), True)

        found: Mapping[TransferId, bool] = await self._endpoints.ask(
            "refunds", put, self._by_id(ids)
        )
        return frozenset(found)

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """Books that enough endpoints tell, at one final height.

        Where the chain's nodes tell books of a given height they are compared to the letter, else
        after the agreed history between their heights has been set off. The height never goes
        back.
        """
        at = (await self.final_head()).height if height is None else height
        for _ in range(self._waits):
            with suppress(Transient):
                return await self._books_at(at)
            await asyncio.sleep(_PAUSE)
            await self.final_head()
        return await self._books_at(at)

    async def _books_at(self, height: int) -> Books:
        async def put(reader: ChainReader) -> Books:
            return tuple(await reader.snapshots(height))

        found = await self._endpoints.ask("books", put, self._settle_books)
        self._told = found[0].height
        return found

    async def wakeups(self) -> AsyncIterator[None]:
        """A tick whenever the best endpoint ticks; another one is listened to if it falls silent."""
        while True:
            member = self._best
            ticks: Any = member.port.wakeups()
            async with aclosing(ticks):
                while await _ticked(ticks):
                    yield
                    if self._endpoints.rests(member.place) and self._best is not member:
                        break
            # A reader that ends at once must not keep everything else from running.
            await asyncio.sleep(_PAUSE)
            yield

    async def close(self) -> None:
        """Release the connections of all endpoints."""
        await self._endpoints.close()
        for member in self._endpoints.members:
            await member.port.close()

    @property
    def _best(self) -> Endpoint[ChainReader]:
        return self._endpoints.ranked("final head")[0]

    def _tell(self, place: int, moment: Moment) -> None:
        self._heads.tell(place, moment)
        self._endpoints.behind(place, self._heads.behind(place))

    def _by_id(
        self, ids: Sequence[TransferId]
    ) -> Settle[Mapping[TransferId, T], Mapping[TransferId, T]]:
        async def settle(
            told: Mapping[int, Mapping[TransferId, T]],
        ) -> Agreed[Mapping[TransferId, T]] | None:
            return equal_by_id(told, ids, self._endpoints.needed)

        return settle

    async def _equal(self, told: Mapping[int, T]) -> Agreed[T] | None:
        return equal(told, self._endpoints.needed)

    async def _settle_books(self, told: Mapping[int, Books]) -> Agreed[Books] | None:
        """Books equal to the letter, else those that agree once the traffic is set off."""
        agreed = equal(told, self._endpoints.needed)
        if agreed is not None and agreed.value[0].height >= self._told:
            return agreed
        for place, books in told.items():
            self._keep(place, books)
        if len(told) < self._endpoints.needed:
            return None
        if any(books[0].height > self._heads.height for books in told.values()):
            with suppress(Transient):
                await self.final_head()  # by now the others may be there too
        return await self._meet(frozenset(told))

    def _keep(self, place: int, books: Books) -> None:
        kept = self._books.setdefault(place, [])
        if books not in kept:
            self._heads.tell(place, Moment(books[0].height, books[0].time))
            kept.append(books)
            del kept[:-_KEPT_BOOKS]

    async def _meet(self, asked: frozenset[int]) -> Agreed[Books] | None:
        """The newest books that agree, among those that are final by agreement."""
        final = self._heads.agreed
        if final is None:
            return None
        told = [
            (place, books)
            for place, kept in self._books.items()
            for books in kept
            if max(self._told, final.height - _APART) <= books[0].height <= final.height
        ]
        if len({place for place, _ in told}) < self._endpoints.needed:
            return None
        try:
            facts = await self._between(told)
        except Transient:
            return None  # not yet: the endpoints' histories do not reach each other
        agreed = equal_books(told, facts, self._endpoints.needed)
        return None if agreed is None else self._dated(agreed, asked, {place for place, _ in told})

    async def _between(self, told: Sequence[tuple[int, Books]]) -> Sequence[ChainFact]:
        heights = [books[0].height for _, books in told]
        if min(heights) == max(heights):
            return ()
        return await self.history(min(heights) + 1, max(heights))

    def _dated(
        self, agreed: Agreed[Books], asked: frozenset[int], compared: set[int]
    ) -> Agreed[Books] | None:
        """The books with a time that enough endpoints had reached."""
        time = self._heads.time_by(agreed.value[0].height)
        if time is None:
            return None
        value = [replace(one, time=time) for one in agreed.value]
        return Agreed(value=value, voters=agreed.voters, apart=asked - compared)


async def _head(reader: ChainReader) -> Moment:
    head = await reader.final_head()
    return Moment(head.height, head.time)


async def _ticked(ticks: AsyncIterator[None]) -> bool:
    """Whether a tick came in time."""
    try:
        async with asyncio.timeout(_SILENCE):
            await anext(ticks)
    except (TimeoutError, StopAsyncIteration, Transient):
        return False
    return True
