"""Which attesters answered lately: a draft that names its signers avoids those that did not.

Only an order of preference follows from it. A chain whose drafts any quorum can sign does not look
at the order; where a draft names its signers (Solana), one silent attester would otherwise cost
every Transfer the wait for a quorum that cannot come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from relayer.domain.stage import Transfer
from relayer.domain.wire import Terms

SILENCE: Final = 60.0
"""Seconds after which an attester that did not answer is named first again, to see if it does."""


class Attendance:
    """Who of a chain's attesters left a draft unsigned, and when."""

    def __init__(self, wanted_from: Callable[[bytes, Terms], bool], quorum: int) -> None:
        """Remember nobody; ``wanted_from`` and ``quorum`` are those of the chain's drafter."""
        self._wanted_from = wanted_from
        self._quorum = quorum
        self._silent: dict[bytes, float] = {}

    def learn(self, transfer: Transfer, attesters: Sequence[bytes], now: float) -> None:
        """Read off a Transfer that needs another draft who signed the last one and who did not."""
        draft, signed = transfer.draft, {one.attester for one in transfer.attestations}
        for attester in signed:
            self._silent.pop(attester, None)
        if draft is None or len(signed) >= self._quorum:
            return
        for attester in attesters:
            if attester not in signed and self._wanted_from(attester, draft.terms):
                self._silent[attester] = now

    def order(self, attesters: Sequence[bytes], attempt: int, now: float) -> Sequence[bytes]:
        """The attesters, those that answered first, and another one first at each attempt."""
        turn = attempt % len(attesters) if attesters else 0
        turned = [*attesters[turn:], *attesters[:turn]]
        return sorted(turned, key=lambda attester: now < self._silent_until(attester))

    def _silent_until(self, attester: bytes) -> float:
        return self._silent[attester] + SILENCE if attester in self._silent else 0.0
