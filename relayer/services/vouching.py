"""Which records come from our own services: a MAC in the record's key, worth a place in the queue.

Nobody believes a record for it. What it says is read again on the chains all the same; but each such
look costs a call, and a thief who can only write to the bus could ask for hundreds of thousands.
So what a service of ours vouches for goes first, and what nobody vouches for gets few places.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from relayer.domain.keep import Keeper
from relayer.domain.records import TRANSFERS_TOPIC
from relayer.ports.bus import Out, Record

_BYTES: Final = 16
_PUBLIC: Final = frozenset({TRANSFERS_TOPIC})
"""Topics whose keys are for others too."""


class Voucher:
    """Marks records of our services, and knows them again."""

    def __init__(self, keeper: Keeper) -> None:
        """Mark with the secret of ``keeper``, which all services of a deployment share."""
        self._secret = keeper.at("voucher").secret

    def vouch(self, outs: Iterable[Out]) -> list[Out]:
        """The same records, each with a key that says whose it is."""
        return [out if out.topic in _PUBLIC or not out.value else self._marked(out) for out in outs]

    def knows(self, record: Record) -> bool:
        """Whether a service of ours wrote these very bytes to this topic (once, at least)."""
        _, dot, mark = record.key.rpartition(".")
        if not dot or not record.value:
            return False
        return hmac.compare_digest(mark.encode(), self._mark(record.topic, record.value).encode())

    def _marked(self, out: Out) -> Out:
        return replace(out, key=f"{out.key}.{self._mark(out.topic, out.value or b'')}")

    def _mark(self, topic: str, value: bytes) -> str:
        text = topic.encode() + b"\0" + value
        return hmac.new(self._secret, text, hashlib.sha256).digest()[:_BYTES].hex()
