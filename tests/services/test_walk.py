from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.domain.errors import Transient, Unavailable
from relayer.domain.transfer import ChainFact
from relayer.services.relayer.sweep import SPAN, Walk
from tests.domain.samples import BNB, deposit
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
