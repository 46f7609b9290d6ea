"""How the endpoints of a chain fare: what is measured of them, and who is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from relayer.domain.address import ChainId
from relayer.domain.backoff import wait_before
from relayer.domain.errors import HistoryPruned, Transient, WrongChain

SHUN_SECONDS: Final = 600.0
"""How long who answered a question in vain is asked it after the others, however quick it is."""

FRESH_SECONDS: Final = 60.0
"""How long a measured latency counts; after that the endpoint is tried anew."""


class Fault(StrEnum):
    """Why an endpoint gave no answer that counts, or announces nothing; a label of metrics."""

    UNAVAILABLE = "unavailable"
    PRUNED = "pruned"
    WRONG_CHAIN = "wrong_chain"
    UNREADABLE = "unreadable"
    STREAM = "stream"
    """Its announcements can not be had, or ended: it is polled meanwhile."""


class EndpointObserver(Protocol):
    """What is told of endpoints, which are named by their place in the settings."""

    def endpoint_answered(self, chain: ChainId, endpoint: int, seconds: float) -> None:
        """An endpoint answered a question after so many seconds."""

    def endpoint_failed(self, chain: ChainId, endpoint: int, fault: Fault, words: str) -> None:
        """An endpoint gave no answer that counts."""

    def endpoint_dissented(self, chain: ChainId, endpoint: int, question: str) -> None:
        """Enough others agreed on another answer."""

    def endpoint_behind(self, chain: ChainId, endpoint: int, heights: int) -> None:
        """So many heights an endpoint's final head is below the agreed one."""


class Unwatched:
    """An EndpointObserver that listens to nothing."""

    def endpoint_answered(self, chain: ChainId, endpoint: int, seconds: float) -> None:
        """Pass over it."""

    def endpoint_failed(self, chain: ChainId, endpoint: int, fault: Fault, words: str) -> None:
        """Pass over it."""

    def endpoint_dissented(self, chain: ChainId, endpoint: int, question: str) -> None:
        """Pass over it."""

    def endpoint_behind(self, chain: ChainId, endpoint: int, heights: int) -> None:
        """Pass over it."""


@dataclass(slots=True)
class Health:
    """How one endpoint fares; moments are of the monotonic clock, latencies seconds."""

    latencies: dict[str, tuple[float, float]] = field(default_factory=dict)
    shunned: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    dissents: int = 0
    rest_until: float = 0.0
    proven_until: float = 0.0
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)

    def latency(self, question: str) -> float:
        """Seconds an answer takes; 0 if nothing fresh is known, so that it is found out."""
        seconds, at = self.latencies.get(question, (0.0, 0.0))
        return seconds if now() - at < FRESH_SECONDS else 0.0

    def took(self, question: str, seconds: float) -> None:
        """Fold a measured latency in."""
        known = self.latency(question)
        self.latencies[question] = (0.7 * known + 0.3 * seconds if known else seconds, now())

    def at_least(self, question: str, seconds: float) -> None:
        """It was given up after so many seconds: it takes no less."""
        if seconds > self.latency(question):
            self.latencies[question] = (seconds, now())

    def in_vain(self, question: str) -> float:
        """When an answer to a question last proved to be in vain; 0 if not for long."""
        at = self.shunned.get(question, 0.0)
        return at if now() - at < SHUN_SECONDS else 0.0

    def rest(self, before: int) -> None:
        """Rest, longer the more often it was needed before."""
        self.rest_until = now() + wait_before(before)


def now() -> float:
    """Seconds of the event loop's own clock."""
    return asyncio.get_running_loop().time()


def fault_of(error: Exception) -> Fault:
    """The kind of a failure."""
    match error:
        case WrongChain():
            return Fault.WRONG_CHAIN
        case HistoryPruned():
            return Fault.PRUNED
        case Transient():
            return Fault.UNAVAILABLE
        case _:
            return Fault.UNREADABLE
