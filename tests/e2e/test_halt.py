from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from relayer.app.chains import kit_for
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.gateway.configure import call
from relayer.chains.solana import programs
from relayer.chains.solana import setup as solana
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.setup import TronSetup
from relayer.cli.control import halts_of, publish
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import user_account, user_secret
from relayer.devnet import keys
from relayer.devnet.world import LocalWorld
from relayer.domain.address import ChainId, word_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.errors import Unavailable
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Resume
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings, load
from relayer.signing.local import Secp256k1Signer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relayer(world: LocalWorld) -> AsyncIterator[Settings]:
    child = Child(config=world.config_path, log=world.directory / "relayer.log")
    await child.start()
    try:
        yield load(world.config_path)
    finally:
        code = await child.stop()
        assert code == 0, (world.directory / "relayer.log").read_text()[-3000:]


async def _until(what: str, holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.3)):
        try:
            if await holds():
                return
        except Unavailable:
            pass
        await asyncio.sleep(0.3)
    pytest.fail(f"{what} did not happen in {seconds:.0f} s")


async def _send(settings: Settings, units: int) -> str:
    """One transfer of TSLAx from BNB Chain to Solana; the source transaction."""
    bnb, solana = (
        next(c.id for c in settings.chains if c.chain.startswith(family))
        for family in ("eip155", "solana")
    )
    kit = kit_for(settings, settings.chain(bnb), lambda *_: None)
    depositor = kit.depositor(user_secret(settings, bnb, 0))
    recipient = user_account(settings, solana, 0)
    try:
        return await depositor.deposit("TSLAx", Shares(units * RAW_UNIT), solana, recipient)
    finally:
        await kit.close()


def _stage(settings: Settings, tx: str) -> tuple[Stage, Reason | None] | None:
    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        found = [t.told for t in tracks.status(Filter(limit=100)) if t.told.source_tx == tx]
    return (found[0].stage, found[0].reason) if found else None


async def _is(settings: Settings, tx: str, stage: Stage, reason: Reason | None = None) -> bool:
    return _stage(settings, tx) == (stage, reason)


async def _unbacked_mint(world: LocalWorld) -> None:
    """A thief of the minter's role makes 1e-18 share of TSLAx on BNB Chain out of nothing."""
    rpc = EvmRpc(world.anvil.url)
    owner = Secp256k1Signer(bytes.fromhex(world.anvil.keys[0].removeprefix("0x")))
    token = next(p.token for p in world.bridge.evm.tokens if p.asset == "TSLAx")
    setup = EvmSetup(rpc, owner)
    await setup.run(call(word_of(token), "setMinter(address)", owner.public))
    await setup.run(call(word_of(token), "mint(address,uint256)", owner.public, 1))
    await setup.run(call(word_of(token), "setMinter(address)", word_of(world.bridge.evm.gateway)))
    await rpc.close()


async def _resume(settings: Settings, signer_name: str, digests: list[str]) -> None:
    signer = keys.ed25519(signer_name)
    resume = Resume(
        command=bytes(range(32)),
        halts=tuple(bytes.fromhex(digest) for digest in digests),
        reason="the unit is backed now",
        issued_at=0,
        expires_at=2**40,
    )
    body = RESUME.encode(resume).decode()
    signature = await signer.sign(to_sign(Role.OPERATOR, body))
    signed = Signed(role=Role.OPERATOR, key=signer.public, body=body, signature=signature)
    await publish(settings, None, CONTROL_RECORDS.encode(signed))


async def _halted(settings: Settings) -> bool:
    return bool(await halts_of(settings, None))


def _back_one_more_unit(directory: Path) -> None:
    file = directory / "reserves.json"
    reserves = json.loads(file.read_text())
    reserves["TSLAx"]["stock"] += ".000000000000000001"
    fresh = directory / "reserves.new"
    fresh.write_text(json.dumps(reserves))
    fresh.replace(file)


async def test_one_unbacked_unit_halts_and_only_the_operator_resumes(
    world: LocalWorld, relayer: Settings
) -> None:
    """A mint of 1e-18 share latches a halt; a stranger's resume does nothing, the operator's does."""
    first = await _send(relayer, 1_000)
    await _until("the first delivery", lambda: _is(relayer, first, Stage.DELIVERED))

    await _unbacked_mint(world)
    await _until("the halt", lambda: _halted(relayer))
    halted = await _send(relayer, 2_000)
    await _until("the hold", lambda: _is(relayer, halted, Stage.WAITING, Reason.HALTED))

    halts = await halts_of(relayer, None)
    assert "rule A is broken for TSLAx" in halts[0]["reason"]
    digests = [halt["digest"] for halt in halts]
    await _resume(relayer, "a stranger", digests)
    _back_one_more_unit(world.directory)
    await asyncio.sleep(3)
    assert [halt["digest"] for halt in await halts_of(relayer, None)] == digests
    assert await _is(relayer, halted, Stage.WAITING, Reason.HALTED)

    await _resume(relayer, "operator", digests)
    await _until("the delivery", lambda: _is(relayer, halted, Stage.DELIVERED))
    assert await halts_of(relayer, None) == []


async def test_other_assets_go_on_while_one_is_halted(world: LocalWorld, relayer: Settings) -> None:
    """The halt above covered TSLAx alone: routes of other assets had leases all the time."""
    with Tracks(relayer.path(relayer.state_dir) / "tracker.db") as tracks:
        verdicts = {verdict.asset: verdict for verdict in tracks.verdicts()}

    assert {asset: verdict.withheld for asset, verdict in verdicts.items()} == {
        "AAPLx": None,
        "NVDAx": None,
        "TSLAx": None,
    }


async def _mint_on_tron(world: LocalWorld) -> None:
    """The same theft of AAPLx on Tron, whose minter is the issuer's key."""
    nodes = world.bridge.nodes
    rpc = TronRpc(nodes.tron_url, nodes.tron_solidity)
    owner = Secp256k1Signer(nodes.tron_key)
    token = next(p.token for p in world.bridge.tron.tokens if p.asset == "AAPLx")
    await TronSetup(rpc, owner, poll_seconds=0.2).run(
        call(word_of(token), "mint(address,uint256)", owner.public, 1)
    )
    await rpc.close()


async def _mint_on_solana(world: LocalWorld) -> None:
    """Two attesters' keys mint one raw unit of NVDAx without any receipt."""
    deployed, nodes = world.bridge.solana.config, world.bridge.nodes
    rpc = SolanaRpc(nodes.solana_url)
    wallet = solana.Wallet(rpc, nodes.solana_key)
    mint = next(bytes(p.token) for p in deployed.tokens if p.asset == "NVDAx")
    thieves = [Keypair.from_seed(keys.secret(f"attester {name} solana")) for name in ("one", "two")]
    account = programs.token_account(wallet.key, mint)
    stolen = programs.mint_to(
        mint, account, 1, deployed.multisig, signers=[bytes(t.pubkey()) for t in thieves]
    )
    create = programs.create_account(wallet.key, wallet.key, mint)
    await wallet.send([create, stolen], *thieves)
    await rpc.close()


@pytest.mark.parametrize(("mint", "asset"), [(_mint_on_tron, "AAPLx"), (_mint_on_solana, "NVDAx")])
async def test_an_unbacked_unit_on_any_chain_halts_its_asset(
    world: LocalWorld,
    relayer: Settings,
    mint: Callable[[LocalWorld], Awaitable[None]],
    asset: str,
) -> None:
    """On Tron by the minter's key, on Solana by the quorum's own keys."""
    await mint(world)

    async def halted() -> bool:
        return any(halt["name"] == asset for halt in await halts_of(relayer, None))

    await _until(f"the halt of {asset}", halted)


async def test_a_stopped_relayer_is_gone_in_its_grace_period(
    world: LocalWorld, relayer: Settings
) -> None:
    """SIGTERM drains: exit code 0 within ten seconds, and a restart goes on."""
    del relayer
    child = Child(config=world.config_path, log=world.directory / "second.log")
    other = world.directory / "other"
    other.mkdir()
    config = world.config_path.read_text().replace(
        "state_secret", 'state_dir = "other"\nstate_secret'
    )
    (world.directory / "other.toml").write_text(config)
    child.config = world.directory / "other.toml"
    await child.start()
    async with asyncio.timeout(60):
        while not (other / "http.port").exists():
            await asyncio.sleep(0.1)

    async with asyncio.timeout(10):
        code = await child.stop()

    assert code == 0
    assert ChainId(world.bridge.evm.chain)
