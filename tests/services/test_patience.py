"""How long a lane waits for signatures, and after a draft that was signed too late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from relayer.domain.draft import Act, Draft, Submission, Unwanted
from relayer.domain.facts import Drafted, Held
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Deposit
from relayer.services.relayer.effects import Effects, Pace
from tests.domain.samples import SOLANA, deposit
from tests.services.bridge import ATTESTERS, Bridge
from tests.services.fakes import FakeDrafter, FakeWriter

QUORUM, SLOW = 5.0, 0.3


class _Slow(FakeDrafter):
    """A drafter whose node takes its time."""

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        await asyncio.sleep(SLOW)
        return await super().draft(
            kind, deposit, dies_at=dies_at, attesters=attesters, attempt=attempt
        )


class _Late(FakeWriter):
    """A writer to whom every draft comes too late."""

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        del nonce
        msg = "nothing of it can be executed"
        raise Unwanted(msg, {act.deposit.id: "Expired" for act in acts})


def _effects(directory: Path) -> Effects:
    bridge = Bridge(directory)
    drafter = _Slow(bridge.chains[SOLANA], ATTESTERS, 2)
    return Effects(
        readers=bridge.readers(),
        drafter=drafter,
        writer=_Late(bridge.chains[SOLANA], drafter),
        clock=bridge.clock,
        pace=Pace(quorum=QUORUM),
    )


def _begun(attempts: int) -> Transfer:
    begun = Transfer(deposit=deposit(), stage=Stage.DRAFTING, since=0.0, seen_at=0.0)
    return replace(begun, verified=True, attempts=attempts)


async def _drafted(effects: Effects, attempts: int) -> Drafted:
    ends = {deposit().asset: int(time.time()) + 600}
    (drafted,) = await effects.draft([_begun(attempts)], ends)
    assert isinstance(drafted, Drafted)
    return drafted


@pytest.mark.parametrize(("attempts", "times"), [(0, 1), (1, 2), (2, 3), (3, 4), (9, 4)])
async def test_each_missed_quorum_is_waited_for_longer(
    tmp_path: Path, attempts: int, times: int
) -> None:
    """From the moment the draft is there, not from when a slow node was asked for it."""
    drafted = await _drafted(_effects(tmp_path), attempts)

    assert drafted.until - drafted.at == pytest.approx(times * QUORUM)


async def test_a_draft_signed_too_late_is_drafted_anew_soon(tmp_path: Path) -> None:
    """However often its quorum was missed before: those waits were for attesters, not for the chain."""
    effects = _effects(tmp_path)
    ready = replace(
        _begun(9), stage=Stage.READY, draft=(await _drafted(effects, 9)).draft, attestations=()
    )

    outcome = await effects.seal([ready], None)

    (held,) = outcome.facts
    assert isinstance(held, Held)
    assert held.reason is Reason.SUBMISSION_EXPIRED
    assert held.until - held.at <= QUORUM
