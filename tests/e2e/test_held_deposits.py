"""Deposits that wait and go on by themselves, on three local chains: rows of docs/deposits.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from relayer.devnet.deploy import INVENTORY
from relayer.devnet.world import LocalWorld
from relayer.domain.address import account_from_evm, account_from_tron
from relayer.domain.amount import WAD, Shares
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from tests.e2e.scene import Scene, scene_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

SOMEBODY = account_from_evm(b"\x11" * 20)
Made = dict[str, "asyncio.Task[str]"]
Maker = Callable[[Scene], Coroutine[Any, Any, str]]
MAKERS: dict[str, Maker] = {}


def _row(maker: Maker) -> Maker:
    MAKERS[maker.__name__] = maker
    return maker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(world: LocalWorld) -> AsyncIterator[Scene]:
    """A relayer that delivers 5 NVDAx per route in 8 seconds."""
    async with scene_of(world, window_cap="5", window_seconds="8") as scene:
        yield scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(scene: Scene) -> AsyncIterator[Made]:
    """All deposits, begun at once: each test waits for its own."""
    async with asyncio.TaskGroup() as group:
        yield {name: group.create_task(maker(scene)) for name, maker in MAKERS.items()}


@_row
async def to_frozen(scene: Scene) -> str:
    owner = scene.user(scene.solana, 1)
    await scene.freeze("NVDAx", scene.holding("NVDAx", 1), frozen=True)
    return await scene.sent(scene.bnb, scene.solana, owner, "NVDAx", Shares(WAD))


async def test_a_frozen_recipient_is_held_until_it_is_thawed(scene: Scene, made: Made) -> None:
    """The issuer freezes an account on Solana: held by name, delivered when it is thawed."""
    tx = await made["to_frozen"]
    await scene.until(tx, Stage.WAITING, Reason.RECIPIENT_FROZEN)

    await scene.freeze("NVDAx", scene.holding("NVDAx", 1), frozen=False)

    await scene.until(tx, Stage.DELIVERED)


@_row
async def over_allowance(scene: Scene) -> str:
    await scene.allow("AAPLx", Shares(WAD))
    to = scene.user(scene.solana, 2)
    return await scene.sent(scene.tron, scene.solana, to, "AAPLx", Shares(2 * WAD))


async def test_too_small_an_allowance_holds_until_it_is_raised(scene: Scene, made: Made) -> None:
    """The vault has the shares, the quorum may not take them: held, delivered when it may."""
    tx = await made["over_allowance"]
    (told,) = await scene.until(tx, Stage.WAITING, Reason.NO_INVENTORY)
    assert told.detail.endswith("2 shares are needed")

    await scene.allow("AAPLx", INVENTORY)

    await scene.until(tx, Stage.DELIVERED)


@_row
async def over_inventory(scene: Scene) -> str:
    await scene.move_inventory("AAPLx", 4 * WAD - INVENTORY)
    await asyncio.sleep(3)  # until it is read: before that the chain itself refuses, in its words
    return await scene.sent(scene.solana, scene.bnb, SOMEBODY, "AAPLx", Shares(10 * WAD))


async def test_too_small_an_inventory_holds_until_it_is_filled(scene: Scene, made: Made) -> None:
    """The gateway holds 4 of 10 shares: held with what is missing, delivered when it is there."""
    tx = await made["over_inventory"]
    (told,) = await scene.until(tx, Stage.WAITING, Reason.NO_INVENTORY)
    assert told.detail == "6 shares are missing"

    await scene.move_inventory("AAPLx", INVENTORY - 4 * WAD)

    await scene.until(tx, Stage.DELIVERED)
    assert await scene.shares(scene.bnb, SOMEBODY, "AAPLx") == 10 * WAD


@_row
async def to_paused(scene: Scene) -> str:
    await scene.pause(scene.tron, "TSLAx", paused=True)
    await asyncio.sleep(3)
    return await scene.sent(scene.bnb, scene.tron, account_from_tron(b"\x11" * 20))


async def test_a_paused_destination_holds_and_goes_on_by_itself(scene: Scene, made: Made) -> None:
    """The issuer pauses the token on Tron: held by name, delivered when it is resumed."""
    tx = await made["to_paused"]
    await scene.until(tx, Stage.WAITING, Reason.PAUSED)

    await scene.pause(scene.tron, "TSLAx", paused=False)

    await scene.until(tx, Stage.DELIVERED)


async def _held_of(scene: Scene, txs: Sequence[str]) -> str:
    """The one of several that finds the window full: which one comes first is not said."""
    held = [asyncio.create_task(scene.until(t, Stage.WAITING, Reason.WINDOW_FULL)) for t in txs]
    done, others = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    (found,) = done.pop().result()
    return found.source_tx


@_row
async def over_window(scene: Scene) -> str:
    to = scene.user(scene.tron, 1)
    send = partial(scene.sent, scene.solana, scene.tron, to, "NVDAx", Shares(3 * WAD))
    return await _held_of(scene, [await send(), await send()])


@_row
async def over_gateways_window(scene: Scene) -> str:
    await scene.cap("NVDAx", Shares(WAD), 8)
    send = partial(scene.sent, scene.tron, scene.bnb, SOMEBODY, "NVDAx", Shares(WAD))
    return await _held_of(scene, [await send(), await send()])


@pytest.mark.parametrize("name", ["over_window", "over_gateways_window"])
async def test_a_full_window_holds_and_goes_on_as_it_moves(
    scene: Scene, made: Made, name: str
) -> None:
    """The operator's cap per route, and the gateway's own: nobody has to do anything."""
    await scene.until(await made[name], Stage.DELIVERED)
