"""The newest of every partition, kept in memory: where it ends, and the last records it took.

One process writes the file, so what it has committed is all there is. Whoever keeps up with a
topic, as lanes, attesters and the tracker do, is answered from here without a statement.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relayer.ports.bus import Record

RECORDS: Final = 256
"""Records kept of one partition at most."""

BYTES: Final = 256_000
"""Bytes of values kept of one partition at most."""

Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(slots=True)
class _Tail:
    records: deque[Record] = field(default_factory=deque)
    size: int = 0

    def add(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.value or b"")
        while len(self.records) > RECORDS or self.size > BYTES:
            self.drop()

    def drop(self) -> None:
        self.size -= len(self.records.popleft().value or b"")


class Newest:
    """Ends and last records; what an open transaction adds shows only once it is settled."""

    def __init__(self, heads: Iterable[tuple[str, int, int, float]]) -> None:
        """Begin with the next offset and the last time (seconds) of each topic's partitions."""
        self._heads: dict[str, dict[int, tuple[int, float]]] = {}
        for topic, number, following, time in heads:
            self._heads.setdefault(topic, {})[number] = following, time
        self._tails: dict[Place, _Tail] = {}
        self._moved: dict[Place, tuple[int, float]] = {}
        self._fresh: list[Record] = []

    def claim(self, topic: str, number: int, now: float) -> tuple[int, float]:
        """Take the next offset in the open transaction, and a time that is not before the last."""
        place = topic, number
        known = self._moved.get(place) or self._heads.get(topic, {}).get(number, (0, now))
        offset, time = known[0], max(known[1], now)
        self._moved[place] = offset + 1, time
        return offset, time

    def add(self, record: Record) -> None:
        """Keep a record of the open transaction."""
        self._fresh.append(record)

    @property
    def moved(self) -> list[tuple[str, int, int, float]]:
        """The heads that the open transaction has moved."""
        return [(*place, *head) for place, head in self._moved.items()]

    def settle(self) -> None:
        """The transaction is durable."""
        for (topic, number), head in self._moved.items():
            self._heads.setdefault(topic, {})[number] = head
        for record in self._fresh:
            self._tails.setdefault((record.topic, record.partition), _Tail()).add(record)
        self.undo()

    def undo(self) -> None:
        """The transaction has not happened."""
        self._moved.clear()
        self._fresh.clear()

    def expire(self, topic: str, number: int, before: int) -> None:
        """Forget the records before an offset."""
        tail = self._tails.get((topic, number))
        while tail and tail.records and tail.records[0].offset < before:
            tail.drop()

    def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition that ever had a record."""
        return {number: head[0] for number, head in self._heads.get(topic, {}).items()}

    def records(self, topic: str, number: int, offset: int, limit: int) -> list[Record] | None:
        """Up to ``limit`` records from ``offset`` on; None if they have to be read from the file."""
        if offset >= self._heads.get(topic, {}).get(number, (0, 0.0))[0]:
            return []
        tail = self._tails.get((topic, number))
        if tail is None or not tail.records or offset < tail.records[0].offset:
            return None
        first = offset - tail.records[0].offset  # there is no gap between kept records
        return list(islice(tail.records, first, first + limit))
