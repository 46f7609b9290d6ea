"""Binds ids in a journal: all that is asked in one turn of the event loop in one write to disk."""

from __future__ import annotations

import asyncio
from typing import Final

from relayer.domain.errors import DraftRefused
from relayer.services.attester.journal import Binding, Journal

_Waiting = tuple[Binding, asyncio.Future[DraftRefused | None]]

KINDS: Final = (False, True)
"""Bindings whose void was not read as final, and those whose void was."""


class Binder:
    """One journal's queue. A write waits for the disk, which all share that ask together."""

    def __init__(self, journal: Journal) -> None:
        """Write into ``journal``."""
        self._journal = journal
        self._waiting: dict[bool, list[_Waiting]] = {kind: [] for kind in KINDS}

    async def bind(self, binding: Binding, *, voided: bool) -> None:
        """Return once it is on disk; DraftRefused if it must not be signed. See Journal.bind."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[DraftRefused | None] = loop.create_future()
        if not any(self._waiting.values()):
            loop.call_soon(self._write)
        self._waiting[voided].append((binding, answer))
        refusal = await answer
        if refusal is not None:
            raise refusal

    def _write(self) -> None:
        asked, self._waiting = self._waiting, {kind: [] for kind in KINDS}
        for voided in KINDS:
            if asked[voided]:
                self._write_all(asked[voided], voided=voided)

    def _write_all(self, waiting: list[_Waiting], *, voided: bool) -> None:
        try:
            verdicts = self._journal.bind([binding for binding, _ in waiting], voided=voided)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), verdict in zip(waiting, verdicts, strict=True):
            if not answer.done():
                answer.set_result(verdict)
