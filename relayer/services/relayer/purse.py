"""Whether a lane's payer can pay. While it can not, one Transfer at a time tries, and the others wait.

So an empty payer costs one failing call every few seconds, whatever waits; and it needs no word
from an operator: the first try that is paid for opens the lane again.
"""

from __future__ import annotations

from collections.abc import Iterable

from relayer.domain.facts import Fact, Held, Stuck
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Deposit


class Purse:
    """What a lane knows of its payer's coins."""

    def __init__(self, retry: float) -> None:
        """Nothing is known to be short; while it is, try every ``retry`` seconds."""
        self._retry = retry
        self._missing: str | None = None
        self._try_at = 0.0

    def learn(self, facts: Iterable[Fact], now: float) -> None:
        """Take what sealing or sending ended in, at ``now`` (seconds)."""
        for fact in facts:
            if isinstance(fact, Held | Stuck) and fact.reason is Reason.PAYER_EMPTY:
                self._missing, self._try_at = fact.detail, now + self._retry

    def paid(self) -> None:
        """A transaction was sealed: there are coins again."""
        self._missing = None

    def hold(self, deposit: Deposit, now: float) -> Held | None:
        """Why a deposit must wait for coins; None if it may go on, or may try for all others."""
        if self._missing is None:
            return None
        if now >= self._try_at:
            self._try_at = now + self._retry
            return None
        return Held(
            id=deposit.id,
            reason=Reason.PAYER_EMPTY,
            until=now + self._retry,
            at=now,
            detail=self._missing,
        )
