"""A process that commits as fast as it can and reports each commit, until it is killed.

Fold: the n-th record of the inbox makes the n-th output and moves the count. It publishes its own
inputs, one at a time, so that it never runs dry.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from relayer.ports.bus import Bus, Out, Partition
from tests.bus.harness import out
from tests.bus.worlds import KafkaWorld, SqliteWorld


async def crash(bus: Bus, partition: Partition, inbox: str, stream: str) -> None:
    """Commit for ever."""
    state = await partition.restore()
    count = int(state.get("count", b"0"))
    pending = await partition.take(100, 0.1, asyncio.Event())
    while True:
        outs: list[Out] = []
        changes: dict[str, bytes | None] = {}
        for record in pending:
            assert record.key == f"in-{count}", (record.key, count)
            changes[f"s-{count % 10}"] = str(count).encode()
            outs.append(out(stream, 0, f"out-{count}"))
            count += 1
            changes["count"] = str(count).encode()
        if pending:
            await partition.commit(outs, changes)
            sys.stdout.write(f"{count}\n")
            sys.stdout.flush()
        await bus.publish([out(inbox, 0, f"in-{count}")])
        pending = await partition.take(1, 5, asyncio.Event())


async def main(kind: str, *where: str) -> None:
    """Run on the bus of this kind."""
    world = SqliteWorld(Path(where[0])) if kind == "sqlite" else KafkaWorld(*where)
    bus = await world.open()
    async with world.own(world.inbox, world.state, 0) as partition:
        await crash(bus, partition, world.inbox, world.stream)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
