"""The embedded bus against the model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.bus.harness import World
from tests.bus.modelling import Model
from tests.bus.worlds import SqliteWorld


class TemporaryWorld(SqliteWorld):
    """A world that removes its directory when it is cleared."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        super().__init__(Path(self._directory.name) / "bus.db")

    async def clear(self) -> None:
        await super().clear()
        self._directory.cleanup()


class SqliteModel(Model):
    """The model over a new file each time."""

    @staticmethod
    def make() -> World:
        """Make a world in a directory that goes when the machine goes."""
        return TemporaryWorld()


def test_every_history_agrees_with_the_model() -> None:
    """Publish, take, commit, take over, kill and restart in any order: nothing lost or repeated."""
    # A step opens files and waits for a disk: one history here costs what five cost elsewhere.
    usual = settings.default or settings()
    fewer = settings(max_examples=usual.max_examples // 5, stateful_step_count=30)
    run_state_machine_as_test(SqliteModel, settings=fewer)
