from __future__ import annotations

import asyncio
import io
import tomllib

import pytest
import tomli_w
from rich.console import Console

from relayer.cli.demo.journey import Demo
from relayer.devnet.world import LocalWorld
from relayer.settings import load

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


async def test_reorgs_on_tron_lose_nothing_and_give_nothing_twice(world: LocalWorld) -> None:
    """Blocks above the solid one vanish with all they held, as when a real node is killed.

    Users make deposits again that were undone; deliveries of undone blocks are made anew, once.
    """
    config = tomllib.loads(world.config_path.read_text())
    tron = next(chain for chain in config["chains"] if chain["chain"].startswith("tron"))
    tron["extra"] = {"expiration_seconds": 5}
    world.config_path.write_text(tomli_w.dumps(config))
    demo = Demo(
        settings=load(world.config_path),
        config_path=world.config_path,
        console=Console(file=io.StringIO()),
        transfers=12,
        users=world.options.users,
        grace=7.0,
    )

    async with asyncio.TaskGroup() as group:
        running = group.create_task(demo.run())
        for _ in range(3):
            await asyncio.sleep(2.5)
            await world.tron.faults.reorg(2)

    assert running.result().wrong == ()
