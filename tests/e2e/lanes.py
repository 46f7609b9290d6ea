"""A bridge over Kafka whose lanes on BNB Chain are changed by the commands of docs/kafka.md."""

from __future__ import annotations

import asyncio
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w
from click.testing import CliRunner, Result

from relayer.app.bus import cluster_of
from relayer.app.chains import kit_for
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_topics import delete
from relayer.cli.demo.books import Books, read_books
from relayer.cli.demo.child import Child
from relayer.cli.demo.plan import user_account, user_secret
from relayer.cli.main import root
from relayer.devnet.world import LocalWorld
from relayer.domain.address import ChainId, Family, family_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.stage import Stage
from relayer.process_settings import BusSettings
from relayer.services.tracks import Filter, Tracks
from relayer.settings import Settings, load
from relayer.signing.local import Secp256k1Signer


@dataclass(slots=True)
class Site:
    """One process with every service, its settings, and who deposits."""

    world: LocalWorld
    bus: BusSettings
    config: Path = field(init=False)
    child: Child = field(init=False)
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Settings of its own beside the world's."""
        self.config = self.world.directory / "lanes.toml"
        self.child = Child(config=self.config, log=self.world.directory / "lanes.log")

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return load(self.config)

    @property
    def bnb(self) -> ChainId:
        """The chain whose lanes change."""
        return next(c.id for c in self.settings.chains if family_of(c.id) is Family.EVM)

    async def pay_with(self, payers: int) -> None:
        """Write so many payers of BNB Chain into the settings, each with coins."""
        config = tomllib.loads(self.world.config_path.read_text(encoding="utf-8"))
        config["state_dir"] = str(self.world.directory / "lanes")
        config["bus"] = self.bus.model_dump(mode="json", exclude_defaults=True)
        chain = next(one for one in config["chains"] if one["chain"].startswith("eip155:"))
        chain["payers"] += [await self._payer(number) for number in range(1, payers)]
        self.config.write_text(tomli_w.dumps(config), encoding="utf-8")

    async def _payer(self, number: int) -> str:
        secret = bytes([number]) * 32
        address = "0x" + Secp256k1Signer(secret).public.hex()
        await self.world.anvil.rpc.call("anvil_setBalance", address, hex(10**24))
        file = self.world.directory / "keys" / f"payer-{number}"
        file.touch(mode=0o600)
        file.write_text(secret.hex(), encoding="ascii")
        return f"file:keys/payer-{number}"

    async def deposit(self) -> None:
        """Two users on each of the two other chains deposit for BNB Chain; all are in blocks."""
        async with asyncio.TaskGroup() as group:
            for chain in self.settings.chains:
                for user in (0, 1) if chain.id != self.bnb else ():
                    group.create_task(self._one_deposit(chain.id, user))

    async def _one_deposit(self, source: ChainId, user: int) -> None:
        settings = self.settings
        self.made += 1
        shares, asset = Shares((10_000 + self.made) * RAW_UNIT), settings.assets[0].symbol
        kit = kit_for(settings, settings.chain(source), lambda *_: None)
        try:
            recipient = user_account(settings, self.bnb, user)
            depositor = kit.depositor(user_secret(settings, source, user))
            await depositor.deposit(asset, shares, self.bnb, recipient)
        finally:
            await kit.close()

    async def run(self, *words: str) -> Result:
        """What a person types after ``relayer``."""
        line = [words[0], "--config", str(self.config), *words[1:]]
        return await asyncio.to_thread(CliRunner().invoke, root, line)

    async def halt(self) -> None:
        """``relayer halt``, once the process answers."""
        async with asyncio.timeout(60):
            while (
                await self.run("halt", "--scope", "chain", "--name", "bnb", "--reason", "lanes")
            ).exit_code:
                self.child.check()
                await asyncio.sleep(0.1)

    async def drained(self) -> None:
        """``relayer status --open`` shows no transfer that is submitted any more."""
        async with asyncio.timeout(60):
            while "submitted" in (await self.run("status", "--open")).output:
                await asyncio.sleep(0.2)

    async def resume(self) -> None:
        """``relayer resume`` of every halt that it lists, once the process answers."""
        key = ("--key", "file:keys/operator", "--reason", "lanes changed")
        async with asyncio.timeout(60):
            while not (
                halts := re.findall(r"[0-9a-f]{64}", (await self.run("resume", *key)).output)
            ):
                self.child.check()
                await asyncio.sleep(0.1)
        assert (await self.run("resume", *key, *halts)).exit_code == 0

    async def books(self, deliveries: int) -> Books:
        """The books once so many deliveries are final; TimeoutError if they do not come."""
        kits = [kit_for(self.settings, chain, lambda *_: None) for chain in self.settings.chains]
        try:
            async with asyncio.timeout(90):
                while len((books := await read_books([k.reader() for k in kits])).deliveries) < (
                    deliveries
                ):
                    await asyncio.sleep(0.3)
        finally:
            for kit in kits:
                await kit.close()
        return books

    async def wait_for(self, delivered: int) -> None:
        """So many transfers are known to be delivered, as the tracker has it."""
        path = self.settings.path(self.settings.state_dir) / "tracker.db"
        async with asyncio.timeout(90):
            while True:
                self.child.check()
                if path.exists():
                    with Tracks(path) as tracks:
                        found = tracks.status(Filter(stages=frozenset({Stage.DELIVERED}), limit=99))
                    if len(found) >= delivered:
                        return
                await asyncio.sleep(0.2)

    async def clear(self) -> None:
        """Delete the topics."""
        await delete(cluster_of(self.settings), Catalog(topics_of(self.settings)))
