from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.domain.errors import Transient, Unavailable
from relayer.domain.transfer import ChainFact, TransferId
from relayer.services.relayer.sweep import SPAN, Owned, Sweep, Walk
from tests.domain.samples import BNB, SOLANA, deposit
from tests.ports.virtual import run
from tests.services.fake_chain import FakeChain
from tests.services.fakes import FakeReader


class Failing(FakeReader):
    """Has a deposit at every 1,000th height; each so-manieth question fails."""

    def __init__(self, every: int) -> None:
        super().__init__(FakeChain(chain=BNB))
        self._every = every

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        self.asked.append((first, last))
        if len(self.asked) % self._every == 0:
            raise Unavailable("for a moment")
        return [deposit(height=at) for at in range(first, last + 1) if at % 1_000 == 0]


@settings(deadline=None)
@given(every=st.integers(2, 5), pieces=st.integers(1, 40), grows=st.integers(0, SPAN // 4))
def test_a_failure_costs_a_piece_and_not_the_walk(every: int, pieces: int, grows: int) -> None:
    """However long the backlog and however often it fails: all is read, once, with bounded work."""
    reader, last, tries = Failing(every), pieces * SPAN, 0

    async def walked() -> Sequence[ChainFact]:
        nonlocal last, tries
        walk = Walk(reader)
        while True:
            tries += 1
            try:
                return await walk.read(1, last)
            except Transient:
                last += grows

    heights = [fact.height for fact in run(walked())]

    assert heights == list(range(1_000, last + 1, 1_000))
    assert len(reader.asked) <= pieces + 2 * tries, (
        "each failure costs one piece, and one more of the growth"
    )


async def test_of_a_long_past_a_sweep_keeps_only_what_is_open() -> None:
    """A thousand deposits are delivered, one is open: the others are let go piece by piece."""
    source, destination = FakeChain(chain=BNB), FakeChain(chain=SOLANA)
    made = [
        source.deposit(deposit(id=TransferId(n.to_bytes(32, "big")), destination=SOLANA))
        for n in range(1, 1_002)
    ]
    for one in made[:-1]:
        destination.deliver(one, "before")
    reader = FakeReader(source)
    walk = Walk(reader)
    sweep = Sweep({BNB: reader, SOLANA: FakeReader(destination)}, SOLANA)
    owned = Owned(delivers=lambda one: one.destination == SOLANA, refunds=lambda _: False)

    kept = await walk.read(1, source.height, partial(sweep._unclosed, owned))
    outcomes = await sweep.run({}, owned)

    (outcome,) = [one for one in outcomes if one.source == BNB]
    assert list(kept) == [made[-1]]
    assert walk.deposits == 1_001
    assert outcome.open == (made[-1],)
    assert (outcome.found, outcome.mark) == (1_001, made[-1].height - 1)
    assert max(len(sweep._walks[BNB]._facts), len(walk._facts)) <= 1
