"""``python -m tests.e2e.dying run ...``: the command line in a process that kills itself.

The variable ``DIES`` names a moment and how often it passes before: ``sent:3`` is the third time.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from relayer.agreement.acting import QuorumWriter
from relayer.bus.kafka_members import Tenures
from relayer.bus.kafka_partition import KafkaPartition
from relayer.cli.main import main

VARIABLE: Final = "DIES"

BEFORE: Final[dict[str, tuple[type, str]]] = {
    "fenced, state not yet read": (KafkaPartition, "_load"),
    "state read, inbox not yet found": (KafkaPartition, "_resume"),
    "all sent, not yet committed": (AIOKafkaProducer, "commit_transaction"),
    "committed, not yet broadcast": (QuorumWriter, "broadcast"),
    "within a rebalance": (Tenures, "on_partitions_revoked"),
}
AFTER: Final[dict[str, tuple[type, str]]] = {
    "committed, not yet known": (AIOKafkaProducer, "commit_transaction"),
    "broadcast, not yet noted": (QuorumWriter, "broadcast"),
}


def _die_at(moment: str, times: int) -> None:
    """Put SIGKILL where the moment passes for so many times."""
    owner, name = BEFORE.get(moment) or AFTER[moment]
    method: Callable[..., Any] = getattr(owner, name)
    left = [times]

    @functools.wraps(method)
    async def dying(*args: Any, **named: Any) -> Any:
        left[0] -= 1
        now = left[0] == 0
        if now and moment in BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await method(*args, **named)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, dying)


if __name__ == "__main__":
    if asked := os.environ.get(VARIABLE):
        moment, _, times = asked.partition(":")
        _die_at(moment, int(times))
    main()
