"""What is refused on chain, and what is no deposit at all: more rows of docs/deposits.md."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import pytest
import pytest_asyncio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.app.chains import kit_for
from relayer.chains.evm.sender import EvmSender
from relayer.chains.gateway.acts import deposit_calldata
from relayer.chains.gateway.configure import Call, approval
from relayer.chains.solana import programs, tokens
from relayer.chains.solana.depositor import newest_blockhash, signed
from relayer.chains.tron.sender import TronSender
from relayer.cli.demo.plan import user_secret
from relayer.devnet.world import LocalWorld
from relayer.domain.address import (
    Account,
    ChainId,
    account_from_evm,
    account_from_tron,
    chain_key,
    word_of,
)
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.errors import Rejected
from relayer.domain.stage import Stage
from relayer.domain.transfer import Deposit
from tests.e2e.scene import UNIT, Scene, scene_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

SOMEBODY = account_from_evm(b"\x11" * 20)
NOWHERE = ChainId("eip155:1")
STRANGER = b"\x99" * 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(world: LocalWorld) -> AsyncIterator[Scene]:
    async with scene_of(world) as scene:
        yield scene


# -- refused by the gateways of BNB Chain and Tron, which run the same source


async def _refusal(scene: Scene, chain: ChainId, data: bytes, paid: int) -> str:
    """The gateway's word for a deposit that user 0 would make, or nothing if it took it."""
    bridge = scene.world.bridge
    signer = bridge.users[0].evm_signer
    place = bridge.evm if chain == scene.bnb else bridge.tron
    call = Call(to=word_of(place.gateway), data=data)
    try:
        if chain == scene.bnb:
            await EvmSender(scene.evm_rpc, signer).ask(call, wei=paid)
        else:
            await TronSender(scene.tron_rpc, signer).estimate(call, sun=paid)
    except Rejected as word:
        return str(word)
    return ""


REFUSALS = {
    "unknown_destination": "UnlistedDestination",
    "own_chain": "UnlistedDestination",
    "other_family": "BadRecipientShape",
    "zero_address": "BadRecipientShape",
    "peer_gateway": "RecipientDenied",
    "peer_token": "RecipientDenied",
    "refund_to_gateway": "RefundToDenied",
    "dust": "DustyAmount",
    "below_minimum": "AmountOutOfBounds",
    "over_cap": "AmountOutOfBounds",
    "underpaid": "WrongFee",
    "look_alike": "DepositsClosed",
}


@pytest.mark.parametrize("source", ["bnb", "tron"])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_gateway_refuses_a_bad_deposit(scene: Scene, source: str, name: str) -> None:
    """Nothing is burned or locked: the deposit reverts with the gateway's word for why."""
    bridge = scene.world.bridge
    chain, other = (scene.bnb, scene.tron) if source == "bnb" else (scene.tron, scene.bnb)
    peer = bridge.tron if source == "bnb" else bridge.evm
    here = bridge.evm if source == "bnb" else bridge.tron
    somebody = account_from_tron(STRANGER) if source == "bnb" else account_from_evm(STRANGER)
    misfit = account_from_evm(STRANGER) if source == "bnb" else account_from_tron(STRANGER)
    zero = account_from_tron(bytes(20)) if source == "bnb" else account_from_evm(bytes(20))
    destinations = {"unknown_destination": NOWHERE, "own_chain": chain}
    recipients = {
        "other_family": misfit,
        "zero_address": zero,
        "peer_gateway": peer.gateway,
        "peer_token": peer.tokens[0].token,
    }
    shares = {"dust": RAW_UNIT * 10**8 + 1, "below_minimum": 1, "over_cap": 2**200 * RAW_UNIT}
    data = deposit_calldata(
        token=STRANGER if name == "look_alike" else word_of(scene.token(chain, "TSLAx")),
        shares=shares.get(name, RAW_UNIT * 10**8),
        destination=chain_key(destinations.get(name, other)),
        recipient=recipients.get(name, somebody),
        refund_to=word_of(here.gateway) if name == "refund_to_gateway" else STRANGER,
    )
    fee = 10**14 if source == "bnb" else 5_000_000

    word = await _refusal(scene, chain, data, fee - (name == "underpaid"))

    assert word.startswith(REFUSALS[name]), word


@pytest.mark.parametrize("source", ["bnb", "tron"])
async def test_a_sanctioned_sender_cannot_deposit(scene: Scene, source: str) -> None:
    """The token refuses to move the shares of an account on its sanctions list."""
    chain = scene.bnb if source == "bnb" else scene.tron
    place = scene.world.bridge.evm if source == "bnb" else scene.world.bridge.tron
    signer, token = scene.world.bridge.users[2].evm_signer, scene.token(chain, "NVDAx")
    kit = kit_for(scene.settings, scene.settings.chain(chain), lambda *_: None)
    depositor = kit.depositor(user_secret(scene.settings, chain, 2))
    allowed = approval(word_of(token), word_of(place.gateway), RAW_UNIT)
    if source == "bnb":
        sender = EvmSender(scene.evm_rpc, signer)
        await sender.all_mined(await sender.send(allowed, gas=200_000))
    await scene.sanction(chain, "NVDAx", depositor.account)
    try:
        with pytest.raises(Rejected, match="is sanctioned"):
            await depositor.deposit("NVDAx", UNIT, scene.solana, scene.user(scene.solana))
    finally:
        await kit.close()


async def test_a_frozen_account_cannot_deposit(scene: Scene) -> None:
    """The token program refuses the burn of a frozen account."""
    await scene.freeze("NVDAx", scene.holding("NVDAx"), frozen=True)
    with pytest.raises(Rejected, match=r"17|0x11"):
        await scene.burnt(scene.memo(scene.bnb, SOMEBODY).data, asset="NVDAx")
    await scene.freeze("NVDAx", scene.holding("NVDAx"), frozen=False)


async def test_a_memo_that_is_no_text_is_refused_on_chain(scene: Scene) -> None:
    """The memo program takes valid UTF-8 only: the whole transaction fails, nothing is burned."""
    with pytest.raises(Rejected, match="InvalidInstructionData"):
        await scene.burnt(b"\xff\xfe")


# -- no deposits at all


async def _clawed_back(scene: Scene) -> str:
    """The issuer burns as permanent delegate, in the very form of a deposit."""
    key = Keypair.from_seed(scene.world.bridge.solana.issuer_seed)
    burn = scene.burn("NVDAx", by=bytes(key.pubkey()))
    parts = [burn, scene.fee(scene.bnb), scene.memo(scene.bnb, SOMEBODY)]
    return await scene.wallet().send(parts, key)


async def _raw(scene: Scene, parts: Sequence[Instruction]) -> tuple[str, bytes]:
    key = Keypair.from_seed(scene.world.bridge.users[0].solana_secret)
    blockhash, _, _ = await newest_blockhash(scene.rpc)
    raw = signed(parts, [key], blockhash)
    return str(Signature(raw[1:65])), raw


async def _push(scene: Scene, raw: bytes) -> None:
    options = {"encoding": "base64", "skipPreflight": True}
    await scene.rpc.call("sendTransaction", b64encode(raw).decode(), options)


async def _failed(scene: Scene) -> str:
    """A deposit whose transaction fails after the burn; its memo is on chain all the same."""
    poor = programs.pay(scene.user(scene.solana), bytes(scene.config.fee_collector), 10**15)
    parts = [
        scene.burn("TSLAx", 2_000),
        scene.fee(scene.bnb),
        scene.memo(scene.bnb, SOMEBODY),
        poor,
    ]
    tx, raw = await _raw(scene, parts)
    await _push(scene, raw)
    async with asyncio.timeout(20):
        while (await scene.rpc.call("getSignatureStatuses", [tx]))["value"][0] is None:
            await asyncio.sleep(0.1)
    status = (await scene.rpc.call("getSignatureStatuses", [tx]))["value"][0]
    assert status["err"] is not None
    return tx


async def _look_alike(scene: Scene) -> str:
    """A burn of a token with the name, the symbol and the decimals of TSLAx."""
    user, mint = scene.user(scene.solana), Keypair()
    key, wallet = bytes(mint.pubkey()), scene.wallet()
    made = tokens.xstock_mint(key, user, 1.0)
    await wallet.make(mint, tokens.MINT_BYTES, *made, extra=tokens.METADATA_BYTES)
    named = tokens.metadata(key, user, "TSLAx (test)", "TSLAx", "https://example.invalid/TSLAx")
    account = programs.token_account(user, key)
    await wallet.send(
        [
            named,
            programs.create_account(wallet.key, user, key),
            programs.mint_to(key, account, 10**9, user),
        ],
    )
    parts = [scene.burn("TSLAx", mint=key), scene.fee(scene.bnb), scene.memo(scene.bnb, SOMEBODY)]
    return await wallet.send(parts)


async def _phantom(scene: Scene) -> str:
    """A simulation of an unsigned burn, which a node's log subscriptions announce as final."""
    blockhash, _, _ = await newest_blockhash(scene.rpc)
    payer = Keypair.from_seed(scene.world.bridge.users[0].solana_secret).pubkey()
    parts = [scene.burn("TSLAx", 2_000), scene.fee(scene.bnb), scene.memo(scene.bnb, SOMEBODY)]
    message = MessageV0.try_compile(payer, parts, [], blockhash)
    made_up = Signature(secrets.token_bytes(64))
    raw = bytes(VersionedTransaction.populate(message, [made_up]))
    options = {"encoding": "base64", "sigVerify": False, "commitment": "confirmed"}
    answer = await scene.rpc.call("simulateTransaction", b64encode(raw).decode(), options)
    assert answer["value"]["err"] is None
    return str(made_up)


async def _reorged(scene: Scene) -> str:
    """A deposit in a block that another fork replaces before it is final."""
    parts = [scene.burn("TSLAx", 2_000), scene.fee(scene.bnb), scene.memo(scene.bnb, SOMEBODY)]
    tx, raw = await _raw(scene, parts)
    node = scene.world.solana.node
    scene.world.solana.faults.stall()
    await asyncio.sleep(0.2)
    await _push(scene, raw)
    node.produce()
    seen = (await scene.rpc.call("getSignatureStatuses", [tx]))["value"][0]
    assert seen is not None
    assert node.reorg(1) == 1
    scene.world.solana.faults.resume()
    return tx


MAKERS = {
    "permanent_delegate": _clawed_back,
    "failed": _failed,
    "look_alike": _look_alike,
    "phantom": _phantom,
    "reorged": _reorged,
}


@pytest.mark.parametrize("name", MAKERS)
async def test_what_is_no_deposit_is_ignored(scene: Scene, name: str) -> None:
    """Nothing is told of it, not even parked; the same memo in a good deposit is delivered."""
    ignored = await MAKERS[name](scene)

    good = await scene.burnt(scene.memo(scene.bnb, SOMEBODY).data)
    (told,) = await scene.until(good, Stage.DELIVERED)

    assert told.recipient == Account(SOMEBODY)
    assert scene.told(ignored) == []
    burns = await _deposits(scene, scene.solana)
    assert good in burns
    assert ignored not in burns


async def _deposits(scene: Scene, chain: ChainId) -> set[str]:
    """The transactions of all final deposits of a chain."""
    kit = kit_for(scene.settings, scene.settings.chain(chain), lambda *_: None)
    reader = kit.reader()
    head = await reader.final_head()
    facts = await reader.history(reader.first_height, head.height)
    await kit.close()
    return {fact.location.tx for fact in facts if isinstance(fact, Deposit)}


async def _mined_and_undone_on_bnb(scene: Scene, deposit: Coroutine[Any, Any, str]) -> str:
    anvil = scene.world.anvil.rpc
    await anvil.call("evm_setIntervalMining", 0)
    sending = asyncio.create_task(deposit)
    while int((await anvil.call("txpool_status"))["pending"], 16) < 2:
        await asyncio.sleep(0.05)
    await anvil.call("evm_mine")
    tx = await sending
    await anvil.call("anvil_rollback", 1)
    await anvil.call("evm_setIntervalMining", 1)
    return tx


async def _mined_and_undone_on_tron(scene: Scene, deposit: Coroutine[Any, Any, str]) -> str:
    tron = scene.world.tron
    tron.faults.stall()
    sending = asyncio.create_task(deposit)
    while not sending.done():
        await tron.node.produce()
        await asyncio.sleep(0.2)
    await tron.faults.reorg(1)
    tron.faults.resume()
    return sending.result()


@pytest.mark.parametrize("source", ["bnb", "tron"])
async def test_a_deposit_in_a_reorged_block_of_a_gateway_is_ignored(
    scene: Scene, source: str
) -> None:
    """It was mined, and is gone before it is final: its id goes to the next deposit, of more shares."""
    chain, undone = (
        (scene.bnb, _mined_and_undone_on_bnb)
        if source == "bnb"
        else (scene.tron, _mined_and_undone_on_tron)
    )
    to = scene.user(scene.solana, 1)

    gone = await undone(scene, scene.sent(chain, scene.solana, to, shares=Shares(2 * UNIT)))
    good = await scene.sent(chain, scene.solana, to, shares=Shares(3 * UNIT))
    (told,) = await scene.until(good, Stage.DELIVERED)

    assert told.shares == 3 * UNIT
    assert scene.told(gone) == []
    final = await _deposits(scene, chain)
    assert good in final
    assert gone not in final


async def test_the_books_are_whole_after_all_that(scene: Scene) -> None:
    """No halt: burns that are no deposits are the issuer's or nobody's, and K says so."""
    await asyncio.sleep(2)
    listed = await scene.relayer("resume", "--key", "file:keys/operator", "--reason", "-")
    assert listed == "no halt is in force\n"
