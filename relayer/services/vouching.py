"""Which records come from our own services: a MAC in the record's key, worth a place in the queue.

Nobody believes a record for it. What it says is read again on the chains all the same; but each such
look costs a call, and a thief who can only write to the bus could ask for hundreds of thousands.
So what a service of ours vouches for goes first, and what nobody vouches for gets few places.

A mark counts at one place of a topic, and for as long as a record takes to get there: whoever reads
the bus could otherwise have all that was ever vouched for looked at again, as often as he likes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from relayer.domain.keep import Keeper
from relayer.domain.records import TRANSFERS_TOPIC
from relayer.ports.bus import Out, Record
from relayer.ports.clock import Clock

LIFE: Final = 120.0
"""Seconds between the clock of who marks a record and the bus's own when it is appended."""

_BYTES: Final = 16
_STAMP: Final = re.compile("[0-9]{1,12}")
_Place = tuple[int, int]
_PUBLIC: Final = frozenset({TRANSFERS_TOPIC})
"""Topics whose keys are for others too."""


class Voucher:
    """Marks records of our services, and knows them again."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        """Mark with the secret of ``keeper``, which all services of a deployment share."""
        self._secret = keeper.at("voucher").secret
        self._clock = clock
        self._places: OrderedDict[str, tuple[int, _Place]] = OrderedDict()

    def vouch(self, outs: Iterable[Out]) -> list[Out]:
        """The same records, each with a key that says whose it is, and since when."""
        return [out if out.topic in _PUBLIC or not out.value else self._marked(out) for out in outs]

    def knows(self, record: Record) -> bool:
        """Whether a service of ours wrote these very bytes to this place of this topic, just now.

        A second copy is a stranger's, for a few minutes by memory and then by its age.
        """
        _, _, told = record.key.rpartition(".")
        when, _, mark = told.partition("-")
        if not record.value or _STAMP.fullmatch(when) is None:
            return False
        own = self._mark(record.topic, when, record.value)
        if not hmac.compare_digest(mark.encode(), own.encode()):
            return False
        late = abs(record.time - int(when)) > LIFE
        return not late and self._is_first(mark, int(when), (record.partition, record.offset))

    def _is_first(self, mark: str, when: int, place: _Place) -> bool:
        """Whether a mark stands where it was first seen; those that are too old anyway go."""
        while self._places and next(iter(self._places.values()))[0] < when - 2 * LIFE:
            self._places.popitem(last=False)
        _, first = self._places.setdefault(mark, (when, place))
        return first == place

    def _marked(self, out: Out) -> Out:
        when = str(int(self._clock.now()))
        mark = self._mark(out.topic, when, out.value or b"")
        return replace(out, key=f"{out.key}.{when}-{mark}")

    def _mark(self, topic: str, when: str, value: bytes) -> str:
        text = topic.encode() + b"\0" + when.encode() + b"\0" + value
        return hmac.new(self._secret, text, hashlib.sha256).digest()[:_BYTES].hex()
