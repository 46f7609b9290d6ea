"""An endpoint in memory that fails as a drawn script says, and how its whole history is read.

Every request may be served by another backend: one that lags, one that has purged old blocks, one
that is rationed. The script ends, so that whoever tries again comes through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

from hypothesis import strategies as st

from relayer.domain.errors import Transient
from relayer.domain.transfer import ChainFact, Deposit
from relayer.ports.chain import ChainReader

MOST_TRIES = 400


class Fault(Enum):
    """What becomes of one request."""

    NONE = "none"
    TOO_MUCH = "413"
    RATIONED = "429"
    SLOW = "timeout"
    CUT = "cut"
    HTML = "html"
    BUSY = "an error in every other answer"
    LAGS = "a backend some blocks behind"
    PURGED = "a backend that holds the newest blocks only"


_BAD = [fault for fault in Fault if fault is not Fault.NONE]


def _script(seed: int, length: int, percent: int) -> list[Fault]:
    """Dense enough that every request of a walk is hit now and then, which drawn lists are not."""
    chance = Random(seed)
    return [
        chance.choice(_BAD) if chance.randrange(100) < percent else Fault.NONE
        for _ in range(length)
    ]


SCRIPTS = st.builds(
    _script, st.integers(0, 2**32), st.sampled_from([20, 60, 200]), st.sampled_from([3, 10, 30])
)


def heights_up_to(last: int) -> st.SearchStrategy[list[int]]:
    """Where facts stand: hardly anywhere, or almost everywhere, often two in one block."""
    height = st.integers(1, last)
    return st.lists(height, max_size=4) | st.lists(height, min_size=20, max_size=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A little chain of heights 1 to ``last`` with deposits at given heights.

    ``open`` gets these, the script of its endpoint's faults, and how narrow its plan is (1 to 6);
    ``listed`` names the deposits in chain order, and ``named`` one that was read.
    """

    name: str
    last: int
    open: Callable[[list[int], Script, int], ChainReader]
    listed: Callable[[list[int]], list[tuple[int, object]]]
    named: Callable[[Deposit], tuple[int, object]]


@dataclass(slots=True)
class Script:
    """The faults of the next requests; none when it has run out.

    With ``every`` it never does: each so-manieth request fails, by turns in each way.
    """

    faults: Sequence[Fault] = ()
    every: int = 0
    most_calls: int = 1_000
    """Calls in one request that the provider's plan allows, at all times."""
    asked: int = 0
    failed: int = 0
    calls: list[int] = field(default_factory=list)

    def next(self) -> Fault:
        """The fault of this request."""
        self.asked += 1
        if self.every and self.asked % self.every == 0:
            self.failed += 1
            return _BAD[self.failed % len(_BAD)]
        return self.faults[self.asked - 1] if self.asked <= len(self.faults) else Fault.NONE

    def answer(self, body: bytes, told: Callable[[Any, Fault, int], Any]) -> tuple[int, bytes]:
        """Status and body of a JSON-RPC request, single or batch; ``told`` knows each answer."""
        fault, asked = self.next(), json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        self.calls.append(len(calls))
        if fault is Fault.SLOW:
            raise TimeoutError
        if (fault is Fault.TOO_MUCH and len(calls) > 1) or len(calls) > self.most_calls:
            return self._too_many()
        if fault is Fault.RATIONED:
            return 429, b"Too Many Requests"
        if fault is Fault.HTML:
            return 200, b"<html>Just a moment...</html>"
        answers = [told(call, fault, place) for place, call in enumerate(calls)]
        text = json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        return 200, text[: len(text) // 2] if fault is Fault.CUT else text

    def _too_many(self) -> tuple[int, bytes]:
        """By turns in the words of HTTP and in those of JSON-RPC."""
        if self.asked % 2:
            return 413, b"Payload Too Large"
        error = {"code": -32600, "message": "batch size exceeds the limit of your plan"}
        return 200, json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()


def one_at_each_request(fault: Fault) -> Iterator[list[Fault]]:
    """Scripts of one failure, at the first request, at the second, and so on."""
    return ([Fault.NONE] * before + [fault] for before in range(16))


@st.composite
def cuts(draw: st.DrawFn, first: int, last: int) -> list[tuple[int, int]]:
    """[first, last] in consecutive ranges of any width."""
    ends = sorted({*draw(st.lists(st.integers(first, last), max_size=6)), last})
    starts = [first, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, ends, strict=True))


async def told_in(reader: ChainReader, ranges: Sequence[tuple[int, int]]) -> list[ChainFact]:
    """What a reader tells of ranges one after the other, each tried until it answers."""
    told: list[ChainFact] = []
    for first, last in ranges:
        told += await _insisted(reader, first, last)
    return told


async def _insisted(reader: ChainReader, first: int, last: int) -> Sequence[ChainFact]:
    for _ in range(MOST_TRIES):
        try:
            return await reader.history(first, last)
        except Transient:
            continue
    raise AssertionError(f"[{first}, {last}] was not read in {MOST_TRIES} tries")
