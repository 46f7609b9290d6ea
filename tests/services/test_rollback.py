"""A release is rolled back: what the later one kept is read, nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

from relayer.bus.sqlite import SqliteBus
from relayer.domain.records import state
from relayer.domain.stage import Stage
from relayer.ports.bus import Out
from tests.domain.samples import BNB, SOLANA
from tests.services.bridge import KEEPER, Bridge, topics, until
from tests.services.orders import Stream, a_deposit, is_whole
from tests.services.pool import Pool

PLACE = f"{SOLANA} 0 of 1"


def _later(value: Any) -> Any:
    """The same with fields that this release does not know, on every level but in free maps."""
    if isinstance(value, list):
        return [_later(one) for one in value]
    if not isinstance(value, dict) or "deadline" in value:
        return value
    return {"later": {"a": [1]}, **{name: _later(one) for name, one in value.items()}}


async def _as_written_by_the_next_release(path: Path) -> list[str]:
    """Every value of the Solana lane's state with more in it, and one under a key of later."""
    topic, keeper, kept = state("relayer", SOLANA), KEEPER.at(PLACE), dict[str, bytes]()
    async with SqliteBus(path, topics()) as bus:
        async with aclosing(bus.follow(topic, None)) as records:
            reading = asyncio.create_task(_last_values(records, kept))
            await records.caught_up.wait()
            reading.cancel()
        texts = {key: keeper.opened(key, value) or b"" for key, value in kept.items()}
        more = {key: json.dumps(_later(json.loads(text))).encode() for key, text in texts.items()}
        more["policy/later"] = b'{"what": "nobody here knows"}'
        sealed = {key: keeper.seal(key, text) for key, text in more.items()}
        await bus.publish(
            [Out(topic=topic, partition=0, key=key, value=value) for key, value in sealed.items()]
        )
    return sorted(key.partition("/")[0] for key in more)


async def _last_values(records: Any, into: dict[str, bytes]) -> None:
    async for record in records:
        into.pop(record.key, None)
        if record.value is not None:
            into[record.key] = record.value


async def test_state_of_a_later_release_is_read_after_a_rollback(tmp_path: Path) -> None:
    """Three transfers in a transaction that has not landed, one that waits for signatures."""
    bridge = Bridge(tmp_path, pools={SOLANA: Pool(resting=True)})
    made = [bridge.chains[BNB].deposit(a_deposit(number)) for number in range(1, 4)]
    async with bridge.running() as bus:
        stream = Stream(bus)
        await until(lambda: sum(t.stage is Stage.SUBMITTED for t in stream.told) == 3)
        await stream.close()
    made.append(bridge.chains[BNB].deposit(a_deposit(4)))
    async with bridge.running(attesters=False) as bus:
        stream = Stream(bus)
        await until(lambda: any((t.id, t.stage) == (made[3].id, "signing") for t in stream.told))
        await stream.close()

    kept = await _as_written_by_the_next_release(tmp_path / "bus.db")
    bridge.pools[SOLANA].resting = False
    async with bridge.running():
        await until(lambda: len(bridge.chains[SOLANA].executed) == 4)
        await asyncio.sleep(0.3)

    assert {"policy", "submission", "transfer"} <= set(kept)
    assert kept.count("transfer") == 4
    assert sorted(bridge.chains[SOLANA].executed) == sorted(one.id for one in made)
    assert bridge.ended is None
    assert is_whole(bridge)
