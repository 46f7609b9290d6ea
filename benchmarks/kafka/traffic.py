"""Chains with users who deposit, and the topics of a bridge between them."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import tomli_w

from benchmarks.crowd import USERS, Crowd
from benchmarks.kafka.crews import Members
from benchmarks.measures import until_delivered
from relayer.app.bus import cluster_of
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import create, delete
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.process_settings import BusSettings
from relayer.settings import Settings, load


@dataclass(slots=True)
class Traffic:
    """The users of some chains, and how much was deposited on them so far."""

    settings: Settings
    config: Path
    crowd: Crowd
    deposited: int = 0

    async def deposit(self, transfers: int, rate: float | None = None) -> None:
        """Make so many deposits, a second or at once; returns when all are in blocks."""
        journeys = self.crowd.plan(transfers)
        if rate is None:
            await self.crowd.deposit_all(journeys)
        else:
            await self.crowd.deposit_steadily(journeys, rate)
        self.deposited += transfers

    async def flow(self, rate: float, stopped: asyncio.Event) -> None:
        """Begin so many deposits a second until told to stop; returns when all are in blocks."""
        async with asyncio.TaskGroup() as group:
            for journey in cycle(self.crowd.plan(6 * USERS)):
                if stopped.is_set():
                    return
                group.create_task(self.crowd.deposit(journey))
                self.deposited += 1
                await asyncio.sleep(1 / rate)

    async def arrive(self, members: Members) -> None:
        """Wait until these processes know all of it as delivered."""
        await until_delivered(members.seen_by(self.settings), self.deposited, 180, members.check)


@asynccontextmanager
async def traffic(
    directory: Path, kafka: BusSettings | None, *, lanes: int = 1
) -> AsyncIterator[Traffic]:
    """Run chains with so many lanes each; topics are made on Kafka and deleted again."""
    async with AsyncExitStack() as stack:
        options = WorldOptions(users=USERS + lanes - 1)
        world = await stack.enter_async_context(LocalWorld(directory, options))
        with_lanes(world.config_path, lanes)
        settings = load(world.config_path)
        if kafka is not None:
            cluster = cluster_of(settings.model_copy(update={"bus": kafka}))
            catalog = Catalog(topics_of(settings))
            await create(cluster, catalog)
            stack.push_async_callback(delete, cluster, catalog)
        crowd = Crowd(settings=settings)
        stack.push_async_callback(crowd.close)
        yield Traffic(settings, world.config_path, crowd)


def with_lanes(config: Path, lanes: int) -> None:
    """Give each chain so many payers; the users beyond the crowd have coins and pay for the others."""
    text: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
    for chain in text["chains"]:
        family = "solana" if str(chain["chain"]).startswith("solana") else "evm"
        more = [f"file:keys/user-{USERS + n}-{family}" for n in range(lanes - 1)]
        chain["payers"] = [*chain["payers"], *more]
    config.write_text(tomli_w.dumps(text), encoding="utf-8")
