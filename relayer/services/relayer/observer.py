"""What a lane tells whoever measures and logs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from relayer.domain.address import ChainId
from relayer.domain.command import Command
from relayer.domain.distrust import Distrust
from relayer.domain.draft import Landing, Submission
from relayer.domain.errors import RecordRefused
from relayer.domain.facts import (
    Fact,
)
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Record


class LaneObserver(Protocol):
    """Told after the fact; it decides nothing and must not fail."""

    def restored(self, chain: ChainId, lane: int, transfers: int, forged: int) -> None:
        """A lane took over with so many open Transfers; ``forged`` state values were ignored."""

    def refused(self, record: Record, error: RecordRefused) -> None:
        """An inbox record was set aside."""

    def commanded(self, command: Command) -> None:
        """An operator's command was taken."""

    def compared(self, chain: ChainId, doubts: Sequence[tuple[TransferId, Distrust]]) -> None:
        """What a lane of this chain had been told was compared with a chain, which differs."""

    def told(self, stages: Sequence[tuple[Transfer, Stage]]) -> None:
        """Transfers entered stages, and the commit that says so succeeded."""

    def facts(self, facts: Sequence[Fact]) -> None:
        """Work of the lane ended in these facts."""

    def submitted(self, submission: Submission) -> None:
        """A submission is persisted and is broadcast now."""

    def landed(self, submission: Submission, landing: Landing) -> None:
        """The outcome of a submission is final."""

    def swept(self, source: str, found: int, opened: int) -> None:
        """A Sweep compared ``found`` deposits of a source with receipts; ``opened`` were open."""

    def paid_from(self, chain: ChainId, lane: int, coins: float) -> None:
        """The key that pays a lane's fees holds so many whole coins."""
