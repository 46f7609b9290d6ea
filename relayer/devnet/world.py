"""The local world: three chains, the bridge deployed on them, and a ready config in a folder."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import base58
import tomli_w

from relayer.chains.solana.rpc import SolanaRpc
from relayer.devnet import keys
from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.devnet.deploy import Bridge, Nodes, config_of, deploy_bridge, reserves_of
from relayer.devnet.solana import SolanaDevnet, SolanaDevnetConfig
from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from relayer.domain.address import ChainId, account_from_tron, format_account

GENESIS: Final = bytes.fromhex("78" * 32)
EVM_CHAIN_ID: Final = 31337


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """Times in seconds; ``users`` share the deposits of a demo."""

    users: int = 4
    slot_seconds: float = 0.1
    evm_block_seconds: float = 0.5
    tron_block_seconds: float = 1.0


@dataclass(slots=True)
class LocalWorld:
    """An async context manager: inside it the chains run and the bridge stands."""

    directory: Path
    options: WorldOptions = field(default_factory=WorldOptions)
    anvil: Anvil = field(init=False)
    solana: SolanaDevnet = field(init=False)
    tron: TronDevnet = field(init=False)
    bridge: Bridge = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)

    @property
    def config_path(self) -> Path:
        """The relayer's config for this world."""
        return self.directory / "config.toml"

    async def __aenter__(self) -> Self:
        """Start the chains, deploy, write the folder; AnvilError or OSError if one cannot start."""
        try:
            await self._start()
            self.bridge = await deploy_bridge(await self._nodes())
            write_world(self.directory, self.bridge)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the chains."""
        await self._stack.aclose()

    async def _start(self) -> None:
        options, enter = self.options, self._stack.enter_async_context
        self.anvil = await enter(
            Anvil(AnvilConfig(block_time=options.evm_block_seconds, chain_id=EVM_CHAIN_ID))
        )
        self.solana = await enter(
            SolanaDevnet(SolanaDevnetConfig(slot_seconds=options.slot_seconds, genesis=GENESIS))
        )
        self.tron = await enter(
            TronDevnet(TronDevnetConfig(block_seconds=options.tron_block_seconds))
        )

    async def _nodes(self) -> Nodes:
        options = self.options
        await self._fund()
        return Nodes(
            evm_url=self.anvil.url,
            evm_chain=ChainId(f"eip155:{EVM_CHAIN_ID}"),
            evm_key=bytes.fromhex(self.anvil.keys[0].removeprefix("0x")),
            solana_url=self.solana.url,
            solana_ws=self.solana.ws_url,
            solana_key=keys.secret("funder solana"),
            tron_url=self.tron.full_url,
            tron_solidity=self.tron.solidity_url,
            tron_chain=ChainId(f"tron:{self.tron.chain_id:#x}"),
            tron_key=self.tron.keys[0],
            users=options.users,
            slot_seconds=options.slot_seconds,
            tron_block_seconds=options.tron_block_seconds,
            evm_block_seconds=options.evm_block_seconds,
        )

    async def _fund(self) -> None:
        """Native coin for payers and users, out of nothing: only a local world can do that."""
        users = [keys.User(n).evm_signer for n in range(self.options.users)]
        for signer in (keys.evm("payer evm"), keys.evm("guardian"), *users):
            await self.anvil.rpc.call("anvil_setBalance", "0x" + signer.public.hex(), hex(10**24))
        tron = ChainId(f"tron:{self.tron.chain_id:#x}")
        for signer in (keys.evm("payer tron"), keys.evm("guardian"), *users):
            account = account_from_tron(signer.public)
            await self.tron.fund(format_account(tron, account), 10**14)
        funder = keys.ed25519("funder solana").public
        await airdrop(self.solana.url, funder, 10_000 * 10**9)


async def airdrop(url: str, account: bytes, lamports: int) -> None:
    """Ask a cluster's faucet for lamports and wait until they are final."""
    rpc = SolanaRpc(url)
    name = base58.b58encode(account).decode()
    try:
        await rpc.call("requestAirdrop", name, lamports)
        while not (await rpc.call("getBalance", name, {"commitment": "finalized"}))["value"]:
            await asyncio.sleep(0.1)
    finally:
        await rpc.close()


def write_world(directory: Path, bridge: Bridge) -> None:
    """Write config, keys, users and reserves; secrets readable by their owner alone."""
    (directory / "keys").mkdir(parents=True, exist_ok=True)
    secrets = {
        "state": keys.secret("state").hex(),
        "monitor": keys.secret("monitor").hex(),
        "operator": keys.secret("operator").hex(),
        "payer-solana": keys.secret("payer solana").hex(),
        "payer-evm": keys.secret("payer evm").hex(),
        "payer-tron": keys.secret("payer tron").hex(),
        **{
            f"attester-{name}-{family}": keys.secret(f"attester {name} {family}").hex()
            for name in keys.ATTESTERS
            for family in ("evm", "solana")
        },
        **{f"user-{user.number}-evm": user.evm_secret.hex() for user in bridge.users},
        **{f"user-{user.number}-solana": user.solana_secret.hex() for user in bridge.users},
    }
    for name, text in secrets.items():
        _write(directory / "keys" / name, text, mode=0o600)
    _write(directory / "config.toml", tomli_w.dumps(config_of(bridge)), mode=0o644)
    _write(directory / "reserves.json", json.dumps(reserves_of(bridge), indent=2), mode=0o644)


def _write(path: Path, text: str, *, mode: int) -> None:
    """Replace a file whole, so that a reader never sees half of it."""
    fresh = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.replace(path)
