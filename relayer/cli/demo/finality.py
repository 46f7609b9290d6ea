"""What has become final of the users' deposits: a deposit in a block can still be undone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from relayer.domain.address import Account
from relayer.domain.amount import Shares
from relayer.domain.errors import Transient
from relayer.domain.transfer import Deposit
from relayer.ports.chain import ChainReader

_LOOK_SECONDS: Final = 1.0
Wanted = tuple[Account, Account, Shares]
"""Sender, recipient and amount: no two journeys of a demo have the same."""


@dataclass(slots=True)
class Finality:
    """The final deposits of one chain, read again every second.

    ``grace``: seconds of final chain time after which a deposit will not come any more.
    """

    reader: ChainReader
    grace: float
    deposits: list[Deposit] = field(default_factory=list)
    _upto: int = field(default=0, init=False)
    _time: float = field(default=0.0, init=False)

    async def run(self) -> None:
        """Read until cancelled; a chain that does not answer is asked again."""
        self._upto = self.reader.first_height - 1
        while True:
            with contextlib.suppress(Transient):
                await self._read()
            await asyncio.sleep(_LOOK_SECONDS)

    async def settled(self, wanted: Wanted) -> bool:
        """Wait until a deposit is final; False if it will not become so any more."""
        made = time.time()
        while wanted not in set(self._seen()):
            if self._time > made + self.grace:
                return False
            await asyncio.sleep(_LOOK_SECONDS / 2)
        return True

    async def _read(self) -> None:
        head = await self.reader.final_head()
        if head.height > self._upto:
            facts = await self.reader.history(self._upto + 1, head.height)
            self.deposits += [fact for fact in facts if isinstance(fact, Deposit)]
            self._upto = head.height
        self._time = head.time

    def _seen(self) -> Iterator[Wanted]:
        for deposit in self.deposits:
            yield deposit.sender, deposit.recipient, deposit.shares
