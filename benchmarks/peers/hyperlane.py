"""Hyperlane's relayer from its npm package, between two Anvils with its core contracts.

Nothing of it is kept here: the package is installed by its name and version, and its own commands
deploy and relay. The contracts trust this relayer (``trustedRelayerIsm``): nobody signs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from eth_abi.abi import encode
from eth_account import Account
from eth_hash.auto import keccak

from benchmarks.peers.watch import Events, Watch
from relayer.cli.demo.child import Child
from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.domain.errors import Fatal

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
ENTRY = MODULES / "@hyperlane-xyz" / "cli" / "bundle" / "index.js"

SENDERS = 20
DISPATCH = keccak(b"dispatch(uint32,bytes32,bytes)")[:4]
SETTLING = 5.0
"""Seconds after which a relayer that says it has started hears of messages: it polls every 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One chain as the package knows it; ``block_seconds`` is its interval."""

    name: str
    anvil: Anvil

    def metadata(self, confirmations: int) -> str:
        """The chain's entry in the package's registry of chains."""
        chain = self.anvil.config.chain_id
        return (
            f"chainId: {chain}\ndomainId: {chain}\nname: {self.name}\nprotocol: ethereum\n"
            f"rpcUrls: [{{http: '{self.anvil.url}'}}]\nisTestnet: true\n"
            "nativeToken: {name: Ether, symbol: ETH, decimals: 18}\n"
            f"blocks: {{confirmations: {confirmations}, reorgPeriod: 0, estimateBlockTime: 1}}\n"
        )


class Peer(Child):
    """The package's ``relayer`` command as a process that is killed and measured."""

    def line(self) -> list[str]:
        """The whole command line: ``command`` is all of it."""
        return list(self.command)

    async def stop(self) -> int | None:
        """SIGINT, upon which the package writes its backlog to its cache."""
        return await self._end(signal.SIGINT)


@dataclass(slots=True, kw_only=True)
class Hyperlane:
    """The bridge: deployed, its relayer up."""

    source: Site
    destination: Site
    folder: Path
    confirmations: int
    watch: Watch
    child: Child

    async def send(self, messages: int) -> None:
        """Dispatch so many messages at once, from so many accounts."""
        rpc = self.source.anvil.rpc
        senders = (await rpc.call("eth_accounts"))[1 : SENDERS + 1]
        recipient = addresses(self.folder, self.destination.name)["testRecipient"]
        word = bytes(12) + bytes.fromhex(recipient.removeprefix("0x"))
        mailbox = addresses(self.folder, self.source.name)["mailbox"]
        async with asyncio.TaskGroup() as group:
            for number in range(messages):
                body = f"message {number}".encode()
                values = [self.destination.anvil.config.chain_id, word, body]
                data = DISPATCH + encode(["uint32", "bytes32", "bytes"], values)
                call = {
                    "from": senders[number % len(senders)],
                    "to": mailbox,
                    "data": "0x" + data.hex(),
                    "gas": hex(500_000),
                }
                group.create_task(rpc.call("eth_sendTransaction", call))

    async def start(self) -> None:
        """Start the relayer and wait until it listens."""
        await self.child.start()
        async with asyncio.timeout(120):
            while "Starting relayer" not in self.child.log.read_text(errors="replace"):
                self.child.check()
                await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLING)


@contextlib.asynccontextmanager
async def hyperlane(folder: Path, confirmations: int) -> AsyncIterator[Hyperlane]:
    """The bridge between two Anvils whose blocks come as fast as our devnet's BNB and Tron."""
    node = await bring()
    async with (
        Anvil(AnvilConfig(block_time=0.5, chain_id=31337, accounts=SENDERS + 1)) as one,
        Anvil(AnvilConfig(block_time=1.0, chain_id=31338, accounts=SENDERS + 1)) as other,
    ):
        sites = [Site(name="source", anvil=one), Site(name="destination", anvil=other)]
        for site in sites:
            place = folder / "chains" / site.name / "metadata.yaml"
            place.parent.mkdir(parents=True)
            place.write_text(site.metadata(confirmations))
        key = one.keys[0]
        owner = Account.from_key(key).address
        (folder / "core.yaml").write_text(core(owner))
        command = (str(node), str(ENTRY))
        told = ("--registry", str(folder), "--key", key, "--yes", "--disableProxy")
        async with asyncio.TaskGroup() as group:
            for site in sites:
                words = ("core", "deploy", "--chain", site.name, "--config", "core.yaml", *told)
                group.create_task(run(*command, *words, cwd=folder))
        child = Peer(config=folder, log=folder / "relayer.log")
        child.command = (
            *command,
            *("relayer", "--chains", sites[0].name, sites[1].name),
            *("--cache", str(folder / "cache.json"), *told),
        )
        watch = Watch(
            source=events(folder, sites[0], "DispatchId(bytes32)"),
            destination=events(folder, sites[1], "ProcessId(bytes32)"),
        )
        bridge = Hyperlane(
            source=sites[0],
            destination=sites[1],
            folder=folder,
            confirmations=confirmations,
            watch=watch,
            child=child,
        )
        async with watch.running():
            try:
                await bridge.start()
                yield bridge
            finally:
                await child.kill()


def core(owner: str) -> str:
    """The core contracts' config: no fee, and the relayer's own word is believed."""
    fee = "type: protocolFee, maxProtocolFee: '1000000000000000000', protocolFee: '0'"
    return (
        f"owner: '{owner}'\n"
        f"defaultIsm: {{type: trustedRelayerIsm, relayer: '{owner}'}}\n"
        "defaultHook: {type: merkleTreeHook}\n"
        f"requiredHook: {{{fee}, beneficiary: '{owner}', owner: '{owner}'}}\n"
    )


def events(folder: Path, site: Site, event: str) -> Events:
    """The events of a chain's mailbox."""
    return Events(url=site.anvil.url, contract=addresses(folder, site.name)["mailbox"], event=event)


def addresses(folder: Path, chain: str) -> dict[str, str]:
    """What was deployed on a chain, by the package's names."""
    text = (folder / "chains" / chain / "addresses.yaml").read_text(encoding="utf-8")
    return dict(re.findall(r'^(\w+): "?(0x[0-9a-fA-F]{40})', text, re.MULTILINE))


async def bring() -> Path:
    """Install the package if it is not there in the locked version; the Node that runs it.

    Fatal if there is no Node with npm.
    """
    path = os.pathsep.join([str(HERE.parents[1] / ".cache" / "node" / "bin"), os.environ["PATH"]])
    node, npm = (shutil.which(name, path=path) for name in ("node", "npm"))
    if node is None or npm is None:
        msg = "Hyperlane's package needs Node 20 or newer with npm on PATH"
        raise Fatal(msg)
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        sys.stderr.write("bringing Hyperlane's package (benchmarks/peers/node_modules)\n")
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        await run(npm, "ci", *flags, cwd=HERE)
        stamp.write_text(wanted)
    return Path(node)


async def run(*command: str, cwd: Path) -> None:
    """Run to the end; Fatal with the end of what it said if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        msg = f"{command[2:4]} failed: {said.decode(errors='replace')[-2000:]}"
        raise Fatal(msg)
