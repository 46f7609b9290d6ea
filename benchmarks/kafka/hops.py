"""Where the time between a final deposit and its delivery's broadcast goes, by the notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from benchmarks.measures import share

QUORUM: Final = 2
"""Signatures that the local world needs."""

HOPS: Final = (
    "listener commits the deposit",
    "lane has it",
    "lane reads, judges, drafts",
    "lane commits the request",
    "attesters have it",
    "attesters read and sign",
    "lane has the quorum",
    "lane seals",
    "lane commits the submission",
)
"""Each from the end of the one before; the last one ends with the broadcast."""

Notes = Sequence[Mapping[str, Any]]


def hops(notes: Notes, since: float) -> dict[str, list[float]]:
    """Seconds of each hop, for every transfer whose deposit was heard of since then."""
    by_id: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for note in notes:
        if "what" in note:
            by_id[note["key"][:64]].append(note)
    found: dict[str, list[float]] = {hop: [] for hop in HOPS}
    for one in by_id.values():
        marks = _marks(sorted(one, key=lambda note: note["since"]))
        if marks is None or marks[0] < since:
            continue
        for hop, (begin, end) in zip(HOPS, pairwise(marks), strict=True):
            found[hop].append(end - begin)
    return found


def _marks(notes: Notes) -> list[float] | None:
    """The moments between the hops of one transfer; None unless it was delivered at once."""
    heard = _of(notes, "committed bridge.inbox")
    took = [note["since"] for note in _of(notes, "took bridge.inbox")]
    asked = _of(notes, "committed bridge.signing.requests")
    followed = sorted(note["since"] for note in _of(notes, "followed bridge.signing.requests"))
    signed = sorted(note["since"] for note in _of(notes, "published bridge.inbox"))
    sent = [note for note in notes if note["what"] == "committed bridge.transfers submitted"]
    if not heard or len(asked) != 1 or len(sent) != 1 or len(signed) < QUORUM:
        return None
    if len(took) <= QUORUM or len(followed) < QUORUM:
        return None
    return [
        heard[0]["since"],
        heard[0]["until"],
        took[0],
        asked[0]["since"],
        asked[0]["until"],
        followed[QUORUM - 1],
        signed[QUORUM - 1],
        took[QUORUM],
        sent[0]["since"],
        sent[0]["until"],
    ]


def _of(notes: Notes, what: str) -> list[Mapping[str, Any]]:
    return [note for note in notes if note["what"].startswith(what)]


def totals(found: Mapping[str, Sequence[float]]) -> list[float]:
    """Seconds of all hops together, sorted."""
    return sorted(map(sum, zip(*found.values(), strict=True)))


def medians(found: Mapping[str, Iterable[float]]) -> dict[str, float]:
    """Median seconds of each hop."""
    return {hop: share(sorted(seconds), 0.5) for hop, seconds in found.items()}


def kind_of(topic: str) -> str:
    """A topic's name without the chain."""
    return ".".join(part for part in topic.split(".")[1:] if "-" not in part)
