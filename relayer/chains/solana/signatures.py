"""Which transactions touch the watched accounts: the paged history of an endpoint.

The node tells signatures newest first, from its tip, and says nothing when it has forgotten the
older ones. A walk therefore goes back until it is below the first slot asked for, on an endpoint
that still holds that slot. What was walked over is kept, since final slots do not change: the
next walk stops where the last one began. If one fails, the next comes down from the new tip to where
the failed one began, and goes on where that one stopped.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from relayer.chains.solana.accounts import key_text
from relayer.chains.solana.rpc import (
    Call,
    NodeError,
    SolanaRpc,
    TooMuch,
    is_too_much,
    understood,
)
from relayer.chains.solana.transaction import is_signature
from relayer.chains.width import Width
from relayer.domain.errors import HistoryPruned, Unavailable

_CURSOR_UNKNOWN: Final = -32020
_BEHIND: Final = -32016
_EDGE: Final = 10_000
"""Slots between what is asked and what is purged below which purging may overtake a walk."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a transaction stands: slot, position in its block, signature."""

    slot: int
    position: int
    signature: str


@dataclass(slots=True)
class _Known:
    """What is known of one address: successful transactions in [low, high], oldest first."""

    low: int = 0
    high: int = -1
    newest: str | None = None
    places: list[Place] = field(default_factory=list)


class _Entry(NamedTuple):
    """A transaction as a page lists it, and whether it succeeded."""

    place: Place
    good: bool


class _Forgotten(Exception):
    """The node does not know a signature at which it was asked to stop."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Back from ``final`` to ``first``; ``limit`` is what the last page asked for may hold.

    It ends at the signature ``until``, or below the slot ``floor``; one that is ``joined`` ends at
    what is known already. ``told`` is what it walked over, newest first.
    """

    address: str
    first: int
    final: int
    floor: int
    joined: bool
    until: str | None
    limit: int
    told: list[_Entry] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether it has come below its floor."""
        return bool(self.told) and self.told[-1].place.slot < self.floor


class SignatureIndex:
    """The successful transactions of some addresses, by slot."""

    def __init__(self, rpc: SolanaRpc, addresses: Sequence[bytes], *, page: int, kept: int) -> None:
        """Watch ``addresses``; ask for up to ``page`` signatures at once, remember ``kept``."""
        self._rpc = rpc
        self._width = Width(page)
        self._kept = kept
        self._known = {key_text(address): _Known() for address in addresses}
        self._failed: dict[str, list[_Entry]] = {}
        self._walking = asyncio.Lock()

    async def between(self, first: int, last: int, final: int) -> list[Place]:
        """The transactions in [first, last], in chain order; ``final`` is the final slot.

        HistoryPruned if the endpoint no longer holds ``first``; Unavailable if it lags ``final``.
        """
        async with self._walking:
            unknown = [
                address
                for address, known in self._known.items()
                if not known.low <= first <= last <= known.high
            ]
            if unknown:
                await self._walk(unknown, first, final)
            found = {
                place for known in self._known.values() for place in _within(known, first, last)
            }
            self._forget()
        return sorted(found)

    async def _walk(self, addresses: list[str], first: int, final: int) -> None:
        """Walk over as many addresses together as the node takes in one request."""
        done = 0
        while done < len(addresses):
            some = addresses[done : done + max(1, self._rpc.width.now - 1)]
            walks = [self._begin(address, first, final) for address in some]
            try:
                taken = await self._walk_together(walks)
            except TooMuch:
                if len(some) == 1:
                    raise  # the page and what is purged must be one backend's words
                self._rpc.width.refused(len(some) + 1)
            else:
                done += len(some) if taken else 0

    async def _walk_together(self, walks: Sequence[_Walk]) -> bool:
        """False if the pages have to be asked for again, smaller."""
        first = walks[0].first
        calls = [self._call(walk, None) for walk in walks]
        *pages, oldest = await self._asked([*calls, Call("getFirstAvailableBlock")])
        if any(self._narrower(page, walks[0].limit) for page in pages):
            return False
        _refuse_pruned(oldest, first)
        with understood("getSignaturesForAddress"):
            for walk, page in zip(walks, pages, strict=True):
                await self._extend(walk, page)
        if oldest and oldest + _EDGE > first:
            _refuse_pruned(await self._rpc.call("getFirstAvailableBlock"), first)
        return True

    async def _asked(self, calls: Sequence[Call]) -> list[Any]:
        try:
            answers = await self._rpc.try_batch(calls)
        except TooMuch:
            raise
        except Unavailable:  # slow, rationed or cut: not again at once, and then less
            self._width.refused(self._width.now)
            raise
        return answers

    def _narrower(self, page: Any, limit: int) -> bool:
        """Whether a page is worth asking for again, smaller."""
        if not isinstance(page, NodeError):
            self._width.took(len(page) if isinstance(page, list) else 0)
            return False
        return is_too_much(page) and self._width.refused(limit)

    async def _next(self, walk: _Walk, before: str | None) -> Any:
        """The page behind a signature (None: the first one); ``walk.limit`` is what it may hold.

        What is purged is asked with every page: the next one may come from another backend.
        """
        while True:
            walk.limit = self._width.now
            page, oldest = await self._asked(
                [self._call(walk, before), Call("getFirstAvailableBlock")]
            )
            if not self._narrower(page, walk.limit):
                _refuse_pruned(oldest, walk.first)
                return page

    def _begin(self, address: str, first: int, final: int) -> _Walk:
        known, failed = self._known[address], self._failed.get(address)
        joined = known.low <= first <= known.high + 1
        newest = known.newest if joined else None
        return _Walk(
            address=address,
            first=first,
            final=final,
            floor=known.high + 1 if joined else first,
            joined=joined,
            until=failed[0].place.signature if failed else newest,
            limit=self._width.now,
        )

    def _call(self, walk: _Walk, before: str | None) -> Call:
        options: dict[str, Any] = {
            "commitment": "finalized",
            "limit": walk.limit,
            "minContextSlot": walk.final,
        }
        if walk.until is not None:
            options["until"] = walk.until
        if before is not None:
            options["before"] = before
        return Call("getSignaturesForAddress", (walk.address, options))

    async def _extend(self, walk: _Walk, page: Any) -> None:
        """Walk back from a first page to the end of the walk, then remember all of it."""
        try:
            await self._descend(walk, page)
        except _Forgotten:  # what is known here tells this node nothing: all begins anew
            self._failed.pop(walk.address, None)
            self._known[walk.address] = _Known()
            walk = self._begin(walk.address, walk.first, walk.final)
            await self._descend(walk, await self._next(walk, None))
        self._remember(walk)

    async def _descend(self, walk: _Walk, page: Any) -> None:
        """Down to where a walk failed before, then on from where that one stopped."""
        failed = self._failed.pop(walk.address, [])
        try:
            await self._down(walk, page)
        except BaseException:  # cancelled too: another endpoint was quicker this time
            self._failed[walk.address] = failed or walk.told
            raise
        if not failed or walk.ended:
            return
        walk.told += failed
        walk.until = self._known[walk.address].newest if walk.joined else None
        try:
            if not walk.ended:
                await self._down(walk, await self._next(walk, walk.told[-1].place.signature))
        except BaseException:
            self._failed[walk.address] = walk.told
            raise

    async def _down(self, walk: _Walk, page: Any) -> None:
        """Take page after page, until one is short or goes below the floor."""
        while True:
            if isinstance(page, NodeError):
                raise _Forgotten if page.code == _CURSOR_UNKNOWN and walk.until else _behind(page)
            if not isinstance(page, list):
                raise TypeError(page)
            walk.told.extend([_entry(one) for one in page])
            if len(page) < walk.limit or walk.ended:
                return
            page = await self._next(walk, walk.told[-1].place.signature)

    def _remember(self, walk: _Walk) -> None:
        told = [entry for entry in reversed(walk.told) if entry.place.slot <= walk.final]
        _refuse_disorder([entry.place.slot for entry in told])
        places = [one.place for one in told if one.good and one.place.slot >= walk.floor]
        known = self._known[walk.address]
        newest = told[-1].place.signature if told else (known.newest if walk.joined else None)
        if walk.joined:
            known.places.extend(places)
            known.high, known.newest = max(known.high, walk.final), newest
        else:
            known = _Known(low=walk.floor, high=walk.final, newest=newest, places=places)
            self._known[walk.address] = known

    def _forget(self) -> None:
        for known in self._known.values():
            surplus = len(known.places) - self._kept
            if surplus > 0:
                known.low = known.places[surplus - 1].slot + 1
                known.places = known.places[surplus:]
                known.places = list(_within(known, known.low, known.high))


def _entry(listed: Mapping[str, Any]) -> _Entry:
    if not is_signature(listed["signature"]):
        raise ValueError(listed)
    position = int(listed.get("transactionIndex") or 0)
    place = Place(int(listed["slot"]), position, listed["signature"])
    return _Entry(place, listed["err"] is None)


def _within(known: _Known, first: int, last: int) -> Sequence[Place]:
    low = bisect_left(known.places, Place(first, -1, ""))
    high = bisect_left(known.places, Place(last + 1, -1, ""))
    return known.places[low:high]


def _refuse_pruned(oldest: Any, first: int) -> None:
    if isinstance(oldest, NodeError):
        raise oldest
    if oldest > first:
        raise HistoryPruned(f"the endpoint holds blocks from {oldest} on, {first} is asked")


def _refuse_disorder(slots: Sequence[int]) -> None:
    if list(slots) != sorted(slots):
        raise Unavailable("getSignaturesForAddress: the signatures are not in order")


def _behind(error: NodeError) -> Unavailable:
    if error.code == _BEHIND:
        return Unavailable(f"the endpoint is behind what was final before: {error}")
    return error
