"""A running bridge to make bad deposits on: users, the issuers' powers, and the operator's word."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import tomli_w
from click.testing import CliRunner
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.app.chains import ChainKit, kit_for
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.gateway.configure import MODES, approval, call
from relayer.chains.solana import programs, tokens
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.setup import Issuer, Wallet
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.setup import TronSetup
from relayer.cli.control import hand_over
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import user_account, user_secret
from relayer.cli.main import root
from relayer.cli.order import owner
from relayer.devnet.world import LocalWorld
from relayer.domain.address import Account, ChainId, word_of
from relayer.domain.amount import RAW_UNIT, Shares, raw_from_shares
from relayer.domain.authority import SIGNED, Role, Signed, to_sign
from relayer.domain.command import COMMAND, Command, Verb
from relayer.domain.errors import RelayerError, Unavailable
from relayer.domain.memo import write_memo
from relayer.domain.reasons import Reason
from relayer.domain.records import TransferTold
from relayer.domain.stage import CLOSED, Stage
from relayer.domain.transfer import Mode
from relayer.ports.chain import Depositor
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings, load
from relayer.signing.local import Secp256k1Signer

PATIENCE = 240.0 if "XSTOCKS_TEST_NODES" in os.environ else 60.0
"""Seconds until something that should happen is given up; real chains take theirs."""

UNIT = Shares(RAW_UNIT)


@dataclass(slots=True, kw_only=True)
class Scene:
    """Three chains, a relayer, users 0 to 2, and both issuers."""

    world: LocalWorld
    settings: Settings
    bnb: ChainId
    tron: ChainId
    solana: ChainId
    child: Child
    kits: dict[ChainId, ChainKit]
    depositors: dict[ChainId, Depositor]
    rpc: SolanaRpc
    evm_rpc: EvmRpc
    tron_rpc: TronRpc
    issuer: Issuer
    evm: EvmSetup
    tvm: TronSetup

    # -- who and what there is

    @property
    def config(self) -> SolanaConfig:
        """The bridge on Solana."""
        return self.world.bridge.solana.config

    def user(self, chain: ChainId, number: int = 0) -> Account:
        """A user's account on a chain."""
        return user_account(self.settings, chain, number)

    def attester(self, name: str, chain: ChainId) -> bytes:
        """An attester's public key as a chain knows it."""
        ring = self.world.bridge.nodes.ring
        on_solana = chain == self.solana
        key = ring.ed25519 if on_solana else ring.evm
        return key(f"attester {name} {'solana' if on_solana else 'evm'}").public

    def token(self, chain: ChainId, asset: str) -> Account:
        """The token or mint of an asset on a chain."""
        bridge = self.world.bridge
        tokens = {self.bnb: bridge.evm.tokens, self.tron: bridge.tron.tokens}
        places = tokens.get(chain, self.config.tokens)
        return next(place.token for place in places if place.asset == asset)

    def holding(self, asset: str, number: int = 0) -> Pubkey:
        """The token account in which a user holds an asset on Solana."""
        return programs.token_account(
            self.user(self.solana, number), self.token(self.solana, asset)
        )

    async def shares(self, chain: ChainId, account: Account, asset: str) -> Shares:
        """Shares that an account holds."""
        return await self.depositors[chain].shares_of(account, asset)

    # -- deposits on Solana, instruction by instruction

    def wallet(self, number: int = 0) -> Wallet:
        """A user's wallet on Solana."""
        return Wallet(self.rpc, self.world.bridge.users[number].solana_secret)

    def burn(
        self, asset: str, raw: int = 1_000, by: bytes | None = None, mint: bytes | None = None
    ) -> Instruction:
        """A burn of user 0's shares (1e-8) that carries the beacon."""
        owner = self.user(self.solana)
        key = mint or bytes(self.token(self.solana, asset))
        account = programs.token_account(owner, key)
        return programs.burn(account, key, raw, by or owner, (bytes(self.config.beacon),))

    def fee(self, destination: ChainId, number: int = 0, less: int = 0) -> Instruction:
        """The fee of a deposit to a destination, or so many lamports less than it."""
        fee = next(f.lamports for f in self.config.fees if f.destination == destination)
        payer = self.user(self.solana, number)
        return programs.pay(payer, self.config.fee_collector, fee - less)

    def memo(self, destination: ChainId, recipient: Account) -> Instruction:
        """The memo that asks for delivery to a recipient."""
        return programs.memo(write_memo(destination, recipient).encode())

    async def burnt(self, *memos: bytes, asset: str = "TSLAx", burns: int = 1) -> str:
        """Burns of user 0 with whatever memos, the fee for BNB Chain paid; the signature."""
        parts = [self.burn(asset, 1_000 + n) for n in range(burns)]
        return await self.wallet().send(
            [*parts, self.fee(self.bnb), *(programs.memo(one) for one in memos)]
        )

    # -- deposits through the gateways

    async def sent(
        self,
        source: ChainId,
        destination: ChainId,
        recipient: Account,
        asset: str = "TSLAx",
        shares: Shares = UNIT,
    ) -> str:
        """A deposit of user 0 in the proper form; its transaction."""
        return await self.depositors[source].deposit(asset, shares, destination, recipient)

    # -- the issuers

    async def _token_call(
        self, chain: ChainId, asset: str, what: str, *values: bytes | int
    ) -> None:
        setup = self.evm if chain == self.bnb else self.tvm
        await setup.run(call(word_of(self.token(chain, asset)), what, *values))

    async def pause(self, chain: ChainId, asset: str, *, paused: bool) -> None:
        """Pause or resume a token on BNB Chain or Tron as its issuer."""
        await self._token_call(chain, asset, "setPause(bool)", paused)

    async def sanction(self, chain: ChainId, asset: str, account: Account) -> None:
        """Put an account on the token's sanctions list."""
        listed = True
        await self._token_call(
            chain, asset, "setSanctioned(address,bool)", word_of(account), listed
        )

    async def freeze(self, asset: str, account: Pubkey, *, frozen: bool) -> None:
        """Freeze or thaw a token account as the issuer of its mint."""
        key = Keypair.from_seed(self.world.bridge.solana.issuer_seed)
        mint = bytes(self.token(self.solana, asset))
        made = programs.freeze(account, mint, bytes(key.pubkey()), ())
        if not frozen:
            made = Instruction(made.program_id, bytes([11]), made.accounts)
        await Wallet(self.rpc, self.world.bridge.nodes.solana_key).send([made], key)

    # -- the operator of an inventory

    async def move_inventory(self, asset: str, shares: int) -> None:
        """Put shares of the admin into the gateway of BNB Chain; below zero: take them out."""
        gateway, token = (
            word_of(self.world.bridge.evm.gateway),
            word_of(self.token(self.bnb, asset)),
        )
        if shares < 0:
            admin = Secp256k1Signer(self.world.bridge.nodes.evm_key).public
            taken = "withdrawInventory(address,address,uint256)"
            await self.evm.run(call(gateway, taken, token, admin, -shares))
        else:
            await self.evm.run(
                approval(token, gateway, shares),
                call(gateway, "addInventory(address,uint256)", token, shares),
            )

    async def allow(self, asset: str, shares: Shares) -> None:
        """Let the quorum take so many shares out of the vault on Solana, as its cold owner."""
        key = Keypair.from_seed(self.world.bridge.solana.vault_owner_seed)
        vault, mint = bytes(self.config.vaults[asset]), bytes(self.token(self.solana, asset))
        owner, raw = bytes(key.pubkey()), raw_from_shares(shares)
        allowed = tokens.approve(vault, mint, bytes(self.config.multisig), raw, owner)
        await Wallet(self.rpc, self.world.bridge.nodes.solana_key).send([allowed], key)

    async def cap(self, asset: str, shares: Shares, seconds: int) -> None:
        """Let the gateway of BNB Chain mint so many shares at once, and again after some seconds."""
        listing = "setToken(address,uint8,uint256,uint32)"
        values = (MODES[Mode.BURN_MINT], shares, seconds)
        gateway, token = (
            word_of(self.world.bridge.evm.gateway),
            word_of(self.token(self.bnb, asset)),
        )
        await self.evm.run(call(gateway, listing, token, *values))

    # -- what the relayer says

    def told(self, tx: str) -> list[TransferTold]:
        """Where the transfers of a source transaction stand."""
        file = self.settings.path(self.settings.state_dir) / "tracker.db"
        if not file.exists():
            return []
        try:
            with Tracks(file) as tracks:
                found = tracks.status(Filter(limit=500))
        except Unavailable:  # it is being made
            return []
        return [track.told for track in found if track.told.source_tx == tx]

    async def until(
        self, tx: str, stage: Stage, reason: Reason | None = None, count: int = 1
    ) -> list[TransferTold]:
        """Wait until all transfers of a transaction are in a stage, under a reason if one is named."""
        told: list[TransferTold] = []
        for _ in range(int(PATIENCE / 0.2)):
            told = self.told(tx)
            right = [t for t in told if t.stage is stage and reason in (None, t.reason)]
            if len(right) == len(told) == count:
                return right
            await asyncio.sleep(0.2)
        stands = [(t.stage, t.reason, t.detail) for t in told]
        msg = f"{tx} is not {stage} {reason or ''} after {PATIENCE:.0f} s, but {stands}"
        raise AssertionError(msg)

    async def ended(self, tx: str) -> TransferTold:
        """Wait until the one transfer of a transaction has ended, and say where."""
        for _ in range(int(PATIENCE / 0.2)):
            told = self.told(tx)
            if told and told[0].stage in CLOSED:
                return told[0]
            await asyncio.sleep(0.2)
        msg = f"{tx} has not ended: {[(t.stage, t.act, t.reason) for t in self.told(tx)]}"
        raise AssertionError(msg)

    async def relayer(self, *words: str) -> str:
        """What a command of the command line prints."""
        arguments = [*words[:1], "--config", str(self.world.config_path), *words[1:]]
        result = await asyncio.to_thread(CliRunner().invoke, root, arguments)
        assert result.exit_code == 0, result.output + str(result.exception)
        return result.output

    async def metric(self, name: str) -> float:
        """What the relayer's metrics say under a name with its labels."""
        port = (self.settings.path(self.settings.state_dir) / "http.port").read_text()
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    async def refused(self, *words: str) -> str:
        """What a command says that fails with an error raised on purpose."""
        arguments = [*words[:1], "--config", str(self.world.config_path), *words[1:]]
        result = await asyncio.to_thread(CliRunner().invoke, root, arguments)
        assert isinstance(result.exception, RelayerError), result.output
        return str(result.exception)

    async def ordered(self, verb: Verb, told: TransferTold) -> bool:
        """Whether a signed order could be handed to a relayer that runs."""
        try:
            await hand_over(self.settings, None, SIGNED.encode(await self.signed(verb, told)))
        except Unavailable:
            return False
        return True

    async def signed(self, verb: Verb, told: TransferTold) -> Signed:
        """An operator's signed order about a transfer."""
        now = int(time.time())
        command = Command(
            command=secrets.token_bytes(32),
            verb=verb,
            transfer=told.id,
            chain=owner(told),
            reason="tried",
            issued_at=now,
            expires_at=now + 600,
        )
        ring, body = self.world.bridge.nodes.ring, COMMAND.encode(command).decode()
        key = ring.ed25519("operator")
        signature = await key.sign(to_sign(Role.OPERATOR, body))
        return Signed(role=Role.OPERATOR, key=key.public, body=body, signature=signature)

    async def order(self, verb: str, name: str) -> str:
        """An operator's order about a transfer, by its id or transaction."""
        return await self.relayer(verb, "--key", "file:keys/operator", "--reason", "tried", name)


@asynccontextmanager
async def scene_of(
    world: LocalWorld, *, pace: Mapping[str, float] | None = None, **limits: str
) -> AsyncIterator[Scene]:
    """A scene over a world; ``limits`` are settings of the asset NVDAx. Ends the relayer cleanly."""
    config = tomllib.loads(world.config_path.read_text())
    config["pace"] |= pace or {}
    next(a for a in config["assets"] if a["symbol"] == "NVDAx").update(limits)
    world.config_path.write_text(tomli_w.dumps(config))
    child = Child(config=world.config_path, log=world.directory / "relayer.log")
    await child.start()
    try:
        async with around(world, load(world.config_path), child) as scene:
            yield scene
        code = await child.stop()
        assert code == 0, (world.directory / "relayer.log").read_text()[-3000:]
    finally:
        await child.kill()


@asynccontextmanager
async def around(world: LocalWorld, settings: Settings, child: Child) -> AsyncIterator[Scene]:
    """A scene around a relayer's process, which is somebody else's to start and to end."""
    chains = {c.chain.partition(":")[0]: c for c in settings.chains}
    kits = {c.id: kit_for(settings, c, lambda *_: None) for c in chains.values()}
    nodes, bridge = world.bridge.nodes, world.bridge
    evm, tron, rpc = (
        EvmRpc(nodes.evm_url),
        TronRpc(nodes.tron_url, nodes.tron_solidity),
        SolanaRpc(nodes.solana_url),
    )
    try:
        yield Scene(
            world=world,
            settings=settings,
            child=child,
            bnb=chains["eip155"].id,
            tron=chains["tron"].id,
            solana=chains["solana"].id,
            kits=kits,
            depositors={c: k.depositor(user_secret(settings, c, 0)) for c, k in kits.items()},
            rpc=rpc,
            evm_rpc=evm,
            tron_rpc=tron,
            issuer=Issuer(rpc, nodes.solana_key, bridge.solana),
            evm=EvmSetup(evm, Secp256k1Signer(nodes.evm_key)),
            tvm=TronSetup(tron, Secp256k1Signer(nodes.tron_key), poll_seconds=0.2),
        )
    finally:
        for rpc_of in (evm, tron, rpc):
            await rpc_of.close()
        for kit in kits.values():
            await kit.close()
