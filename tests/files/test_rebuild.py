"""A state that was deleted is made again from the chains alone: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from relayer.app.chains import kit_for
from relayer.cli.demo.books import Books, delivered_once, read_books, unchanged
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import Journey, plan, user_account, user_secret
from relayer.devnet.world import LocalWorld
from relayer.settings import Settings, load

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def _books(settings: Settings) -> Books:
    kits = [kit_for(settings, chain, lambda *_: None) for chain in settings.chains]
    try:
        return await read_books([kit.reader() for kit in kits])
    finally:
        for kit in kits:
            await kit.close()


async def _deposit(settings: Settings, count: int) -> None:
    """So many deposits over all routes, each in a block."""
    async with asyncio.TaskGroup() as group:
        for journey in plan(settings, count, 1):
            group.create_task(_one_deposit(settings, journey))


async def _one_deposit(settings: Settings, journey: Journey) -> None:
    user = journey.number % 2  # the two deposits of one chain are made by two users
    kit = kit_for(settings, settings.chain(journey.source), lambda *_: None)
    depositor = kit.depositor(user_secret(settings, journey.source, user))
    recipient = user_account(settings, journey.destination, user)
    try:
        await depositor.deposit(journey.asset, journey.shares, journey.destination, recipient)
    finally:
        await kit.close()


async def _delivered(settings: Settings, count: int) -> Books:
    """The books once so many deliveries are final; TimeoutError if they do not come."""
    async with asyncio.timeout(90):
        while len((books := await _books(settings)).deliveries) < count:
            await asyncio.sleep(0.5)
    return books


def _everything(state: Path) -> list[Path]:
    return list(state.iterdir())


def _but_the_journals(state: Path) -> list[Path]:
    return [file for file in state.iterdir() if not file.name.startswith("attester-")]


@pytest.mark.parametrize("lost", [_but_the_journals, _everything])
async def test_with_the_state_deleted_all_is_delivered_once(
    world: LocalWorld, lost: Callable[[Path], list[Path]]
) -> None:
    """Six transfers done, six deposited while the relayer was down, and its files are gone.

    Journals must be kept while a key is in a quorum; that the receipts alone still make a second
    delivery impossible is what the second case shows.
    """
    settings = load(world.config_path)
    state = settings.path(settings.state_dir)
    before = await _books(settings)
    done = len(before.deliveries)
    child = Child(config=world.config_path, log=world.directory / "relayer.log")
    await child.start()
    try:
        await _deposit(settings, 6)
        await _delivered(settings, done + 6)
        await child.kill()
        await _deposit(settings, 6)
        for file in lost(state):
            file.unlink()
        await child.start()
        after = await _delivered(settings, done + 12)
        await asyncio.sleep(3)  # time enough for a second delivery of the first six
        after = await _books(settings)
    finally:
        assert await child.stop() == 0

    assert delivered_once(after, done + 12) == []
    assert unchanged(before, after) == []
