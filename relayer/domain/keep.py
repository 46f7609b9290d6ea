"""Kept state: each value carries a MAC of its role over its key and its text.

State is only a hint, and whoever may write to the bus may write state. A value without a valid MAC
is ignored and counted; an authentic one that does not decode is StateRefused, loudly. Each place
(one lane of one chain, one chain's listener) has a secret of its own: a genuine value of another
place, a Sweep's mark or a nonce, would be as good as a forged one.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, TypeVar

from relayer.domain.errors import RecordRefused, StateRefused
from relayer.domain.wire import Codec

T = TypeVar("T")
_MAC_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Keeper:
    """Seals and opens the state values of one role with its secret."""

    secret: bytes

    def at(self, place: str) -> Keeper:
        """The keeper of one place of this role, whose values open nowhere else."""
        return Keeper(hmac.new(self.secret, b"place " + place.encode(), hashlib.sha256).digest())

    def seal(self, key: str, text: bytes) -> bytes:
        """The value to keep under a key."""
        return self._mac(key, text) + text

    def opened(self, key: str, value: bytes) -> bytes | None:
        """The text kept under a key; None if its MAC is not this role's."""
        mac, text = value[:_MAC_BYTES], value[_MAC_BYTES:]
        return text if hmac.compare_digest(mac, self._mac(key, text)) else None

    def decode(self, key: str, text: bytes, codec: Codec[T]) -> T:
        """An opened text as a record; StateRefused if this version cannot read it."""
        try:
            return codec.decode(text)
        except RecordRefused as error:
            msg = f"state under {key!r} is authentic but unreadable ({error}): run the version \
that wrote it, or remove the state topic and let the Sweep rebuild it from the chains"
            raise StateRefused(msg) from error

    def _mac(self, key: str, text: bytes) -> bytes:
        return hmac.new(self.secret, key.encode() + b"\0" + text, hashlib.sha256).digest()
