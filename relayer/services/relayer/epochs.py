"""Notices that a chain takes no more what was drafted for it, long before it would expire.

An epoch ends when attesters change, and on a gateway with each pause. What was signed under it can
never be executed, so its Transfers are drafted anew at once; bytes that are out already are followed
to their end all the same, and a receipt keeps both from being executed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from relayer.domain.draft import Draft, payload_digest
from relayer.domain.errors import DraftRefused, Transient
from relayer.domain.facts import Fact, Outdated
from relayer.domain.stage import Transfer
from relayer.ports.chain import ChainDrafter
from relayer.ports.clock import Clock
from relayer.services.relayer.book import Book
from relayer.services.relayer.following import Following

EVERY: Final = 1.0
"""Seconds between two looks: as old as the state may be that drafts are made with."""

AsDrafted = tuple[Transfer, Draft]


class Epochs:
    """Looks after the drafts that are being signed or under way in one lane."""

    def __init__(
        self, *, book: Book, drafter: ChainDrafter, following: Following, clock: Clock
    ) -> None:
        """Judge what stands in ``book`` by the chain that ``drafter`` drafts for."""
        self._book = book
        self._drafter = drafter
        self._following = following
        self._clock = clock

    async def run(self, tell: Callable[[Sequence[Fact]], None]) -> None:
        """Look for ever; what was kept under other settings is told first."""
        strange = [pair for pair in self._book.drafted() if self._is_strange(*pair)]
        while True:
            if facts := [*self._facts(strange), *await self.look()]:
                tell(facts)
            strange = []
            await self._clock.sleep(EVERY)

    async def look(self) -> Sequence[Fact]:
        """What the chain takes no more; nothing is asked while nothing is under way."""
        open_ = [pair for pair in self._book.drafted() if not self._stands(pair[0])]
        if not open_:
            return ()
        try:
            ended = await self._drafter.ended([draft for _, draft in open_])
        except Transient:
            return ()
        return self._facts([pair for pair in open_ if pair[1].digest in ended])

    def _stands(self, transfer: Transfer) -> bool:
        """Whether a block has executed it, as far as is known: that is waited for."""
        tx = transfer.submission
        return tx is not None and self._following.stands(tx, transfer.deposit.id)

    def _is_strange(self, transfer: Transfer, draft: Draft) -> bool:
        """Whether these settings would have made another payload: attesters refuse to sign it."""
        try:
            payload = self._drafter.payload(draft.kind, transfer.deposit, draft.terms)
        except DraftRefused:
            return True
        return payload_digest(payload) != draft.digest

    def _facts(self, pairs: Collection[AsDrafted]) -> list[Fact]:
        now = self._clock.now()
        return [Outdated(id=draft.id, digest=draft.digest, at=now) for _, draft in pairs]
