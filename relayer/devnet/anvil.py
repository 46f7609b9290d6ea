"""Starts an Anvil process (a local EVM node) and stops it again, whatever happens to its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import aiohttp

from relayer.devnet.child import die_with_parent, free_port, watching
from relayer.devnet.rpc import RpcClient, RpcFault

if TYPE_CHECKING:
    from types import TracebackType

_REPOSITORY = Path(__file__).resolve().parents[2]
_START_ATTEMPTS = 3
_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 5.0


class AnvilError(RuntimeError):
    """Anvil is not installed, or did not start; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnvilConfig:
    """How the node runs; times in seconds, port 0 picks a free one.

    `block_time` None means no automatic mining at all. `finalized` follows the head by
    2 * `slots_in_an_epoch` blocks. `extra` is passed to the binary as it is.
    """

    port: int = 0
    chain_id: int = 31337
    block_time: float | None = 1.0
    slots_in_an_epoch: int = 1
    mixed_mining: bool = False
    accounts: int = 10
    extra: tuple[str, ...] = ()

    def arguments(self, port: int, config_out: Path) -> list[str]:
        """Return the command line (without the binary)."""
        mining = (
            ["--no-mining"] if self.block_time is None else ["--block-time", str(self.block_time)]
        )
        mixed = ["--mixed-mining"] if self.mixed_mining else []
        return [
            *("--quiet", "--host", "127.0.0.1", "--port", str(port)),
            *("--chain-id", str(self.chain_id), "--accounts", str(self.accounts)),
            *("--slots-in-an-epoch", str(self.slots_in_an_epoch)),
            *("--config-out", str(config_out)),
            *mining,
            *mixed,
            *self.extra,
        ]


def find_anvil() -> Path:
    """Return the Anvil binary: RELAYER_ANVIL, then the npm package, then PATH.

    Raises `AnvilError` that names what to install.
    """
    named = os.environ.get("RELAYER_ANVIL")
    if named is not None and not Path(named).is_file():
        message = f"RELAYER_ANVIL names {named}, which is not a file"
        raise AnvilError(message)
    on_path = shutil.which("anvil")
    candidates = (
        [Path(named)] if named else [*_npm_binaries(), *([Path(on_path)] if on_path else [])]
    )
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    message = (
        "Anvil was not found. Run `npm ci` in contracts/ (it brings @foundry-rs/anvil), "
        "or put anvil on the PATH, or name the binary in RELAYER_ANVIL."
    )
    raise AnvilError(message)


def _npm_binaries() -> list[Path]:
    """Return where npm puts the binary; the platform's own first, as it needs no Node to start."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    modules = _REPOSITORY / "contracts" / "node_modules"
    package = f"anvil-{sys.platform}-{machine}"
    return [modules / "@foundry-rs" / package / "bin" / "anvil", modules / ".bin" / "anvil"]


@dataclass(slots=True)
class Anvil:
    """One running Anvil as an async context manager."""

    config: AnvilConfig = field(default_factory=AnvilConfig)
    port: int = field(default=0, init=False)
    keys: tuple[str, ...] = field(default=(), init=False)
    rpc: RpcClient = field(init=False)
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _watchdog: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The HTTP JSON-RPC endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The WebSocket JSON-RPC endpoint."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        """Start the node and wait until it answers; raises `AnvilError`."""
        binary = find_anvil()
        for attempt in range(_START_ATTEMPTS):
            try:
                await self._start(binary, _free_port(self.config.port))
            except AnvilError:
                await self.stop()
                if self.config.port or attempt == _START_ATTEMPTS - 1:
                    raise
            except BaseException:
                await self.stop()
                raise
            else:
                break
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the node."""
        await self.stop()

    async def _start(self, binary: Path, port: int) -> None:
        self.port = port
        self.rpc = RpcClient(self.url)
        with tempfile.TemporaryDirectory(prefix="anvil-") as folder:
            config_out = Path(folder) / "config.json"
            words = Path(folder) / "stderr"
            with words.open("wb") as stderr:
                self._process = await asyncio.create_subprocess_exec(
                    str(binary),
                    *self.config.arguments(port, config_out),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=stderr,
                    preexec_fn=die_with_parent if sys.platform == "linux" else None,
                    # Ctrl-C is for us: we stop Anvil after what still talks to it.
                    start_new_session=True,
                )
            if sys.platform != "linux":
                self._watchdog = await _watch(self._process.pid)
            await self._ready(words, config_out)

    async def _ready(self, words: Path, config_out: Path) -> None:
        """Wait until it answers; it may do so before it has written its keys."""
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        while True:
            with contextlib.suppress(aiohttp.ClientError, RpcFault, OSError, ValueError):
                chain_id = await self.rpc.call("eth_chainId")
                if int(chain_id, 16) == self.config.chain_id:
                    self.keys = _keys(config_out)
                    return
            self._check_alive(words)
            if asyncio.get_running_loop().time() > deadline:
                message = f"Anvil did not answer on port {self.port} within {_START_TIMEOUT:g} s"
                raise AnvilError(message)
            await asyncio.sleep(0.03)

    def _check_alive(self, words: Path) -> None:
        process = self._process
        if process is None or process.returncode is None:
            return
        said = words.read_text(errors="replace")
        message = f"Anvil ended with code {process.returncode}: {said}"
        raise AnvilError(message.strip())

    async def stop(self) -> None:
        """Stop the process if it runs, kindly first; safe to call twice."""
        process, self._process = self._process, None
        watchdog, self._watchdog = self._watchdog, None
        if hasattr(self, "rpc"):
            await self.rpc.close()
        if process is not None and process.returncode is None:
            await _end(process)
        if watchdog is not None and watchdog.returncode is None:
            await _end(watchdog)


def _keys(config_out: Path) -> tuple[str, ...]:
    return tuple(json.loads(config_out.read_text())["private_keys"])


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _watch(pid: int) -> asyncio.subprocess.Process:
    """Start what kills `pid` when we are gone."""
    return await asyncio.create_subprocess_exec(*watching(pid), stdin=asyncio.subprocess.PIPE)


def _free_port(wanted: int) -> int:
    """Return a port to listen on, `wanted` unless 0; raises `AnvilError` when it is taken.

    Anvil must not be started on a taken one: whoever has it might be another Anvil that answers.
    """
    try:
        return free_port(wanted)
    except OSError as error:
        message = f"port {wanted} is taken: {error}"
        raise AnvilError(message) from error
