"""Which transactions touch the watched accounts: the paged history of an endpoint.

The node tells signatures newest first, from its tip, and says nothing when it has forgotten the
older ones. A walk therefore goes back until it is below the first slot asked for, on an endpoint
that still holds that slot. What was walked over is kept, since final slots do not change: the
next walk stops where the last one began.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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


@dataclass(slots=True)
class _Walk:
    """Back from ``final`` to ``first``; ``limit`` is what the last page asked for may hold."""

    address: str
    first: int
    final: int
    limit: int


class SignatureIndex:
    """The successful transactions of some addresses, by slot."""

    def __init__(self, rpc: SolanaRpc, addresses: Sequence[bytes], *, page: int, kept: int) -> None:
        """Watch ``addresses``; ask for up to ``page`` signatures at once, remember ``kept``."""
        self._rpc = rpc
        self._width = Width(page)
        self._kept = kept
        self._known = {key_text(address): _Known() for address in addresses}
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
            walks = [_Walk(address, first, final, self._width.now) for address in some]
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

    def _call(self, walk: _Walk, before: str | None) -> Call:
        address, first = walk.address, walk.first
        options: dict[str, Any] = {
            "commitment": "finalized",
            "limit": walk.limit,
            "minContextSlot": walk.final,
        }
        known = self._known[address]
        if known.newest is not None and known.low <= first <= known.high + 1:
            options["until"] = known.newest
        if before is not None:
            options["before"] = before
        return Call("getSignaturesForAddress", (address, options))

    async def _extend(self, walk: _Walk, page: Any) -> None:
        """Walk back from a first page until below ``first`` or what is known, then remember."""
        address, first, final = walk.address, walk.first, walk.final
        known, told = self._known[address], []
        joined = known.low <= first <= known.high + 1
        floor = known.high + 1 if joined else first
        while True:
            if isinstance(page, NodeError):
                if page.code != _CURSOR_UNKNOWN or known.newest is None:
                    raise _behind(page)
                self._known[address] = _Known()
                await self._extend(walk, await self._next(walk, None))
                return
            if not isinstance(page, list):
                raise TypeError(page)
            told.extend(page)
            if len(page) < walk.limit or page[-1]["slot"] < floor:
                break
            page = await self._next(walk, page[-1]["signature"])
        self._remember(address, told, floor, final, joined=joined)

    def _remember(
        self, address: str, told: list[Mapping[str, Any]], floor: int, final: int, *, joined: bool
    ) -> None:
        told = [entry for entry in reversed(told) if entry["slot"] <= final]
        _refuse_disorder(told)
        within = [entry for entry in told if entry["slot"] >= floor]
        places = [_place(entry) for entry in within if entry["err"] is None]
        known = self._known[address]
        newest = told[-1]["signature"] if told else (known.newest if joined else None)
        if joined:
            known.places.extend(places)
            known.high, known.newest = max(known.high, final), newest
        else:
            self._known[address] = _Known(low=floor, high=final, newest=newest, places=places)

    def _forget(self) -> None:
        for known in self._known.values():
            surplus = len(known.places) - self._kept
            if surplus > 0:
                known.low = known.places[surplus - 1].slot + 1
                known.places = known.places[surplus:]
                known.places = list(_within(known, known.low, known.high))


def _place(entry: Mapping[str, Any]) -> Place:
    if not is_signature(entry["signature"]):
        raise ValueError(entry)
    return Place(entry["slot"], int(entry.get("transactionIndex") or 0), entry["signature"])


def _within(known: _Known, first: int, last: int) -> Sequence[Place]:
    low = bisect_left(known.places, Place(first, -1, ""))
    high = bisect_left(known.places, Place(last + 1, -1, ""))
    return known.places[low:high]


def _refuse_pruned(oldest: Any, first: int) -> None:
    if isinstance(oldest, NodeError):
        raise oldest
    if oldest > first:
        raise HistoryPruned(f"the endpoint holds blocks from {oldest} on, {first} is asked")


def _refuse_disorder(entries: list[Mapping[str, Any]]) -> None:
    slots = [entry["slot"] for entry in entries]
    if slots != sorted(slots):
        raise Unavailable("getSignaturesForAddress: the signatures are not in order")


def _behind(error: NodeError) -> Unavailable:
    if error.code == _BEHIND:
        return Unavailable(f"the endpoint is behind what was final before: {error}")
    return error
