"""What issuer and operator do during a run: pauses, multipliers, halts, an empty payer.

Each act is repeated until the chains say at a final height that it holds, because the faults of
the nodes may undo it; and each puts things back.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.soak.faults import Act
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.gateway.configure import Call, call
from relayer.chains.solana import programs
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.setup import Issuer, Wallet
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.setup import TronSetup
from relayer.cli.control import halts_of, publish
from relayer.devnet import keys
from relayer.devnet.deploy import reserves_of
from relayer.devnet.world import LocalWorld
from relayer.domain.address import Account, ChainId, account_from_tron, format_account, word_of
from relayer.domain.amount import WAD
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.errors import RelayerError
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Resume
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.supply import SupplySnapshot
from relayer.ports.chain import ChainReader
from relayer.settings import Settings
from relayer.signing.local import Secp256k1Signer

MULTIPLIERS = ("1", "1.25", "0.75", "1.5", "0.5")
"""Exact as binary fractions too, as Solana stores them."""

SOME_WEI = 10**24
SOME_SUN = 10**14
DUST_LAMPORTS = 2_000_000


@dataclass(slots=True)
class Events:
    """The issuer of the tokens and the operator of the relayer."""

    world: LocalWorld
    settings: Settings
    readers: dict[ChainId, ChainReader]
    dice: random.Random

    def acts(self) -> dict[str, Act]:
        """Every act by name."""
        return {
            "token paused": self.pause,
            "multiplier changed": self.change_multiplier,
            "halt and resume": self.halt,
            "payer empty": self.empty_payer,
        }

    # ------------------------------------------------------------------ the issuer

    async def pause(self) -> None:
        """A token stands still on one chain for a while."""
        asset, chain = self._asset(), self.dice.choice(sorted(self.readers))
        await self._hold_on(chain, asset, lambda s: s.paused, lambda: self._pause(chain, asset, 1))
        await asyncio.sleep(self.dice.uniform(2, 6))
        await self._hold_on(
            chain, asset, lambda s: not s.paused, lambda: self._pause(chain, asset, 0)
        )

    async def change_multiplier(self) -> None:
        """A corporate action reaches one chain after the other; the custodian's stock follows."""
        asset, multiplier = self._asset(), Decimal(self.dice.choice(MULTIPLIERS))
        chains = sorted(self.readers)
        self.dice.shuffle(chains)
        for chain in chains:
            await self._hold_on(
                chain,
                asset,
                lambda s: s.multiplier == int(multiplier * WAD),
                lambda c=chain: self._multiply(c, asset, multiplier),  # type: ignore[misc]  # the loop's own
            )
        self._write_stock(asset, multiplier)

    async def _pause(self, chain: ChainId, asset: str, paused: int) -> None:
        if chain.startswith("solana"):
            await self._on_solana(lambda issuer: issuer.pause(asset, paused=bool(paused)))
        else:
            await self._on_gateway(
                chain, call(self._token(chain, asset), "setPause(bool)", bool(paused))
            )

    async def _multiply(self, chain: ChainId, asset: str, multiplier: Decimal) -> None:
        if chain.startswith("solana"):
            await self._on_solana(lambda issuer: issuer.set_multiplier(asset, float(multiplier)))
            return
        now = (await self._snapshot(chain, asset)).multiplier
        wanted = int(multiplier * WAD)
        signature = "updateMultiplierValue(uint256,uint256,uint256)"
        await self._on_gateway(chain, call(self._token(chain, asset), signature, wanted, now, 0))

    async def _hold_on(
        self,
        chain: ChainId,
        asset: str,
        holds: Callable[[SupplySnapshot], bool],
        act: Callable[[], Awaitable[None]],
    ) -> None:
        """Act until the chain says at a final height that it holds."""
        while True:
            try:
                if holds(await self._snapshot(chain, asset)):
                    return
                await act()
            except* RelayerError:
                pass  # a fault of the node: again
            await asyncio.sleep(1.5)

    async def _snapshot(self, chain: ChainId, asset: str) -> SupplySnapshot:
        while True:
            try:
                snapshots = await self.readers[chain].snapshots()
            except RelayerError:
                await asyncio.sleep(0.5)
            else:
                return next(one for one in snapshots if one.asset == asset)

    async def _on_solana(self, act: Callable[[Issuer], Awaitable[None]]) -> None:
        nodes = self.world.bridge.nodes
        rpc = SolanaRpc(nodes.solana_url)
        try:
            await act(Issuer(rpc, nodes.solana_key, self.world.bridge.solana))
        finally:
            await rpc.close()

    async def _on_gateway(self, chain: ChainId, *calls: Call) -> None:
        nodes = self.world.bridge.nodes
        rpc: EvmRpc | TronRpc
        if chain.startswith("tron"):
            rpc = TronRpc(nodes.tron_url, nodes.tron_solidity)
            setup = TronSetup(rpc, Secp256k1Signer(nodes.tron_key), poll_seconds=0.3).run
        else:
            rpc = EvmRpc(self.world.anvil.url)
            setup = EvmSetup(rpc, Secp256k1Signer(nodes.evm_key)).run
        try:
            async with asyncio.timeout(30):
                await setup(*calls)
        except TimeoutError:
            pass  # the transaction was dropped: whoever asked looks again
        finally:
            await rpc.close()

    def _write_stock(self, asset: str, multiplier: Decimal) -> None:
        """The custodian's statement: shares issued times the multiplier that it names."""
        file = self.settings.path(Path("reserves.json"))
        stated = json.loads(file.read_text(encoding="utf-8"))
        issued = Decimal(reserves_of(self.world.bridge)[asset]["stock"])
        stated[asset]["stock"] = f"{issued * multiplier:f}"
        stated[asset]["multiplier"] = f"{multiplier:f}"
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(stated), encoding="utf-8")
        fresh.replace(file)

    # ------------------------------------------------------------------ the operator

    async def halt(self) -> None:
        """Anybody halts an asset; the operator lifts it."""
        halt = Halt(
            scope=Scope(kind=ScopeKind.ASSET, name=self._asset()),
            reason="soak",
            evidence="raised at random",
            raised_at=int(time.time()),
            raised_by="soak",
        )
        await self._published(CONTROL_RECORDS.encode(halt))
        await asyncio.sleep(self.dice.uniform(2, 6))
        digest = halt.digest.hex()
        while digest in await self._standing():
            await self._published(await _resume(halt))
            await asyncio.sleep(1)

    async def _published(self, record: bytes) -> None:
        await self._told(lambda: publish(self.settings, None, record))

    async def _standing(self) -> set[str]:
        digests: set[str] = set()

        async def ask() -> None:
            digests.update(one["digest"] for one in await halts_of(self.settings, None))

        await self._told(ask)
        return digests

    async def _told(self, act: Callable[[], Awaitable[None]]) -> None:
        """Say something to the relayer, which may be starting just now."""
        while True:
            try:
                await act()
            except (RelayerError, OSError, ValueError):
                await asyncio.sleep(0.5)
            else:
                return

    async def empty_payer(self) -> None:
        """A fee key loses its coins, and gets new ones after a while."""
        empty, fill = self.dice.choice(
            [
                (self._empty_evm, self._fill_evm),
                (self._empty_tron, self._fill_tron),
                (self._empty_solana, self._fill_solana),
            ]
        )
        await empty()
        await asyncio.sleep(self.dice.uniform(3, 8))
        await fill()

    async def _empty_evm(self) -> None:
        await self._set_wei(0)

    async def _fill_evm(self) -> None:
        await self._set_wei(SOME_WEI)

    async def _set_wei(self, wei: int) -> None:
        payer = "0x" + keys.evm("payer evm").public.hex()
        await self.world.anvil.rpc.call("anvil_setBalance", payer, hex(wei))

    async def _empty_tron(self) -> None:
        payer = keys.evm("payer tron").public
        await self.world.tron.node.engine.set_balances({payer: 0})

    async def _fill_tron(self) -> None:
        await self._give_sun(account_from_tron(keys.evm("payer tron").public), SOME_SUN)

    async def _give_sun(self, account: Account, sun: int) -> None:
        chain = ChainId(f"tron:{self.world.tron.chain_id:#x}")
        await self.world.tron.fund(format_account(chain, account), sun)

    async def _empty_solana(self) -> None:
        payer, funder = keys.secret("payer solana"), keys.ed25519("funder solana").public
        held = await self._lamports()
        if held > DUST_LAMPORTS:
            await self._pay(payer, funder, held - DUST_LAMPORTS)

    async def _fill_solana(self) -> None:
        payer = keys.ed25519("payer solana").public
        while await self._lamports() < 10**9:
            await self._pay(self.world.bridge.nodes.solana_key, payer, 100 * 10**9)

    async def _pay(self, seed: bytes, to: bytes, lamports: int) -> None:
        rpc = SolanaRpc(self.world.bridge.nodes.solana_url)
        try:
            wallet = Wallet(rpc, seed)
            await wallet.send([programs.pay(wallet.key, Account(to), lamports)])
        except RelayerError:
            await asyncio.sleep(0.5)  # a fault of the node, or spent meanwhile
        finally:
            await rpc.close()

    async def _lamports(self) -> int:
        rpc = SolanaRpc(self.world.bridge.nodes.solana_url)
        chain = self.world.bridge.solana.chain
        name = format_account(chain, Account(keys.ed25519("payer solana").public))
        try:
            while True:
                try:
                    answer = await rpc.call("getBalance", name, {"commitment": "confirmed"})
                except RelayerError:
                    await asyncio.sleep(0.5)
                else:
                    return int(answer["value"])
        finally:
            await rpc.close()

    def _asset(self) -> str:
        return self.dice.choice(self.settings.assets).symbol

    def _token(self, chain: ChainId, asset: str) -> bytes:
        bridge = self.world.bridge
        deployed = bridge.tron if chain.startswith("tron") else bridge.evm
        return word_of(next(place.token for place in deployed.tokens if place.asset == asset))


async def _resume(halt: Halt) -> bytes:
    now = int(time.time())
    resume = Resume(
        command=secrets.token_bytes(32),
        halts=(halt.digest,),
        reason="soak",
        issued_at=now,
        expires_at=now + 600,
    )
    signer, body = keys.ed25519("operator"), RESUME.encode(resume).decode()
    signature = await signer.sign(to_sign(Role.OPERATOR, body))
    signed = Signed(role=Role.OPERATOR, key=signer.public, body=body, signature=signature)
    return CONTROL_RECORDS.encode(signed)
