"""A chain in memory whose payer has nonces and coins, and whose pool has prices and loses things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from relayer.domain.draft import PENDING, Act, Landing, LandingKind, Landings, Submission
from relayer.domain.errors import FeeCapped, PayerEmpty, Unavailable
from relayer.domain.submission import Bids, dearer
from tests.services.fake_chain import FakeChain
from tests.services.fakes import FakeDrafter, FakeWriter

BIDS = Bids(offer=100, step=125, most=10_000, cap=1_000)


@dataclass(slots=True)
class Pool:
    """What a node knows of one payer; ``asked`` is the least price that gets in."""

    asked: int = 10
    coins: int = 10**6
    losing: int = 0
    resting: bool = False
    next_nonce: int = 0
    pending: dict[int, Submission] = field(default_factory=dict)
    tries: int = 0

    def take(self, submission: Submission) -> None:
        """Keep a transaction as nodes do: not used up, not underpriced; the next few are lost."""
        nonce = submission.nonce or 0
        if nonce < self.next_nonce:
            return
        if self.losing:
            self.losing -= 1
            return
        known = self.pending.get(nonce)
        rival = known is not None and known.tx != submission.tx
        if rival and submission.price * 100 < (known.price if known else 0) * 110:
            raise Unavailable("replacement transaction underpriced")
        self.pending[nonce] = submission

    def mined(self) -> list[Submission]:
        """The transactions that the next block takes, in order of their nonces."""
        taken: list[Submission] = []
        while not self.resting and (one := self.pending.get(self.next_nonce)) is not None:
            if one.price < self.asked:
                break
            del self.pending[self.next_nonce]
            self.next_nonce += 1
            taken.append(one)
        return taken


class PoolWriter(FakeWriter):
    """ChainWriter of a chain in memory with a pool; a block is made whenever it is asked."""

    def __init__(self, world: FakeChain, drafter: FakeDrafter, pool: Pool) -> None:
        """Write to that chain through that pool."""
        super().__init__(world, drafter)
        self._pool = pool

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """At the price that is asked, if the payer has it."""
        self._pool.tries += 1
        made = await super().seal(acts, nonce=nonce)
        pending = max(self._pool.pending, default=-1) + 1
        lowest = max(self._pool.next_nonce, pending if nonce is None else nonce)
        late = max(act.draft.dies_at for act in acts)
        return replace(made, nonce=lowest, price=self._paid(None), useful_until=late)

    async def broadcast(self, submission: Submission) -> None:
        """Hand it to the pool; nothing is executed yet."""
        await asyncio.sleep(0)
        self._world.fault("broadcast")
        self._pool.take(submission)

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """Make a block, and say what became of each; every block is final."""
        await asyncio.sleep(0)
        self._world.fault("landings")
        for one in self._pool.mined():
            if one.ids:
                self.execute(one)
            else:
                self._world.landed[one.tx] = Landing(kind=LandingKind.LANDED, skipped={}, height=1)
        return Landings(
            of={one.tx: self._became(one) for one in submissions},
            next_nonce=self._pool.next_nonce,
        )

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """The same acts again at a price that replaces the former one."""
        await asyncio.sleep(0)
        self._world.fault("outbid")
        price = self._paid(max((one.price for one in rivals), default=None))
        acts = next((one for one in reversed(rivals) if one.ids and not empty), None)
        return Submission(
            tx=f"{self.chain} {nonce} {price} {empty} {self._pool.next_nonce}",
            chain=self.chain,
            ids=acts.ids if acts else (),
            raw=acts.raw if acts else b"",
            nonce=nonce,
            price=price,
            useful_until=acts.useful_until if acts else 0,
            made_at=time.time(),
        )

    async def balance(self) -> float:
        """What the payer holds."""
        return float(self._pool.coins)

    def _paid(self, former: int | None) -> int:
        price = dearer(former, self._pool.asked, BIDS)
        if price is None:
            raise FeeCapped(f"{self._pool.asked} are asked, the cap is {BIDS.cap}")
        if price > self._pool.coins:
            raise PayerEmpty(f"the payer is short of {price - self._pool.coins}")
        return price

    def _became(self, submission: Submission) -> Landing:
        if (submission.nonce or 0) >= self._pool.next_nonce:
            return PENDING
        dead = Landing(kind=LandingKind.DEAD, skipped={})
        return self._world.landed.get(submission.tx, dead)
