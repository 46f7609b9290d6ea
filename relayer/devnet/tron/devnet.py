"""The Tron devnet as one async context manager."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import structlog

from relayer.devnet.tron import addresses
from relayer.devnet.tron.calling import Calling
from relayer.devnet.tron.chain import Chain
from relayer.devnet.tron.evm import EvmEngine
from relayer.devnet.tron.faults import Faults
from relayer.devnet.tron.jsonrpc import JsonRpc
from relayer.devnet.tron.node import TronNode
from relayer.devnet.tron.reading import Reading, View
from relayer.devnet.tron.wallet import Wallet, energy_prices
from relayer.devnet.tron.web import JSON_RPC, Port

if TYPE_CHECKING:
    from types import TracebackType

    from relayer.devnet.tron.web import Answer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TronDevnetConfig:
    """How the devnet runs; port 0 picks a free one.

    `chain_id` has 4 bytes and ends the genesis block's id, `block_seconds` is the interval, `solid_lag_blocks` how far the solid view is behind the head,
    `retention_blocks` how many blocks are kept, `max_block_range` what one eth_getLogs may span,
    `key_sun` what each of `keys` funded keys has.
    """

    host: str = "127.0.0.1"
    port: int = 0
    solidity_port: int = 0
    joined_port: int = 0
    block_seconds: float = 1.0
    solid_lag_blocks: int = 2
    chain_id: int = 0x2B66DE7E
    retention_blocks: int = 7200
    max_block_range: int = 5000
    keys: int = 10
    key_sun: int = 1_000_000_000_000


@dataclass(slots=True, repr=False)
class TronDevnet:
    """A running Tron devnet."""

    config: TronDevnetConfig = field(default_factory=TronDevnetConfig)
    faults: Faults = field(default_factory=Faults)
    node: TronNode = field(init=False)
    _producing: asyncio.Task[None] = field(init=False)
    _ports: dict[str, Port] = field(default_factory=dict, init=False)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack, init=False)

    @property
    def full_url(self) -> str:
        """Base URL of the full node's `/wallet` paths."""
        return self._ports["full"].url

    @property
    def solidity_url(self) -> str:
        """Base URL of the `/walletsolidity` paths."""
        return self._ports["solidity"].url

    @property
    def joined_url(self) -> str:
        """Base URL that serves both families of paths, as some providers do."""
        return self._ports["joined"].url

    @property
    def jsonrpc_url(self) -> str:
        """The JSON-RPC endpoint of the full view."""
        return self.full_url + JSON_RPC

    @property
    def solidity_jsonrpc_url(self) -> str:
        """The JSON-RPC endpoint of the solid view."""
        return self.solidity_url + JSON_RPC

    @property
    def chain_id(self) -> int:
        """What `block.chainid` and eth_chainId say."""
        return self.config.chain_id

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Private keys (32 bytes) of accounts funded at genesis, always the same ones."""
        names = (f"xstocks devnet tron key {index}" for index in range(self.config.keys))
        return tuple(hashlib.sha256(name.encode()).digest() for name in names)

    async def fund(self, address: str | bytes, sun: int) -> None:
        """Give an account (base58, hex with 41, or 21 bytes) sun out of nothing."""
        await self.node.fund(_address(address), sun)

    async def wait_for_height(self, number: int) -> None:
        """Wait until the head has at least this number; raises what stopped the blocks."""
        while self.node.chain.head.number < number:
            if self._producing.done():
                self._producing.result()
            await asyncio.sleep(self.config.block_seconds / 4)

    async def __aenter__(self) -> Self:
        """Start engine, ports and block production; raises `AnvilError` and `OSError`."""
        try:
            await self._start()
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
        """Stop everything."""
        await self._stack.aclose()

    async def _start(self) -> None:
        config = self.config
        engine = await self._stack.enter_async_context(EvmEngine(config.chain_id))
        self.node = TronNode(
            engine=engine,
            chain=Chain(solid_lag=config.solid_lag_blocks, retention=config.retention_blocks),
            faults=self.faults,
            chain_id=config.chain_id,
            slot_ms=round(config.block_seconds * 1000),
            max_block_range=config.max_block_range,
        )
        owners = [addresses.of_private_key(key) for key in self.keys]
        await self.node.found(dict.fromkeys(owners, config.key_sun))
        await self._open_ports()
        self.faults.connect(self.node.reorg)
        self._producing = asyncio.create_task(self.node.keep_producing(), name="tron devnet")
        self._producing.add_done_callback(_report_end)
        self._stack.push_async_callback(_cancel, self._producing)

    async def _open_ports(self) -> None:
        full, solid = _full_paths(self.node), _solid_paths(self.node)
        families = {
            "full": (self.config.port, full, False),
            "solidity": (self.config.solidity_port, solid, True),
            "joined": (self.config.joined_port, full | solid, False),
        }
        for name, (number, paths, is_solid) in families.items():
            rpc = JsonRpc(View(self.node, is_solid))
            port = Port(self.config.host, number, self.faults, paths, rpc.answer)
            await port.open()
            self._stack.push_async_callback(port.close)
            self._ports[name] = port


def _full_paths(node: TronNode) -> dict[str, Answer]:
    view = View(node, solid=False)
    calling = Calling(view)
    paths = {
        **Reading(view).paths(),
        **Wallet(view).paths(),
        **calling.paths(),
        **calling.full_paths(),
        "getenergyprices": energy_prices(view),
    }
    return {f"/wallet/{name}": answer for name, answer in paths.items()}


def _solid_paths(node: TronNode) -> dict[str, Answer]:
    view = View(node, solid=True)
    paths = {
        **Reading(view).paths(),
        **Calling(view).paths(),
        "getenergyprices": energy_prices(view),
    }
    return {f"/walletsolidity/{name}": answer for name, answer in paths.items()}


def _address(address: str | bytes) -> bytes:
    if isinstance(address, bytes):
        return address
    return addresses.from_visible(address) if address.startswith("T") else bytes.fromhex(address)


def _report_end(task: asyncio.Task[Any]) -> None:
    """Log that no more blocks will come, which otherwise shows only when the devnet is closed."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("tron_devnet_stopped", error=repr(task.exception()))


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
