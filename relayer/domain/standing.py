"""What still counts of ``control``: the texts of the halts that stand, and what speaks against trimming.

Whoever begins to read behind those texts must come to the same halts as whoever has read everything. For
halts that are named one by one that is so: a name is of the text, and a resume lifts a halt by its name
wherever the two stand. The crowd, which stands for more halts of a scope than are kept, has the name of
a place in the topic: while one stands, nothing can be left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import Gate, GatePolicy, Resume
from relayer.domain.halt import HALTS_KEPT, Halt, digest_of

STRANGE_KEPT: Final = 64
"""Halts of what is not served that are kept; some settings may serve it, or will."""


class Standing:
    """The halts that stand after the records that were folded, with their texts."""

    def __init__(self, policy: GatePolicy, *, forget_strange: bool = False) -> None:
        """Judge by ``policy``; leave halts of what it does not serve out if ``forget_strange``."""
        self._served = Gate(policy=policy)
        self._strange = Gate(policy=replace(policy, assets=None, chains=None))
        self._forget_strange = forget_strange
        self._beyond = 0
        self._texts: dict[bytes, bytes] = {}

    @property
    def halts(self) -> dict[bytes, Halt]:
        """Those that stand, by digest."""
        return {**self._served.halts, **self._strange.halts}

    @property
    def texts(self) -> list[bytes]:
        """As they were raised, byte for byte, in their order; meaningless while there are objections."""
        return [text for digest, text in self._texts.items() if digest in self.halts]

    def fold(self, data: bytes, now: float, offset: int) -> None:
        """Take the next record, appended at ``now`` (seconds) and ``offset``."""
        taken = _judged(self._served, data, now, offset)
        if taken is Distrust.NOT_SERVED:
            taken = self._judged_strange(data, now, offset)
        elif not isinstance(taken, Halt):
            _judged(self._strange, data, now, offset)  # a resume may be of either, or of both
        if isinstance(taken, Halt):
            self._texts[digest_of(data)] = data
        elif isinstance(taken, Resume):
            self._forget_lifted()

    def objections(self) -> list[str]:
        """Why the records cannot be left out, in words; empty when they can."""
        words = [
            f"{len(names)} halts of {scope.kind} {scope.name} stand, too many to name: "
            "lift what relayer resume lists"
            for scope, names in self._served.by_scope().items()
            if len(names) >= HALTS_KEPT
        ]
        if self._beyond:
            words.append(
                f"more than {STRANGE_KEPT} halts are of what these settings do not serve, "
                f"{self._beyond} of them would be lost: relayer topics --trim --forget-strange "
                "leaves all of those out"
            )
        return words

    def _judged_strange(self, data: bytes, now: float, offset: int) -> Halt | Resume | Distrust:
        if self._forget_strange:
            return Distrust.NOT_SERVED
        if len(self._strange.halts) >= STRANGE_KEPT:
            self._beyond += 1
            return Distrust.NOT_SERVED
        return _judged(self._strange, data, now, offset)

    def _forget_lifted(self) -> None:
        halts = self.halts
        self._texts = {digest: text for digest, text in self._texts.items() if digest in halts}


def _judged(gate: Gate, data: bytes, now: float, offset: int) -> Halt | Resume | Distrust:
    """What a gate takes a record for, or why it refuses it."""
    try:
        return gate.fold_control(data, now, offset)
    except RecordRefused as error:
        return error.why
