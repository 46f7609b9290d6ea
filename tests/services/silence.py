"""An observer for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from relayer.domain.distrust import Decline, Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer


class Silence:
    """Every observer port, listening to nothing but what tests count."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.refusals: list[str] = []
        self.declines: list[str] = []
        self.forged: list[RecordRefused] = []
        self.halts: list[object] = []
        self.waits: list[Reason | None] = []

    def refused(self, record: object, error: RecordRefused) -> None:
        """Count a refused record."""
        del record
        if error.why is Distrust.FORGED_SIGNATURE:
            self.forged.append(error)
        elif error.why not in {Distrust.LATE, Distrust.REPEATED}:
            self.refusals.append(str(error))

    def declined(self, request: object, why: Decline, words: str) -> None:
        """Count a declined request."""
        del request, why
        self.declines.append(words)

    def halted(self, halt: object) -> None:
        """Count a halt."""
        self.halts.append(halt)

    def told(self, stages: Sequence[tuple[Transfer, Stage]]) -> None:
        """Keep why transfers wait."""
        self.waits += [transfer.reason for transfer, _ in stages]

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever else is told is passed over."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_args, **_named: None
