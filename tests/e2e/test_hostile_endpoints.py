"""The whole relayer over three endpoints per chain, one of which lies; then misbehaves."""

from __future__ import annotations

import asyncio
import itertools
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import tomli_w
from rich.console import Console

from relayer.cli.control import halts_of
from relayer.cli.demo.child import Child
from relayer.cli.demo.journey import Demo
from relayer.devnet.world import LocalWorld
from relayer.settings import load
from tests.chains.liars import Liar, Lie, Mood, liar, lie_of_evm, lie_of_solana, lie_of_tron

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LIES: dict[str, Lie] = {"solana": lie_of_solana, "eip155": lie_of_evm, "tron": lie_of_tron}


@dataclass(slots=True)
class Hostile:
    """The config of a relayer whose second endpoint of every chain is one of the liars."""

    config: Path
    liars: list[Liar]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hostile(world: LocalWorld) -> AsyncIterator[Hostile]:
    """A liar in front of each node, between two true endpoints (users ask the first one)."""
    settings = tomllib.loads(world.config_path.read_text())
    liars: list[Liar] = []
    async with AsyncExitStack() as stack:
        for chain in settings["chains"]:
            true: dict[str, Any] = chain["endpoints"][0]
            seen = "solidity" if "solidity" in true else "url"
            lie = LIES[chain["chain"].partition(":")[0]]
            lying = await stack.enter_async_context(liar(true[seen], lie))
            liars.append(lying)
            second = {**true, seen: lying.url}
            second.pop("ws", None)
            chain |= {"endpoints": [true, second, true], "agreement": 2}
        path = world.directory / "hostile.toml"
        path.write_text(tomli_w.dumps(settings | {"state_dir": "hostile"}))
        yield Hostile(config=path, liars=liars)


def _demo(config: Path, transfers: int) -> Demo:
    console = Console(file=StringIO())
    return Demo(
        settings=load(config), config_path=config, console=console, transfers=transfers, users=3
    )


async def _moody(liars: list[Liar]) -> None:
    """Lie most of the time; now and then refuse, break off, or fall silent."""
    moods = [Mood.LYING, Mood.LIMITED, Mood.LYING, Mood.CUT, Mood.HTML, Mood.LYING, Mood.SILENT]
    for mood in itertools.cycle(moods):
        for lying in liars:
            lying.mood = mood
        await asyncio.sleep(1.5)


async def test_nothing_forged_is_believed_and_everything_is_delivered(hostile: Hostile) -> None:
    """All six routes while one of three endpoints forges deposits, receipts, supplies and heads.

    Between its lies it answers 429 or HTML, cuts its answers short, or does not answer at all.
    """
    moody = asyncio.create_task(_moody(hostile.liars))
    try:
        outcome = await _demo(hostile.config, transfers=12).run()
    finally:
        moody.cancel()

    assert outcome.wrong == ()
    assert len(outcome.after.deliveries) == 12
    assert all(lying.told > 0 for lying in hostile.liars)
    assert sum(lying.lies for lying in hostile.liars) > 10


async def test_no_lie_halts_and_the_liar_is_named_by_its_place(hostile: Hostile) -> None:
    """The monitor weighs true books all the time; the metrics show who dissents, and nobody else."""
    for lying in hostile.liars:
        lying.mood = Mood.LYING
    child = Child(config=hostile.config, log=hostile.config.parent / "hostile.log")
    await child.start()
    try:
        lines = await _metrics(hostile)
        assert await halts_of(load(hostile.config), None) == []
    finally:
        assert await child.stop() == 0

    blamed = {line.split("{")[1].split("}")[0] for line in lines if not line.endswith(" 0.0")}
    assert blamed
    assert all('endpoint="1"' in labels for labels in blamed), lines


async def _metrics(hostile: Hostile) -> list[str]:
    """The dissents once there are some: who dissents is soon asked last, on a quiet chain seldom."""
    port = hostile.config.parent / "hostile" / "http.port"
    lines: list[str] = []
    for _ in range(100):
        await asyncio.sleep(0.5)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port.read_text()}/metrics") as response,
            ):
                text = await response.text()
        except (aiohttp.ClientError, OSError):
            continue
        lines = [one for one in text.splitlines() if one.startswith("relayer_endpoint_dissents_t")]
        if any('endpoint="1"' in line and not line.endswith(" 0.0") for line in lines):
            break
    return lines
