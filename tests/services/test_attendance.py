"""Which attesters a draft names first: those that answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.draft import Attestation, Draft
from relayer.domain.facts import Drafted
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Deposit
from relayer.domain.wire import Terms
from relayer.services.relayer.attendance import SILENCE, Attendance
from relayer.services.relayer.effects import Effects, Pace
from tests.domain.samples import ID, SOLANA, deposit
from tests.services.bridge import ATTESTERS as KEYS
from tests.services.bridge import Bridge
from tests.services.fakes import FakeDrafter, FakeWriter

ONE, TWO, THREE = ATTESTERS = tuple(bytes([number]) * 32 for number in (1, 2, 3))


def attendance() -> Attendance:
    """Of two of three, where a draft names its signers."""
    return Attendance(lambda one, terms: one.hex() in terms["signers"], 2)


def signed(named: Sequence[bytes], by: Sequence[bytes]) -> Transfer:
    """A Transfer that needs another draft: of its last, who was named and who signed."""
    terms = {"signers": ",".join(one.hex() for one in named)}
    draft = Draft(
        kind=ActKind.DELIVER, id=ID, chain=SOLANA, terms=terms, digest=bytes(32), dies_at=60
    )
    made = [Attestation(id=ID, digest=bytes(32), attester=one, signature=bytes(64)) for one in by]
    begun = Transfer(deposit=deposit(), stage=Stage.DRAFTING, since=0.0, seen_at=0.0)
    return replace(begun, draft=draft, attestations=tuple(made))


def test_who_left_a_draft_unsigned_is_named_last_by_all_others() -> None:
    """One Transfer waits for a silent attester, and the next ones do not."""
    known = attendance()
    assert known.order(ATTESTERS, 0, 10.0) == [ONE, TWO, THREE]

    known.learn(signed([ONE, TWO], by=[TWO]), ATTESTERS, 10.0)

    assert known.order(ATTESTERS, 0, 11.0) == [TWO, THREE, ONE]
    assert known.order(ATTESTERS, 1, 11.0) == [TWO, THREE, ONE]


def test_a_silent_attester_gets_another_chance_after_a_while() -> None:
    """Nobody would ever see that it is back if it were never named again."""
    known = attendance()
    known.learn(signed([ONE, TWO], by=[TWO]), ATTESTERS, 10.0)
    assert known.order(ATTESTERS, 0, 10.0 + SILENCE) == [ONE, TWO, THREE]


def test_an_attester_that_signs_again_is_forgiven_at_once() -> None:
    """Its signature on any later draft counts."""
    known = attendance()
    known.learn(signed([ONE, TWO], by=[TWO]), ATTESTERS, 10.0)
    known.learn(signed([ONE, THREE], by=[ONE]), ATTESTERS, 12.0)
    assert known.order(ATTESTERS, 0, 13.0) == [ONE, TWO, THREE]


def test_a_draft_with_its_quorum_blames_nobody() -> None:
    """It failed of something else, and whoever was not needed was not silent."""
    known = attendance()
    known.learn(signed(ATTESTERS, by=[ONE, TWO]), ATTESTERS, 10.0)
    assert known.order(ATTESTERS, 0, 11.0) == [ONE, TWO, THREE]


@given(
    dead=st.sampled_from(ATTESTERS),
    tries=st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=30),
)
def test_one_dead_attester_costs_at_most_one_wait(dead: bytes, tries: list[int]) -> None:
    """Whatever attempts the drafts of the next minute are at, one of them names it at most."""
    known, waits = attendance(), 0
    for second, attempt in enumerate(tries):
        named = known.order(ATTESTERS, attempt, float(second))[:2]
        by = [one for one in named if one != dead]
        waits += len(by) < 2
        known.learn(signed(named, by), ATTESTERS, float(second))
    assert waits <= 1


class Naming(FakeDrafter):
    """A drafter whose drafts name their signers, as Solana's do."""

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """A draft for the first that make a quorum."""
        made = await super().draft(
            kind, deposit, dies_at=dies_at, attesters=attesters, attempt=attempt
        )
        named = ",".join(one.hex() for one in attesters[: self.quorum])
        return replace(made, terms={**made.terms, "signers": named})

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:
        """From those named."""
        return attester.hex() in terms["signers"]


async def test_a_lane_drafts_with_those_that_answer(tmp_path: Path) -> None:
    """After one draft that its second signer left alone, the first draft of another avoids it."""
    bridge = Bridge(tmp_path)
    drafter = Naming(bridge.chains[SOLANA], KEYS, 2)
    one, two, three = drafter.attesters
    effects = Effects(
        readers=bridge.readers(),
        drafter=drafter,
        writer=FakeWriter(bridge.chains[SOLANA], drafter),
        clock=bridge.clock,
        pace=Pace(),
    )
    ends = {deposit().asset: int(time.time()) + 600}
    other = replace(signed([one, two], by=[]), draft=None, verified=True)

    await effects.draft([signed([one, two], by=[one])], ends)
    (drafted,) = await effects.draft([other], ends)

    assert isinstance(drafted, Drafted)
    assert drafted.draft.terms["signers"] == f"{one.hex()},{three.hex()}"
