"""Bad deposits on three local chains with the real services: the rows of docs/deposits.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from solders.instruction import AccountMeta
from solders.keypair import Keypair

from relayer.chains.solana import programs, tokens
from relayer.devnet.world import LocalWorld
from relayer.domain.address import Account, ChainId, account_from_evm, account_from_tron, caip10
from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from tests.e2e.forwarder import Given, forwarded
from tests.e2e.scene import Scene, scene_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

OUTCAST = account_from_evm(b"\x5a" * 20)
SOMEBODY = account_from_evm(b"\x11" * 20)
Made = dict[str, "asyncio.Task[str]"]
Maker = Callable[[Scene], Coroutine[Any, Any, str]]
MAKERS: dict[str, Maker] = {}


def _row(maker: Maker) -> Maker:
    MAKERS[maker.__name__] = maker
    return maker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(world: LocalWorld) -> AsyncIterator[Scene]:
    """A relayer that parks NVDAx below 0.0001 and above 5 shares."""
    async with scene_of(world, minimum="0.0001", cap="5") as scene:
        yield scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(scene: Scene) -> AsyncIterator[Made]:
    """All bad deposits, begun at once: each test waits for its own."""
    async with asyncio.TaskGroup() as group:
        yield {name: group.create_task(maker(scene)) for name, maker in MAKERS.items()}


# -- memos


@_row
async def garbage_memo(scene: Scene) -> str:
    return await scene.burnt(b"xs1: thanks for all the fish")


@_row
async def oversized_memo(scene: Scene) -> str:
    return await scene.burnt(b"xs1:" + b"a" * 300)


@_row
async def future_memo(scene: Scene) -> str:
    good = scene.memo(scene.bnb, SOMEBODY).data
    return await scene.burnt(good.replace(b"xs1:", b"xs2:"))


@_row
async def no_memo(scene: Scene) -> str:
    return await scene.burnt()


@pytest.mark.parametrize("name", ["garbage_memo", "oversized_memo", "future_memo", "no_memo"])
async def test_a_memo_outside_the_grammar_is_parked(scene: Scene, made: Made, name: str) -> None:
    """Garbage, 300 bytes, another version, none at all: parked, refundable."""
    await scene.until(await made[name], Stage.PARKED, Reason.MEMO_MALFORMED)


@_row
async def two_burns(scene: Scene) -> str:
    return await scene.burnt(scene.memo(scene.bnb, SOMEBODY).data, burns=2)


@_row
async def two_memos(scene: Scene) -> str:
    memos = [scene.memo(chain, SOMEBODY).data for chain in (scene.bnb, scene.bnb)]
    return await scene.burnt(*memos)


@pytest.mark.parametrize(("name", "count"), [("two_burns", 2), ("two_memos", 1)])
async def test_burns_and_memos_that_do_not_pair_are_parked(
    scene: Scene, made: Made, name: str, count: int
) -> None:
    """Two burns with one memo are two parked transfers; one burn with two memos is one."""
    await scene.until(await made[name], Stage.PARKED, Reason.MEMO_AMBIGUOUS, count)


# -- who burns


@_row
async def by_delegate(scene: Scene) -> str:
    owner, delegate = scene.user(scene.solana, 0), scene.user(scene.solana, 1)
    mint = bytes(scene.token(scene.solana, "TSLAx"))
    allowed = tokens.approve(bytes(scene.holding("TSLAx")), mint, delegate, 5_000, owner)
    await scene.wallet().send([allowed])
    parts = [scene.burn("TSLAx", by=delegate), scene.fee(scene.bnb, 1)]
    return await scene.wallet(1).send([*parts, scene.memo(scene.bnb, SOMEBODY)])


@_row
async def inside_cpi(scene: Scene) -> str:
    bank, height = scene.world.solana.node.bank, scene.world.solana.node.chain.height
    burn, program = scene.burn("TSLAx"), Keypair().pubkey()
    called = AccountMeta(programs.TOKEN, is_signer=False, is_writable=False)
    accounts = [*burn.accounts, called]
    read = {meta.pubkey: bank.read(meta.pubkey, height) for meta in accounts}
    sizes = {key: len(account.data) if account else 0 for key, account in read.items()}
    given = [Given(meta=meta, size=sizes[meta.pubkey]) for meta in accounts]
    elf, forward = forwarded(program, burn, given)
    bank.load(program, elf)
    parts = [forward, scene.fee(scene.bnb), scene.memo(scene.bnb, SOMEBODY)]
    return await scene.wallet().send(parts)


async def test_a_burn_inside_another_program_is_parked(scene: Scene, made: Made) -> None:
    """A program burns for its caller, as a smart wallet does: parked, and refunded to the owner."""
    tx = await made["inside_cpi"]
    (told,) = await scene.until(tx, Stage.PARKED, Reason.INSIDE_CPI)

    await scene.order("refund", tx)
    await scene.until(tx, Stage.REFUNDED)

    assert told.sender == scene.user(scene.solana)
    assert told.shares == 1_000 * RAW_UNIT


async def test_a_burn_by_a_delegate_is_parked_for_its_owner(scene: Scene, made: Made) -> None:
    """Somebody the owner allowed to: parked, and the owner is who gets a refund."""
    tx = await made["by_delegate"]
    (told,) = await scene.until(tx, Stage.PARKED, Reason.BY_DELEGATE)
    before = await scene.shares(scene.solana, scene.user(scene.solana), "TSLAx")

    await scene.order("refund", tx)
    await scene.until(tx, Stage.REFUNDED)

    assert told.sender == scene.user(scene.solana, 1)
    after = await scene.shares(scene.solana, scene.user(scene.solana), "TSLAx")
    assert after - before == told.shares


# -- where to


@_row
async def unknown_destination(scene: Scene) -> str:
    return await scene.burnt(b"xs1:" + caip10(ChainId("eip155:1"), SOMEBODY).encode())


@_row
async def own_chain(scene: Scene) -> str:
    to = scene.user(scene.solana, 1)
    return await scene.burnt(b"xs1:" + caip10(scene.solana, to).encode())


@pytest.mark.parametrize("name", ["unknown_destination", "own_chain"])
async def test_a_destination_that_is_not_served_is_parked(
    scene: Scene, made: Made, name: str
) -> None:
    """Another chain, and the source itself: there is no such route."""
    await scene.until(await made[name], Stage.PARKED, Reason.UNKNOWN_ROUTE)


@_row
async def tron_recipient_on_bnb(scene: Scene) -> str:
    name = caip10(scene.tron, account_from_tron(b"\x11" * 20)).rpartition(":")[2]
    return await scene.burnt(f"xs1:{scene.bnb}:{name}".encode())


@_row
async def zero_recipient(scene: Scene) -> str:
    return await scene.burnt(f"xs1:{scene.bnb}:0x{'0' * 40}".encode())


@pytest.mark.parametrize("name", ["tron_recipient_on_bnb", "zero_recipient"])
async def test_a_recipient_that_is_no_account_there_is_parked(
    scene: Scene, made: Made, name: str
) -> None:
    """A Tron address for BNB Chain, and the zero address: outside the memo's grammar."""
    await scene.until(await made[name], Stage.PARKED, Reason.MEMO_MALFORMED)


@_row
async def to_gateway(scene: Scene) -> str:
    return await scene.burnt(scene.memo(scene.bnb, scene.world.bridge.evm.gateway).data)


@_row
async def to_token(scene: Scene) -> str:
    to = scene.token(scene.tron, "TSLAx")
    return await scene.wallet().send(
        [scene.burn("TSLAx"), scene.fee(scene.tron), scene.memo(scene.tron, to)]
    )


@_row
async def to_mint(scene: Scene) -> str:
    return await scene.sent(scene.tron, scene.solana, scene.token(scene.solana, "AAPLx"))


@_row
async def to_other_token_account(scene: Scene) -> str:
    to = Account(bytes(scene.holding("NVDAx", 1)))
    return await scene.sent(scene.bnb, scene.solana, to)


@_row
async def to_program(scene: Scene) -> str:
    return await scene.sent(scene.bnb, scene.solana, Account(programs.MEMO_BYTES))


@pytest.mark.parametrize(
    "name", ["to_gateway", "to_token", "to_mint", "to_other_token_account", "to_program"]
)
async def test_a_recipient_that_could_not_use_shares_is_parked(
    scene: Scene, made: Made, name: str
) -> None:
    """A gateway, a token, a mint, a token account of another asset, a program."""
    await scene.until(await made[name], Stage.PARKED, Reason.RECIPIENT_REFUSED)


@_row
async def to_token_account(scene: Scene) -> str:
    to = Account(bytes(scene.holding("TSLAx", 2)))
    return await scene.sent(scene.bnb, scene.solana, to, shares=Shares(777 * RAW_UNIT))


async def test_a_token_account_of_the_asset_is_paid_itself(scene: Scene, made: Made) -> None:
    """Named instead of its owner, it gets the shares, and the books agree with its deposit."""
    await scene.until(await made["to_token_account"], Stage.DELIVERED)

    held = await scene.shares(scene.solana, scene.user(scene.solana, 2), "TSLAx")
    assert held == 1_000 * WAD + 777 * RAW_UNIT
    assert await scene.relayer("resume", "--key", "file:keys/operator", "--reason", "-") == (
        "no halt is in force\n"
    )


OFF_CURVE = Account(bytes(programs.token_account(b"\x01" * 32, b"\x02" * 32)))


@_row
async def off_curve(scene: Scene) -> str:
    return await scene.sent(scene.bnb, scene.solana, OFF_CURVE)


async def test_an_off_curve_recipient_is_a_smart_wallet(scene: Scene, made: Made) -> None:
    """No key can sign for it, a program can: its associated account gets the shares."""
    await scene.until(await made["off_curve"], Stage.DELIVERED)

    assert await scene.shares(scene.solana, OFF_CURVE, "TSLAx") == RAW_UNIT


# -- sanctions, limits, fees


async def _outcast(scene: Scene, chain: ChainId) -> str:
    to = OUTCAST if chain == scene.bnb else account_from_tron(bytes(OUTCAST[12:]))
    await scene.sanction(chain, "NVDAx", to)
    parts = [scene.burn("NVDAx", 20_000), scene.fee(chain), scene.memo(chain, to)]
    return await scene.wallet().send(parts)


@_row
async def sanctioned_on_bnb(scene: Scene) -> str:
    return await _outcast(scene, scene.bnb)


@_row
async def sanctioned_on_tron(scene: Scene) -> str:
    return await _outcast(scene, scene.tron)


@pytest.mark.parametrize("name", ["sanctioned_on_bnb", "sanctioned_on_tron"])
async def test_a_sanctioned_recipient_is_parked(scene: Scene, made: Made, name: str) -> None:
    """The token refuses to pay: a person looks, nothing is tried again and again."""
    await scene.until(await made[name], Stage.PARKED, Reason.RECIPIENT_SANCTIONED)


@_row
async def below_minimum(scene: Scene) -> str:
    return await scene.sent(scene.bnb, scene.tron, account_from_tron(b"\x11" * 20), "NVDAx")


@_row
async def over_cap(scene: Scene) -> str:
    to = account_from_tron(b"\x11" * 20)
    return await scene.sent(scene.bnb, scene.tron, to, "NVDAx", Shares(6 * WAD))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("below_minimum", Reason.BELOW_MINIMUM), ("over_cap", Reason.OVER_CAP)],
)
async def test_an_amount_outside_the_operators_limits_is_parked(
    scene: Scene, made: Made, name: str, reason: Reason
) -> None:
    """Too small, or more than one transfer may move."""
    await scene.until(await made[name], Stage.PARKED, reason)


@_row
async def underpaid(scene: Scene) -> str:
    parts = [scene.burn("TSLAx"), scene.fee(scene.bnb, less=1), scene.memo(scene.bnb, SOMEBODY)]
    return await scene.wallet().send(parts)


async def test_an_underpaid_fee_is_parked(scene: Scene, made: Made) -> None:
    """One lamport less than the fee."""
    await scene.until(await made["underpaid"], Stage.PARKED, Reason.FEE_UNDERPAID)
