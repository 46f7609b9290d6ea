"""A past of many transfers, written by the code that would have written it, for a start on top.

The bus holds every record of each transfer (deposit, attestations, delivery, signing request,
lifecycle), made by the lane's own book from its facts; the lanes' positions stand behind them; the
attesters' journals, the tracker's file and the monitor's ledger are filled through their own code.
Only the chains know nothing of it: what a start reads of them begins at the heights that are kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Final

from eth_hash.auto import keccak

from relayer.app.chains import ed25519, kit_for, secp256k1
from relayer.app.run import lanes_of
from relayer.app.subject import subject_of
from relayer.app.topics import RELAYER, topics_of
from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.draft import Attestation, Draft
from relayer.domain.facts import (
    Accepted,
    Attested,
    Delivered,
    DepositSeen,
    DepositVerified,
    Drafted,
    Fact,
    Landed,
    Sealed,
)
from relayer.domain.keep import Keeper
from relayer.domain.ledger import Ledger
from relayer.domain.records import (
    INBOX,
    SIGNING_REQUESTS,
    TRANSFERS_TOPIC,
    InboxRecord,
    inbox,
    state,
)
from relayer.domain.transfer import ActKind, Delivery, Deposit, Location, TransferId
from relayer.ports.bus import Out
from relayer.services.attester.attester import binding_of
from relayer.services.attester.journal import Journal
from relayer.services.monitor.ledger_file import LedgerFile
from relayer.services.relayer.book import Book
from relayer.services.relayer.outbox import Spread
from relayer.services.tracker import Tracker
from relayer.settings import AttesterSettings, Settings

SPAN_SECONDS: Final = 24 * 3600
"""Over which the past is spread, up to an hour ago."""

_AT_ONCE: Final = 500
_SOMEBODY: Final = Account(b"\x01" * 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One transfer of the past."""

    deposit: Deposit
    delivery: Delivery
    at: float


@dataclass(slots=True)
class Past:
    """So many delivered transfers, for the processes of some settings."""

    settings: Settings
    transfers: int
    _now: float = field(default_factory=time.time)

    async def write(self) -> None:
        """Write it all; takes about a millisecond for each transfer."""
        directory = self.settings.path(self.settings.state_dir)
        directory.mkdir(parents=True, exist_ok=True)
        topics = topics_of(self.settings)
        async with SqliteBus(directory / "bus.db", topics, now=lambda: self._now) as bus:
            for some in self._in_parts():
                self._now = some[-1].at
                await bus.publish([out for moved in some for out in self._outs(bus, moved)])
            self._now = time.time()
            await self._take_all(bus)
            await self._track(bus, directory)
        self._bind(directory)
        await self._fold(directory)

    def moved(self) -> Iterator[Moved]:
        """The transfers, oldest first."""
        routes = list(permutations([chain.id for chain in self.settings.chains], 2))
        assets = [asset.symbol for asset in self.settings.assets]
        began = time.time() - SPAN_SECONDS - 3600
        for number in range(self.transfers):
            source, destination = routes[number % len(routes)]
            at = began + number * SPAN_SECONDS / self.transfers
            yield _moved(number, source, destination, assets[number % len(assets)], at)

    def _in_parts(self) -> Iterator[list[Moved]]:
        part: list[Moved] = []
        for moved in self.moved():
            part.append(moved)
            if len(part) == _AT_ONCE:
                yield part
                part = []
        if part:
            yield part

    def _outs(self, bus: SqliteBus, moved: Moved) -> list[Out]:
        spread = Spread(
            requests=bus.partitions(SIGNING_REQUESTS),
            transfers=bus.partitions(TRANSFERS_TOPIC),
            lanes=lanes_of(self.settings),
        )
        book = Book(Keeper(b"past"), spread)
        facts = _life(moved)
        book.fold(facts)
        attested = [fact.attestation for fact in facts if isinstance(fact, Attested)]
        records: list[InboxRecord] = [moved.deposit, *attested, moved.delivery]
        return [*(_in_inbox(moved, record) for record in records), *book.changes().outs]

    async def _take_all(self, bus: SqliteBus) -> None:
        """Move the lanes' positions behind what they took."""
        for chain in self.settings.chains:
            for number in range(bus.partitions(inbox(chain.id))):
                async with bus.own(inbox(chain.id), state(RELAYER, chain.id), number) as lane:
                    await lane.restore()
                    while await lane.take(5_000, 0.0, asyncio.Event()):
                        await lane.commit([], {})

    async def _track(self, bus: SqliteBus, directory: Path) -> None:
        tracker = Tracker(bus, directory / "tracker.db")
        running = asyncio.create_task(tracker.run())
        await tracker.caught_up.wait()
        running.cancel()
        await asyncio.wait([running])

    def _bind(self, directory: Path) -> None:
        for one in self.settings.attesters:
            path = directory / f"attester-{one.name}.db"
            with closing(Journal(path, _owner(self.settings, one), 0.0)) as journal:
                for some in self._in_parts():
                    journal.bind([_binding(moved) for moved in some])

    async def _fold(self, directory: Path) -> None:
        """A ledger that stands at the chains' final heads and has seen every transfer.

        All are folded as Solana's: the gateways of the other chains count for themselves.
        """
        solana = next(c.id for c in self.settings.chains if c.id.startswith("solana:"))
        ledger = Ledger()
        for chain in self.settings.chains:
            kit = kit_for(self.settings, chain, lambda *_: None)
            try:
                head = await kit.reader().final_head()
            finally:
                await kit.close()
            ledger.fold(chain.id, (), head.height, head.time)
        for some in self._in_parts():
            facts = [fact for moved in some for fact in _on(solana, moved)]
            ledger.fold(solana, facts, ledger.upto[solana], 0)
            ledger.findings()
        keeper = Keeper(f"monitor:{self.settings.secret(self.settings.state_secret)}".encode())
        path = directory / "monitor.db"
        with closing(LedgerFile(path, keeper, subject_of(self.settings))) as file:
            file.save(ledger)


def _moved(number: int, source: ChainId, destination: ChainId, asset: str, at: float) -> Moved:
    name = TransferId(keccak(f"past {number}".encode()))
    deposit = Deposit(
        id=name,
        source=source,
        destination=destination,
        asset=asset,
        shares=Shares((number % 1_000 + 1) * RAW_UNIT),
        sender=_SOMEBODY,
        refund_to=_SOMEBODY,
        recipient=_SOMEBODY,
        location=Location(tx=f"0x{name.hex()}", index=number % 7),
        height=1,
        time=int(at),
    )
    delivery = Delivery(
        id=name,
        chain=destination,
        source=source,
        asset=asset,
        recipient=_SOMEBODY,
        shares=deposit.shares,
        digest=bytes(name),
        tx=f"0x{keccak(name).hex()}",
        height=1,
        time=int(at) + 2,
    )
    return Moved(deposit=deposit, delivery=delivery, at=at)


def _life(moved: Moved) -> list[Fact]:
    deposit, at = moved.deposit, moved.at
    destination = moved.delivery.chain
    draft = Draft(
        kind=ActKind.DELIVER,
        id=deposit.id,
        chain=destination,
        terms={"deadline": str(int(at) + 30), "epoch": "1"},
        digest=keccak(b"draft" + deposit.id),
        dies_at=int(at) + 30,
    )
    signed = [
        Attestation(
            id=deposit.id, digest=draft.digest, attester=bytes([n]) * 20, signature=b"\x02" * 65
        )
        for n in (1, 2)
    ]
    tx = moved.delivery.tx
    return [
        DepositSeen(deposit=deposit, at=at),
        DepositVerified(deposit=deposit, receipt=None, at=at + 0.01),
        Accepted(id=deposit.id, at=at + 0.02),
        Drafted(id=deposit.id, draft=draft, until=at + 5, at=at + 0.03),
        *(Attested(attestation=one, needed=2, at=at + 0.05) for one in signed),
        Sealed(id=deposit.id, tx=tx, at=at + 0.1),
        Landed(id=deposit.id, tx=tx, at=at + 2),
        Delivered(delivery=moved.delivery, at=at + 2.1),
    ]


def _in_inbox(moved: Moved, record: InboxRecord) -> Out:
    return Out(
        topic=inbox(moved.delivery.chain),
        partition=0,
        key=moved.deposit.id.hex(),
        value=INBOX.encode(record),
    )


def _owner(settings: Settings, one: AttesterSettings) -> str:
    keys = (ed25519(settings, one.solana_key), secp256k1(settings, one.evm_key))
    return ",".join(sorted(key.public.hex() for key in keys))


def _binding(moved: Moved) -> tuple[bytes, str, str, bytes]:
    return binding_of(ActKind.DELIVER, moved.delivery.chain, moved.deposit)


def _on(chain: ChainId, moved: Moved) -> Sequence[Deposit | Delivery]:
    return (
        replace(moved.deposit, source=chain, destination=chain),
        replace(moved.delivery, source=chain, chain=chain),
    )
