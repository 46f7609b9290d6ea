"""The attesters are changed while a delivery is under way, on three local chains."""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio
import tomli_w
from eth_abi.abi import encode
from solders.instruction import Instruction
from solders.keypair import Keypair

from relayer.chains.gateway.configure import Call
from relayer.chains.gateway.words import selector
from relayer.chains.solana import programs, tokens
from relayer.chains.solana.setup import Wallet
from relayer.devnet import keys
from relayer.devnet.deploy import evm_attesters
from relayer.devnet.world import LocalWorld
from relayer.domain.address import (
    Account,
    ChainId,
    account_from_evm,
    account_from_tron,
    format_account,
    word_of,
)
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from tests.e2e.scene import Scene, scene_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]

SHARES = Shares(1_234 * RAW_UNIT)
SOON = 20.0
"""Seconds: less than what was signed would live for."""

Turn = Callable[[], Coroutine[Any, Any, None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(world: LocalWorld) -> AsyncIterator[Scene]:
    """A relayer that by itself waits for a minute before it sends or outbids anything again."""
    patient = {"resend_seconds": 60.0, "outbid_seconds": 60.0}
    async with scene_of(world, pace=patient) as scene:
        yield scene


def _rotation(gateway: Account, ring: keys.Keyring) -> Call:
    """The attesters in another order: another set as far as the gateway knows."""
    turned = [*evm_attesters(ring)[1:], *evm_attesters(ring)[:1]]
    arguments = encode(["address[]", "uint256"], [turned, keys.QUORUM])
    return Call(to=word_of(gateway), data=selector("setAttesters(address[],uint256)") + arguments)


async def _delivered_soon(scene: Scene, tx: str, to: Account, since: float) -> None:
    """Delivered once, and not by waiting for the end of what was signed before."""
    (told,) = await scene.until(tx, Stage.DELIVERED)
    assert time.monotonic() - since < SOON
    assert told.destination is not None
    assert await scene.shares(told.destination, to, "TSLAx") == SHARES
    log = (scene.world.directory / "relayer.log").read_text()
    waits = [line for line in log.splitlines() if Reason.EPOCH_ENDED in line]
    assert any(told.id.hex() in line for line in waits)


async def _on_the_way(scene: Scene, source: ChainId, destination: ChainId, to: Account) -> str:
    """A deposit whose delivery has been sent, and stands in no block."""
    tx = await scene.sent(source, destination, to, shares=SHARES)
    await scene.until(tx, Stage.SUBMITTED)
    return tx


async def test_a_rotation_on_bnb_chain_meets_a_delivery_in_the_pool(scene: Scene) -> None:
    """The node forgets it while the gateway gets its attesters: its nonce is freed, all is signed anew."""
    anvil, nodes = scene.world.anvil.rpc, scene.world.bridge.nodes
    to = account_from_evm(b"\x21" * 20)
    await anvil.call("evm_setIntervalMining", 0)
    tx = await _on_the_way(scene, scene.solana, scene.bnb, to)
    await anvil.call("anvil_dropAllTransactions")
    rotation = asyncio.create_task(
        scene.evm.run(_rotation(scene.world.bridge.evm.gateway, nodes.ring))
    )
    await asyncio.sleep(0.2)
    await anvil.call("evm_setIntervalMining", 1)
    await rotation

    await _delivered_soon(scene, tx, to, time.monotonic())


async def test_a_rotation_on_tron_meets_a_delivery_that_is_lost(scene: Scene) -> None:
    """The node takes it and forgets it: nothing waits for the end of its time."""
    to = account_from_tron(b"\x22" * 20)
    scene.world.tron.faults.drop_transactions(1)
    tx = await _on_the_way(scene, scene.solana, scene.tron, to)
    bridge = scene.world.bridge

    await scene.tvm.run(_rotation(bridge.tron.gateway, bridge.nodes.ring))

    await _delivered_soon(scene, tx, to, time.monotonic())


async def test_another_quorum_on_solana_signs_what_was_under_way(scene: Scene) -> None:
    """The roles go to another multisig, the settings name it: the next start drafts anew at once."""
    to = Account(bytes(Keypair().pubkey()))
    scene.world.solana.faults.drop_transactions(1)
    tx = await _on_the_way(scene, scene.bnb, scene.solana, to)
    await scene.child.kill()

    _rename(scene, await _new_quorum(scene))
    await scene.child.start()

    await _delivered_soon(scene, tx, to, time.monotonic())


async def _new_quorum(scene: Scene) -> Account:
    """Another multisig of the same attesters, with all roles of the one before."""
    config, nodes = scene.config, scene.world.bridge.nodes
    wallet, made = Wallet(scene.rpc, nodes.solana_key), Keypair()
    key = bytes(made.pubkey())
    await wallet.make(
        made, tokens.MULTISIG_BYTES, tokens.multisig(key, config.quorum, config.attesters)
    )
    names = list(keys.ATTESTERS)[: config.quorum]
    signers = [Keypair.from_seed(nodes.ring.secret(f"attester {name} solana")) for name in names]
    quorum = [bytes(one.pubkey()) for one in signers]

    def given(account: bytes, role: int) -> Instruction:
        single = tokens.hand_over(account, role, key, config.multisig)
        metas = [single.accounts[0], *programs.authority(config.multisig, quorum)]
        return Instruction(single.program_id, single.data, metas)

    minted = [bytes(p.token) for p in config.tokens if p.asset not in config.vaults]
    roles = [given(mint, tokens.MINT_TOKENS) for mint in minted]
    receipts = bytes(config.receipt_mint)
    roles += [given(receipts, role) for role in (tokens.MINT_TOKENS, tokens.FREEZE_ACCOUNT)]
    await wallet.send(roles, *signers)
    return Account(key)


def _rename(scene: Scene, quorum: Account) -> None:
    """Name the new multisig in the settings, and the former one among those that were."""
    path = scene.world.config_path
    config = tomllib.loads(path.read_text())
    solana = next(one for one in config["chains"] if one["chain"] == scene.solana)
    solana["past_multisigs"] = [solana["multisig"]]
    solana["multisig"] = format_account(scene.solana, quorum)
    path.write_text(tomli_w.dumps(config))
