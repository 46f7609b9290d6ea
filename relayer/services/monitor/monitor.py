"""One round after the other: read all chains, weigh each asset, issue leases or halt.

In a round deliveries are read first and deposits after: each chain's snapshot and its history up
to the snapshot's height; then, if an act still waits for its deposit, every chain once more to its
newest final height. So an honest delivery is never ahead of its deposit.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from relayer.domain.address import ChainId
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.errors import Transient
from relayer.domain.gate import (
    CONTROL_RECORDS,
    MONITOR_WORDS,
    SUPPLY_RECORDS,
    Lease,
    MonitorWord,
    Verdict,
)
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.ledger import Ledger
from relayer.domain.multiplier import MultiplierHistory
from relayer.domain.records import CONTROL, SUPPLY
from relayer.domain.supply import Finding, Reserve, SupplySnapshot
from relayer.domain.verdict import Reading, SupplyPolicy, weigh
from relayer.ports.bus import Bus, Out
from relayer.ports.chain import ChainReader
from relayer.ports.clock import Clock
from relayer.ports.reserve import ReserveSource
from relayer.ports.signer import Signer
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.monitor.ledger_file import LedgerFile

READINGS_TO_LATCH = 2
"""Complete readings in a row that must break A before it latches."""

SPAN = 5_000
"""Heights of history read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """``every`` seconds a round begins, ``save_every`` the ledger is kept; ``assets`` by symbol."""

    assets: tuple[str, ...]
    policy: SupplyPolicy
    every: float = 3.0
    save_every: float = 10.0


class MonitorObserver(Protocol):
    """What a monitor tells whoever measures and logs it."""

    def weighed(self, verdict: Verdict, lease: Lease | None) -> None:
        """An asset was weighed, and a lease issued or withheld."""

    def halted(self, halt: Halt) -> None:
        """A halt was raised."""

    def unreadable(self, chain: ChainId, error: Transient) -> None:
        """A chain could not be read in this round."""

    def untold(self, asset: str, error: Transient) -> None:
        """A verdict, and with it a lease or halts, was not signed or not taken: told next round."""


class Monitor:
    """One monitor with its own readers, its own ledger and its own key."""

    def __init__(
        self,
        *,
        bus: Bus,
        readers: Mapping[ChainId, ChainReader],
        reserves: ReserveSource,
        signer: Signer,
        settings: MonitorSettings,
        gatekeeper: Gatekeeper,
        clock: Clock,
        observer: MonitorObserver,
        kept: LedgerFile | None = None,
    ) -> None:
        """Keep the parts; ``run`` does the work, from the ledger that was ``kept``."""
        self._kept = kept
        self._saved_at = 0.0
        self._bus = bus
        self._readers = readers
        self._reserves = reserves
        self._signer = signer
        self._settings = settings
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._observer = observer
        self._ledger = (kept and kept.load()) or Ledger()
        self._sequence = 0
        self._broken: dict[str, int] = {}
        self._unread: dict[ChainId, str] = {}
        self._multipliers: dict[str, MultiplierHistory] = {}

    async def run(self) -> None:
        """Round after round until cancelled."""
        await self._gatekeeper.ready()
        while True:
            begun = self._clock.now()
            await self.round()
            spent = self._clock.now() - begun
            await self._clock.sleep(max(0.0, self._settings.every - spent))

    async def round(self) -> Sequence[Verdict]:
        """One complete reading and what follows from it."""
        snapshots = await self._read_chains()
        verdicts = [await self._weigh(asset, snapshots) for asset in self._settings.assets]
        for verdict in verdicts:
            await self._publish(verdict)
        self._save()
        return verdicts

    def _save(self) -> None:
        """Keep what was folded, now and then: what is lost is read again."""
        now = self._clock.now()
        if self._kept is not None and now - self._saved_at >= self._settings.save_every:
            self._kept.save(self._ledger)
            self._saved_at = now

    async def _read_chains(self) -> list[SupplySnapshot]:
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(self._snapshots(r)) for r in self._readers.values()]
        if self._ledger.unmatched:
            async with asyncio.TaskGroup() as group:
                for reader in self._readers.values():
                    group.create_task(self._read_further(reader))
        return [snapshot for read in reads for snapshot in read.result()]

    async def _snapshots(self, reader: ChainReader) -> Sequence[SupplySnapshot]:
        """The chain's snapshots with its history folded to their height; () if unreadable."""
        try:
            snapshots = await reader.snapshots()
            height, time = snapshots[0].height, snapshots[0].time
            await self._fold_to(reader, height, time)
        except Transient as error:
            self._failed(reader.chain, error)
            return ()
        if self._ledger.upto.get(reader.chain, 0) > height and snapshots[0].counters is None:
            self._unread[reader.chain] = f"{reader.chain} answered from an older height"
            return ()
        self._unread.pop(reader.chain, None)
        return snapshots

    async def _read_further(self, reader: ChainReader) -> None:
        try:
            head = await reader.final_head()
            await self._fold_to(reader, head.height, head.time)
        except Transient as error:
            self._failed(reader.chain, error)

    async def _fold_to(self, reader: ChainReader, height: int, time: int) -> None:
        upto = self._ledger.upto.get(reader.chain, reader.first_height - 1)
        while upto < height:
            last = min(height, upto + SPAN)
            facts = await reader.history(upto + 1, last)
            self._ledger.fold(reader.chain, facts, last, 0)
            upto = last
        if upto == height:
            self._ledger.fold(reader.chain, (), height, time)

    def _failed(self, chain: ChainId, error: Transient) -> None:
        self._unread[chain] = f"{chain} cannot be read: {error}"
        self._observer.unreadable(chain, error)

    async def _weigh(self, asset: str, snapshots: Sequence[SupplySnapshot]) -> Verdict:
        now, mine = self._clock.now(), tuple(s for s in snapshots if s.asset == asset)
        reserve = await self._reserve(asset)
        history = self._history(asset)
        history.fold({s.multiplier for s in mine}, now)
        reading = Reading(
            asset=asset,
            at=now,
            monitor=self._signer.public.hex(),
            snapshots=mine,
            reserve=reserve,
            unread="; ".join(self._unread.values()),
            recent=self._recent(history, reserve),
        )
        return weigh(reading, self._ledger, self._settings.policy)

    def _history(self, asset: str) -> MultiplierHistory:
        """The multipliers seen so far; a monitor that began anew takes up its last reading."""
        if asset not in self._multipliers:
            history = self._multipliers[asset] = MultiplierHistory()
            told = self._gatekeeper.gate.verdict(asset)
            if told is not None:
                # By another monitor's clock: dated into the future, it would never be forgotten.
                at = min(told.at, self._clock.now())
                history.fold({s.multiplier for s in told.snapshots}, at)
        return self._multipliers[asset]

    def _recent(self, history: MultiplierHistory, reserve: Reserve | None) -> frozenset[int]:
        if reserve is None:
            return frozenset()
        return history.meant(reserve.at, self._settings.policy.multiplier_grace)

    async def _reserve(self, asset: str) -> Reserve | None:
        try:
            return await self._reserves.reserve(asset)
        except Transient:
            return None

    async def _publish(self, verdict: Verdict) -> None:
        """Publish the reading, and with it a lease or halts: those first, they wait for no key."""
        told = replace(verdict, sequence=self._next())
        lease = self._lease(verdict) if verdict.withheld is None else None
        words: list[MonitorWord] = [told] if lease is None else [told, lease]
        try:
            if halts := [*self._halts(verdict)]:
                await self._bus.publish(halts)
            signed = [await self._signed(word) for word in words]
            await self._bus.publish([self._out(SUPPLY, verdict.asset, one) for one in signed])
        except Transient as error:
            self._observer.untold(verdict.asset, error)
        else:
            self._observer.weighed(told, lease)

    def _halts(self, verdict: Verdict) -> Iterator[Out]:
        for finding in self._latching(verdict):
            halt = self._halt(finding)
            if not self._stands(halt):
                self._observer.halted(halt)
                yield self._out(CONTROL, "", CONTROL_RECORDS.encode(halt))

    def _latching(self, verdict: Verdict) -> list[Finding]:
        """Findings that stop deliveries for good; A only after it was broken twice in a row."""
        broken = any(finding.rule == "A" for finding in verdict.findings)
        times = self._broken.get(verdict.asset, 0) + 1 if broken else 0
        self._broken[verdict.asset] = times
        return [
            finding
            for finding in verdict.findings
            if finding.latches and (finding.rule != "A" or times >= READINGS_TO_LATCH)
        ]

    def _halt(self, finding: Finding) -> Halt:
        where = f" on {finding.chain}" if finding.chain else ""
        return Halt(
            scope=Scope(kind=ScopeKind.ASSET, name=finding.asset),
            reason=f"rule {finding.rule} is broken for {finding.asset}{where}",
            evidence=finding.detail,
            raised_at=int(self._clock.now()),
            # A name that nobody can know before: a halt foreseen could be lifted before it is raised.
            raised_by=f"monitor {self._signer.public.hex()[:16]}, {secrets.token_hex(8)}",
        )

    def _stands(self, halt: Halt) -> bool:
        return any(
            (known.scope, known.reason) == (halt.scope, halt.reason)
            for known in self._gatekeeper.gate.halts.values()
        )

    def _lease(self, verdict: Verdict) -> Lease:
        now = self._clock.now()
        return Lease(
            asset=verdict.asset,
            sequence=self._next(),
            issued_at=int(now),
            expires_at=int(now) + self._settings.policy.lease,
            heights={s.chain: s.height for s in verdict.snapshots},
            times={s.chain: s.time for s in verdict.snapshots},
            multiplier=max(s.multiplier for s in verdict.snapshots),
        )

    def _next(self) -> int:
        """The next number of what this key says; a monitor that begins anew goes on by its clock."""
        self._sequence = max(self._sequence + 1, int(self._clock.now() * 1000))
        return self._sequence

    async def _signed(self, word: MonitorWord) -> bytes:
        body = MONITOR_WORDS.encode(word).decode()
        signature = await self._signer.sign(to_sign(Role.MONITOR, body))
        signed = Signed(role=Role.MONITOR, key=self._signer.public, body=body, signature=signature)
        return SUPPLY_RECORDS.encode(signed)

    def _out(self, topic: str, key: str, value: bytes) -> Out:
        partitions = self._bus.partitions(topic)
        partition = sum(key.encode()) % partitions
        return Out(topic=topic, partition=partition, key=key, value=value)
