"""The Listener: publishes one chain's final facts to the inboxes of the lanes they concern.

The Cursor moves only over ranges that returned, in the same commit as the facts found in them. It
is kept under a MAC; a lost or forged one costs time, never a deposit: the Sweep finds what is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from relayer.domain.address import ChainId
from relayer.domain.backoff import wait_before
from relayer.domain.errors import Transient
from relayer.domain.keep import Keeper
from relayer.domain.records import INBOX, NUMBER_STATE, inbox
from relayer.domain.transfer import ChainFact, Delivery, Deposit, Refund, Void, lane_of, owner_of
from relayer.ports.bus import Out, Partition
from relayer.ports.chain import ChainReader, Head
from relayer.ports.clock import Clock
from relayer.services.vouching import Voucher

_CURSOR: Final = "cursor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """``lanes`` per destination; ``span`` heights are read and committed at once."""

    lanes: Mapping[ChainId, int]
    span: int = 2_000


class ListenerObserver(Protocol):
    """What a listener tells whoever measures and logs it."""

    def read(self, chain: ChainId, head: Head, cursor: int, facts: Sequence[ChainFact]) -> None:
        """A range was read and committed; the cursor stands at ``cursor``."""

    def unreadable(self, chain: ChainId, error: Transient) -> None:
        """A read failed; it is tried again."""

    def forged_cursor(self, chain: ChainId) -> None:
        """The cursor kept is not this listener's: the chain is read from its beginning."""


class Listener:
    """Reads one chain from its cursor to its final head, for ever."""

    def __init__(
        self,
        *,
        reader: ChainReader,
        keeper: Keeper,
        settings: ListenerSettings,
        clock: Clock,
        observer: ListenerObserver,
        voucher: Voucher,
    ) -> None:
        """Keep the ports; ``run`` does the work."""
        self._reader = reader
        self._keeper = keeper.at(reader.chain)
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._voucher = voucher
        self._wake = asyncio.Event()
        self._cursor = 0
        self._committed = 0

    async def run(self, partition: Partition) -> None:
        """Serve the chain's cursor partition until cancelled, or until a commit is lost."""
        self._cursor = self._restored(await partition.restore(self._genuine))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._woken())
            await self._read_for_ever(partition)

    async def _woken(self) -> None:
        async for _ in self._reader.wakeups():
            self._wake.set()

    async def _read_for_ever(self, partition: Partition) -> None:
        failures = 0
        while True:
            self._wake.clear()
            try:
                behind = await self._advance(partition)
                failures = 0
            except Transient as error:
                if not isinstance(error, _ReadFailed):
                    raise
                self._observer.unreadable(self._reader.chain, error)
                failures += 1
                await self._clock.sleep(wait_before(failures))
                continue
            if not behind:
                await partition.take(1, 60.0, self._wake)

    async def _advance(self, partition: Partition) -> bool:
        """Read and commit one range; whether more is waiting."""
        head, last, facts = await self._read_range()
        if last <= self._cursor:
            return False
        outs = self._voucher.vouch(out for fact in facts for out in self._out(fact))
        sealed = self._keeper.seal(_CURSOR, str(last).encode())
        if outs or last - self._cursor >= self._settings.span or self._idle_commit(last):
            await partition.commit(outs, {_CURSOR: sealed})
            self._committed = last
        self._cursor = last
        self._observer.read(self._reader.chain, head, last, facts)
        return last < head.height

    async def _read_range(self) -> tuple[Head, int, Sequence[ChainFact]]:
        try:
            head = await self._reader.final_head()
            last = min(head.height, self._cursor + self._settings.span)
            if last <= self._cursor:
                return head, last, ()
            return head, last, await self._reader.history(self._cursor + 1, last)
        except Transient as error:
            raise _ReadFailed(str(error)) from error

    def _idle_commit(self, last: int) -> bool:
        """An empty range is committed only now and then; reading it again is harmless."""
        return last - self._committed >= self._settings.span // 20

    def _genuine(self, key: str, value: bytes) -> bool:
        """Whether it is our cursor; another one is told."""
        found = key == _CURSOR and self._keeper.opened(key, value) is not None
        if not found:
            self._observer.forged_cursor(self._reader.chain)
        return found

    def _restored(self, kept: Mapping[str, bytes]) -> int:
        text = self._keeper.opened(_CURSOR, kept[_CURSOR]) if _CURSOR in kept else None
        self._committed = (
            self._reader.first_height - 1
            if text is None
            else self._keeper.decode(_CURSOR, text, NUMBER_STATE)
        )
        return self._committed

    def _out(self, fact: ChainFact) -> list[Out]:
        """The inbox record of a fact; none where the lane's chain is not served."""
        chain = _owner(fact)
        lanes = self._settings.lanes.get(chain) if chain else None
        if chain is None or lanes is None:
            return []
        partition = lane_of(fact.id, lanes)
        value = INBOX.encode(fact)
        return [Out(topic=inbox(chain), partition=partition, key=fact.id.hex(), value=value)]


class _ReadFailed(Transient):
    """A read failed: told apart from a lost commit, which must get out."""


def _owner(fact: ChainFact) -> ChainId | None:
    match fact:
        case Deposit():
            return owner_of(fact)
        case Delivery() | Void() | Refund():
            return fact.chain
