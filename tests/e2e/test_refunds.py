from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from relayer.app.chains import kit_for
from relayer.cli.control import hand_over
from relayer.cli.demo.books import Books, read_books, unchanged
from relayer.devnet.world import LocalWorld
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.command import Verb
from relayer.domain.errors import Transient, Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from relayer.domain.transfer import Refund
from tests.e2e.scene import PATIENCE, Scene, scene_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

SHARES = Shares(12_345 * RAW_UNIT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(world: LocalWorld) -> AsyncIterator[Scene]:
    async with scene_of(world) as scene:
        yield scene


async def _from_solana(scene: Scene) -> str:
    """A memo that is no memo of ours."""
    return await scene.burnt(b"thanks for all the fish")


async def _from_bnb(scene: Scene) -> str:
    """To a mint on Solana, which could never use the shares."""
    to = scene.token(scene.solana, "NVDAx")
    return await scene.sent(scene.bnb, scene.solana, to, "AAPLx", SHARES)


async def _from_tron(scene: Scene) -> str:
    """To a sanctioned account on BNB Chain."""
    outcast = Account(bytes(12) + b"\x5a" * 20)
    await scene.sanction(scene.bnb, "TSLAx", outcast)
    return await scene.sent(scene.tron, scene.bnb, outcast, "TSLAx", SHARES)


async def _held(scene: Scene) -> dict[tuple[ChainId, str], int]:
    wanted = [(scene.solana, "TSLAx"), (scene.bnb, "AAPLx"), (scene.tron, "TSLAx")]
    return {(c, a): await scene.shares(c, scene.user(c), a) for c, a in wanted}


async def _books(scene: Scene) -> Books:
    kits = [kit_for(scene.settings, c, lambda *_: None) for c in scene.settings.chains]
    readers = [kit.reader() for kit in kits]
    try:
        for _ in range(50):
            with contextlib.suppress(Transient):
                return await read_books(readers)
            await asyncio.sleep(0.2)
        return await read_books(readers)
    finally:
        for kit in kits:
            await kit.close()


async def test_each_chain_gives_back_what_cannot_be_delivered(scene: Scene) -> None:
    """From Solana, BNB Chain and Tron: parked by name, ordered, given back to the last unit."""
    before, books = await _held(scene), await _books(scene)
    made = [await make(scene) for make in (_from_solana, _from_bnb, _from_tron)]
    reasons = [Reason.MEMO_MALFORMED, Reason.RECIPIENT_REFUSED, Reason.RECIPIENT_SANCTIONED]
    for tx, reason in zip(made, reasons, strict=True):
        await scene.until(tx, Stage.PARKED, reason)
    assert await _held(scene) != before

    for tx in made:
        await scene.order("refund", tx)
    for tx in made:
        await scene.until(tx, Stage.REFUNDED)

    assert await _held(scene) == before
    after = await _books(scene)
    assert len([fact for fact in after.facts if isinstance(fact, Refund)]) == 3
    assert unchanged(books, after) == []
    story = await scene.relayer("trace", made[1])
    words = ("void  ", "refund  ", "signing (void)", "voided", "signing (refund)", "refunded")
    assert all(word in story for word in words), story
    await _settled(scene)
    assert "3 refunded" in await scene.relayer("status")


async def _settled(scene: Scene) -> None:
    """Wait until a reading of the books has nothing in flight and issues leases for all assets."""
    supply = ""
    for _ in range(int(PATIENCE)):
        supply = await scene.relayer("supply")
        whole = supply.count("lease issued: the invariant holds") == 3
        if whole and supply.count("; 0 of it in flight") == 3:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(supply)


async def test_an_order_that_nobody_signed_changes_nothing(scene: Scene) -> None:
    """Through the door: garbage, a stranger's key, and an order for what is closed, by name."""
    tx = await scene.burnt(b"more fish")
    (told,) = await scene.until(tx, Stage.PARKED, Reason.MEMO_MALFORMED)
    stranger = ("--key", "file:keys/monitor", "--reason", "theft")

    refused = await scene.refused("refund", *stranger, told.id.hex())
    assert "is not a known operator" in refused
    with pytest.raises(Unavailable, match="refused"):
        await hand_over(scene.settings, None, b"{}")
    for reason in ("not_authentic", "unreadable"):
        labels = f'{{reason="{reason}",topic="bridge.control"}}'
        assert await scene.metric(f"relayer_records_refused_total{labels}") == 1
    await asyncio.sleep(1)
    assert scene.told(tx)[0].stage is Stage.PARKED

    await scene.order("retry", tx)
    await scene.order("refund", told.id.hex()[:16])
    await scene.until(tx, Stage.REFUNDED)
    assert "nothing left to order" in await scene.refused(
        "refund", "--key", "file:keys/operator", "--reason", "again", tx
    )


async def test_orders_that_race_deliveries_end_in_one_of_both(scene: Scene) -> None:
    """On all routes, ordered at any moment, the relayer killed in between: once, never both."""
    books, chains = await _books(scene), [scene.solana, scene.bnb, scene.tron]
    routes = [(a, b) for a in chains for b in chains if a != b] * 2
    async with asyncio.TaskGroup() as group:
        races = [
            group.create_task(_race(scene, source, to, number))
            for number, (source, to) in enumerate(routes)
        ]
        await asyncio.sleep(4)
        await scene.child.kill()
        await scene.child.start()
    made = [race.result().tx for race in races]
    assert any(race.result().ordered for race in races)
    ends = [await scene.ended(tx) for tx in made]

    after = await _books(scene)
    delivered = [fact.id for fact in after.deliveries]
    refunded = [fact.id for fact in after.facts if isinstance(fact, Refund)]
    ids = {deposit.id for deposit in after.deposits if deposit.location.tx in made}
    assert len(ids) == len(made)
    assert all(delivered.count(one) + refunded.count(one) == 1 for one in ids)
    assert {told.id for told in ends if told.stage is Stage.REFUNDED} == ids & set(refunded)
    assert unchanged(books, after) == []


@dataclass(frozen=True, slots=True)
class _Race:
    """A deposit, and whether an order met it before its end."""

    tx: str
    ordered: bool


async def _race(scene: Scene, source: ChainId, to: ChainId, number: int) -> _Race:
    """Deposit, and order the refund as soon as the transfer is known, or some time later."""
    shares = Shares((5_000 + number) * RAW_UNIT)
    tx = await scene.sent(source, to, scene.user(to), "NVDAx", shares)
    for _ in range(3_000):
        told = scene.told(tx)
        if told and told[0].stage is Stage.DELIVERED:
            break
        if told:
            await asyncio.sleep(0.05 * number)
            if await scene.ordered(Verb.REFUND, told[0]):
                return _Race(tx, ordered=True)
        await asyncio.sleep(0.02)
    return _Race(tx, ordered=False)
