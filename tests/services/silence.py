"""An observer for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from relayer.domain.draft import Attestation
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer


class Silence:
    """Every observer port, listening to nothing but what tests count."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.refusals: list[str] = []
        self.declines: list[str] = []
        self.forged: list[Attestation] = []
        self.halts: list[object] = []
        self.waits: list[Reason | None] = []

    def refused(self, record: object, why: str) -> None:
        """Count a refused record."""
        del record
        self.refusals.append(why)

    def declined(self, request: object, error: Exception) -> None:
        """Count a declined request."""
        del request
        self.declines.append(str(error))

    def forged_attestation(self, attestation: Attestation) -> None:
        """Count a forged signature."""
        self.forged.append(attestation)

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
