"""Leaves of ``control`` what stands: whoever starts then reads little."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayer.app.bus import cluster_of
from relayer.app.policies import gate_policy_of
from relayer.bus.kafka_trim import trimming
from relayer.domain.errors import Fatal
from relayer.domain.records import CONTROL
from relayer.domain.standing import Standing
from relayer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relayer.domain.halt import Halt


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """What was done: the halts that stand, by digest, and the offset before which all is gone."""

    halts: Mapping[bytes, Halt]
    end: int


async def trim(settings: Settings, *, forget_strange: bool = False) -> Trimmed:
    """Write the halts that stand once more, and delete everything before.

    Processes may run, and halts and resumes may come meanwhile. Raises `Fatal` with what speaks
    against it, and nothing is changed then; `Transient` where the cluster fails us, and then it may be done again.
    """
    standing = Standing(gate_policy_of(settings), forget_strange=forget_strange)
    async with trimming(cluster_of(settings), CONTROL) as control:
        async with aclosing(control.past()) as past:
            async for record in past:
                standing.fold(record.value or b"", record.time, record.offset)
        if objections := standing.objections():
            lines = "\n".join(f"  {objection}" for objection in objections)
            msg = f"{CONTROL} was left as it is (docs/kafka.md, Trimming):\n{lines}"
            raise Fatal(msg)
        await control.replace(standing.texts)
    return Trimmed(halts=standing.halts, end=control.end)
