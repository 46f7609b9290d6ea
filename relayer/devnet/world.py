"""The world: three chains, the bridge deployed on them, and a ready config in a folder.

All three chains run locally, save those whose nodes are given.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import tomli_w

from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.devnet.deploy import Bridge, Nodes, config_of, deploy_bridge, reserves_of
from relayer.devnet.given import Crew, Given, GivenSolana, Node, bnb_node, solana_node, tron_node
from relayer.devnet.keys import ATTESTERS, PUBLISHED, Keyring
from relayer.devnet.solana import SolanaDevnet, SolanaDevnetConfig
from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from relayer.domain.address import ChainId, account_from_tron, format_account

GENESIS: Final = bytes.fromhex("78" * 32)
EVM_CHAIN_ID: Final = 31337

_CALM: Final = ("--no-priority-fee",)
"""Anvil else suggests the tips it has just been paid: where all traffic is ours, each block's bids
are half again as high as the last one's, and after some seconds above every cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """Times of local chains in seconds; ``users`` share the deposits of a demo."""

    given: Given = field(default_factory=Given)
    users: int = 4
    slot_seconds: float = 0.1
    evm_block_seconds: float = 0.5
    tron_block_seconds: float = 1.0


@dataclass(slots=True)
class LocalWorld:
    """An async context manager: inside it the chains run and the bridge stands.

    ``anvil``, ``solana`` and ``tron`` are there where the chain is not given.
    """

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
        options, given, enter = self.options, self.options.given, self._stack.enter_async_context
        if given.bnb is None:
            self.anvil = await enter(
                Anvil(
                    AnvilConfig(
                        block_time=options.evm_block_seconds, chain_id=EVM_CHAIN_ID, extra=_CALM
                    )
                )
            )
        if given.solana is None:
            self.solana = await enter(
                SolanaDevnet(SolanaDevnetConfig(slot_seconds=options.slot_seconds, genesis=GENESIS))
            )
        if given.tron is None:
            self.tron = await enter(
                TronDevnet(TronDevnetConfig(block_seconds=options.tron_block_seconds))
            )

    async def _nodes(self) -> Nodes:
        options = self.options
        secrets = tuple(options.given.secrets())
        crew = Crew(ring=Keyring.private(secrets) if secrets else PUBLISHED, users=options.users)
        async with asyncio.TaskGroup() as group:
            on_bnb = group.create_task(self._bnb(crew))
            on_solana = group.create_task(self._solana(crew))
            on_tron = group.create_task(self._tron(crew))
        bnb, sol, tron = on_bnb.result(), on_solana.result(), on_tron.result()
        return Nodes(
            evm_url=bnb.url,
            evm_ws=bnb.other_url,
            evm_chain=bnb.chain,
            evm_key=bnb.key,
            evm_block_seconds=bnb.block_seconds,
            solana_url=sol.url,
            solana_ws=sol.other_url,
            solana_key=sol.key,
            slot_seconds=sol.block_seconds,
            tron_url=tron.url,
            tron_solidity=tron.other_url,
            tron_chain=tron.chain,
            tron_key=tron.key,
            tron_block_seconds=tron.block_seconds,
            users=crew.users,
            ring=crew.ring,
        )

    async def _bnb(self, crew: Crew) -> Node:
        if self.options.given.bnb is not None:
            return await bnb_node(self.options.given, self.options.given.bnb, crew)
        for address in crew.secp256k1("payer evm"):
            await self.anvil.rpc.call("anvil_setBalance", "0x" + address.hex(), hex(10**24))
        return Node(
            url=self.anvil.url,
            other_url=self.anvil.ws_url,
            key=bytes.fromhex(self.anvil.keys[0].removeprefix("0x")),
            chain=ChainId(f"eip155:{EVM_CHAIN_ID}"),
            block_seconds=self.options.evm_block_seconds,
        )

    async def _tron(self, crew: Crew) -> Node:
        if self.options.given.tron is not None:
            return await tron_node(self.options.given, self.options.given.tron, crew)
        chain = ChainId(f"tron:{self.tron.chain_id:#x}")
        for address in crew.secp256k1("payer tron"):
            await self.tron.fund(format_account(chain, account_from_tron(address)), 10**14)
        return Node(
            url=self.tron.full_url,
            other_url=self.tron.solidity_url,
            key=self.tron.keys[0],
            chain=chain,
            block_seconds=self.options.tron_block_seconds,
        )

    async def _solana(self, crew: Crew) -> Node:
        given, here = self.options.given, self.options.given.solana
        if here is None:
            here = GivenSolana(
                url=self.solana.url,
                ws=self.solana.ws_url,
                coins="50",
                block_seconds=self.options.slot_seconds,
            )
        return await solana_node(given, here, crew)


def write_world(directory: Path, bridge: Bridge) -> None:
    """Write config, keys, users and reserves; secrets readable by their owner alone."""
    (directory / "keys").mkdir(parents=True, exist_ok=True)
    ring = bridge.nodes.ring
    secrets = {
        "state": ring.secret("state").hex(),
        "monitor": ring.secret("monitor").hex(),
        "monitor-two": ring.secret("monitor two").hex(),
        "operator": ring.secret("operator").hex(),
        "payer-solana": ring.secret("payer solana").hex(),
        "payer-evm": ring.secret("payer evm").hex(),
        "payer-tron": ring.secret("payer tron").hex(),
        **{
            f"attester-{name}-{family}": ring.secret(f"attester {name} {family}").hex()
            for name in ATTESTERS
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
