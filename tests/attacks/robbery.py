"""What a thief does to kept state while nobody looks: the services find it when they start."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from relayer.domain.distrust import Distrust
from relayer.domain.draft import Submission
from relayer.domain.keep import Keeper
from relayer.domain.records import SUBMISSION_STATE, TRANSFER_STATE, inbox, state
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import Deposit
from relayer.ports.bus import Out
from tests.attacks.siege import PATIENCE, Siege
from tests.domain.samples import BNB, SOLANA, TRON
from tests.services.bridge import KEEPER, until

LANE, CURSOR = state("relayer", SOLANA), state("listener", BNB)
PLACE = f"{SOLANA} 0 of 1"


def _sealed(keeper: Keeper, key: str, text: bytes, topic: str = LANE) -> Out:
    return Out(topic=topic, partition=0, key=key, value=keeper.seal(key, text))


def delivered(made: Deposit) -> Out:
    """The open Transfer, as if it had been delivered, without the lane's secret."""
    done = Transfer(deposit=made, stage=Stage.DELIVERED, since=time.time(), seen_at=time.time())
    key = f"transfer/{made.id.hex()}"
    return _sealed(Keeper(b"thief").at(PLACE), key, TRANSFER_STATE.encode(done))


def other_bytes(made: Deposit) -> Out:
    """A submission of the thief's, to be broadcast by the lane."""
    theft = Submission(tx="ff", chain=SOLANA, ids=(made.id,), raw=b"deliver|theft", made_at=1.0)
    return _sealed(Keeper(b"thief").at(PLACE), "submission/ff", SUBMISSION_STATE.encode(theft))


def other_lane(_: Deposit) -> Out:
    """A genuine mark of another lane, which says that everything up to a height is closed."""
    return _sealed(KEEPER.at(f"{TRON} 0 of 1"), f"sweep/{BNB}", b"1000000")


def cursor_ahead(_: Deposit) -> Out:
    """A genuine cursor of another chain, whose heights are higher."""
    return _sealed(KEEPER.at(SOLANA), "cursor", b"300000000", CURSOR)


def flood(made: Deposit) -> list[Out]:
    """Values of a lane that there is no end to; the open Transfer lies under one of them."""
    keys = [f"transfer/{made.id.hex()}", *(f"transfer/{number:064x}" for number in range(2_000))]
    return [Out(topic=LANE, partition=0, key=key, value=b"\xff" * 400) for key in keys]


def deleted(made: Deposit) -> Out:
    """The open Transfer, deleted by a tombstone."""
    return Out(topic=LANE, partition=0, key=f"transfer/{made.id.hex()}", value=None)


FORGED = "relayer_records_refused_total"
ROWS: dict[str, tuple[Callable[[Deposit], Out | list[Out]], str, str]] = {
    "a delivered transfer in the state": (delivered, FORGED, LANE),
    "other signed bytes in the state": (other_bytes, FORGED, LANE),
    "a mark of another lane in the state": (other_lane, FORGED, LANE),
    "values without end in the state": (flood, FORGED, LANE),
    "a cursor of another chain": (cursor_ahead, FORGED, CURSOR),
    "an open transfer deleted from the state": (deleted, "relayer_sweep_opened_total", ""),
}

Steal = Callable[[Siege], Awaitable[None]]


class Robberies:
    """What may be done to state and cursors between two starts."""

    @pytest.mark.parametrize("name", ROWS)
    async def test_it_is_counted_and_hides_nothing(self, resting: Siege, name: str) -> None:
        """An honest Transfer is open when all services stop; it is delivered after the next start."""
        forge, metric, topic = ROWS[name]
        labels: dict[str, Any] = {"topic": topic, "reason": Distrust.FORGED_STATE}
        if not topic:
            labels = {"source": BNB}
        before = resting.counted(metric, **labels)

        async with resting.running():
            resting.attesters_wait()
            made = resting.make()
            await until(lambda: resting.is_asked_for(made), PATIENCE)
        async with resting.bridge.opened() as bus:
            forged = forge(made)
            await bus.publish([forged] if isinstance(forged, Out) else forged)
        resting.release()
        async with resting.running():
            await resting.is_whole()

        assert resting.counted(metric, **labels) > before

    async def test_nothing_at_all_is_left(self, resting: Siege) -> None:
        """State, cursors and inbox are overwritten with garbage, key by key: all is found again."""
        async with resting.running():
            resting.attesters_wait()
            made = resting.make()
            await until(lambda: resting.is_asked_for(made), PATIENCE)
        keys = [f"transfer/{made.id.hex()}", f"sweep/{BNB}", f"sweep/{SOLANA}", "sweep/window"]
        outs = [Out(topic=LANE, partition=0, key=key, value=b"\xff" * 40) for key in keys]
        outs += [replace(outs[0], topic=topic, key="cursor") for topic in (CURSOR,)]
        outs += [Out(topic=inbox(SOLANA), partition=0, key="k", value=b"{")]
        async with resting.bridge.opened() as bus:
            await bus.publish(outs)
        resting.release()
        async with resting.running():
            await resting.is_whole()
