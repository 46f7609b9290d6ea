"""The gate that every signature and every delivery passes: a fresh lease and no halt.

A pure fold of two topics. ``supply``: a Lease is a monitor's signed, short-lived word that an
asset may be delivered; without enough fresh ones nothing is signed. A Verdict, signed too, may take
the lease of its own monitor back. ``control``: a Halt is a
latched stop that anybody may raise (fail closed); only a Resume signed by an operator, naming the
hashes of the halts it lifts, ends it. A replayed resume names halts that are lifted already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from pydantic import Field

from relayer.domain.address import ChainId
from relayer.domain.authority import Role, Signed, authentic
from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused, VersionRefused
from relayer.domain.halt import Halt, Halts, Place, Scope, ScopeKind, digest_of
from relayer.domain.reasons import Reason
from relayer.domain.supply import Finding, Interval, Reserve, SupplySnapshot
from relayer.domain.transfer import Route
from relayer.domain.wire import (
    BlockHeight,
    Codec,
    Count,
    IntText,
    Name,
    Seconds,
    Version,
    WholeSeconds,
    Word,
    Words,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An operator's word that ends the named halts; void after ``expires_at`` (seconds)."""

    type: Literal["resume"] = "resume"
    v: Version = 1
    command: Word
    halts: tuple[Word, ...]
    reason: str
    issued_at: WholeSeconds
    expires_at: WholeSeconds


RESUME: Final[Codec[Resume]] = Codec(Resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A monitor's word that the invariant of an asset held; times in seconds.

    ``sequence`` only grows per monitor key. ``times`` are the final chain times that were read:
    they, not a wall clock alone, say how old the evidence is. ``multiplier`` is the one all
    chains agreed on, fixed point 1e18.
    """

    type: Literal["lease"] = "lease"
    v: Version = 1
    asset: Name
    sequence: Count
    issued_at: WholeSeconds
    expires_at: WholeSeconds
    heights: Mapping[str, BlockHeight]
    times: Mapping[str, WholeSeconds]
    multiplier: IntText


LEASE: Final[Codec[Lease]] = Codec(Lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One reading of an asset's books, published for the tracker, operators and auditors.

    ``k`` is the issuer's circulation per chain; ``withheld`` says why no lease was issued.
    ``sequence`` only grows per monitor key, with that of its leases.
    """

    type: Literal["verdict"] = "verdict"
    v: Version = 1
    asset: Name
    at: Seconds
    monitor: str
    snapshots: tuple[SupplySnapshot, ...]
    k: Mapping[str, Interval]
    outstanding: Interval | None
    in_flight: IntText
    reserve: Reserve | None
    findings: tuple[Finding, ...]
    withheld: Reason | None
    detail: Words = ""
    sequence: Count = 0


MonitorWord = Lease | Verdict
MONITOR_WORDS: Final[Codec[MonitorWord]] = Codec(
    Annotated[MonitorWord, Field(discriminator="type")]
)
VERDICT: Final[Codec[Verdict]] = Codec(Verdict)

SupplyRecord = Signed | Verdict
SUPPLY_RECORDS: Final[Codec[SupplyRecord]] = Codec(
    Annotated[SupplyRecord, Field(discriminator="type")]
)
ControlRecord = Signed | Halt
CONTROL_RECORDS: Final[Codec[ControlRecord]] = Codec(
    Annotated[ControlRecord, Field(discriminator="type")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """Whose word the gate takes, and how old evidence may be (seconds).

    ``assets`` and ``chains`` are those served (None: any): what is said of others is not kept, for
    anybody may say it.
    """

    monitors: frozenset[bytes]
    operators: frozenset[bytes]
    assets: frozenset[str] | None = None
    chains: frozenset[ChainId] | None = None
    needed: int = 1
    max_lease: int = 120
    max_lag: int = 180


_ENDS_LEASES: Final = frozenset({Reason.HALTED, Reason.MULTIPLIER_DIFFERS})
"""Withheld for what was read, not for what could not be read."""


@dataclass(slots=True)
class Gate:
    """The folded gate of one process."""

    policy: GatePolicy
    _leases: dict[str, dict[bytes, Lease]] = field(default_factory=dict)
    _verdicts: dict[str, Verdict] = field(default_factory=dict)
    _newest: dict[tuple[str, bytes], int] = field(default_factory=dict)
    """The sequence of the newest word of each monitor on each asset."""
    _halts: Halts = field(default_factory=Halts)

    @property
    def halts(self) -> Mapping[bytes, Halt]:
        """The halts in force, by their digest."""
        return self._halts.standing

    def by_scope(self) -> Mapping[Scope, Collection[bytes]]:
        """The names of the halts in force, by what they cover."""
        return self._halts.by_scope()

    @property
    def halted(self) -> Counter[ScopeKind]:
        """How many halts are in force, by what they cover."""
        return self._halts.counts()

    def leases(self, asset: str) -> Collection[Lease]:
        """The newest lease of each monitor for an asset, fresh or not."""
        return self._leases.get(asset, {}).values()

    def fold_supply(self, data: bytes, now: float) -> MonitorWord:
        """Take a record of ``supply`` appended at ``now`` (seconds).

        RecordRefused if it is not authentic, or was said before something that is known.
        """
        key, word = said_by(data, self.policy.monitors)
        if isinstance(word, Verdict):
            self._check_verdict(word, now)
        elif word.expires_at - word.issued_at > self.policy.max_lease:
            msg = f"a lease of {word.expires_at - word.issued_at} s is longer than allowed"
            raise RecordRefused(msg, Distrust.TOO_LONG)
        self._advance(key, word)
        if isinstance(word, Verdict):
            self._take_verdict(key, word)
        else:
            self._leases.setdefault(word.asset, {})[key] = word
        return word

    def fold_control(self, data: bytes, now: float, offset: int) -> Halt | Resume:
        """Take a record of ``control`` appended at ``now`` (seconds) and ``offset``.

        RecordRefused if it is not authentic, or a halt of nothing that is served.
        """
        record = _control(data, now)
        if isinstance(record, Halt):
            if not self._stops_anything(record.scope):
                msg = "a halt of what is not served"
                raise RecordRefused(msg, Distrust.NOT_SERVED)
            self._halts.take(record, digest_of(data), Place(offset=offset, at=now))
            return record
        body = authentic(record, Role.OPERATOR, self.policy.operators)
        return self._take_resume(RESUME.decode(body.encode()), now)

    def refusal(self, route: Route, now: float) -> tuple[Reason, str] | None:
        """Why a route may not be delivered at ``now`` (seconds), in words; None: it may."""
        halt = self._halts.over(route)
        if halt is not None:
            return Reason.HALTED, f"{halt.scope.kind} halt: {halt.reason}"
        fresh = [lease for lease in self.leases(route.asset) if self._fresh(lease, now)]
        if len(fresh) < self.policy.needed:
            wanted = f"{len(fresh)} of {self.policy.needed} fresh leases for {route.asset}"
            return self._why(route.asset, wanted, now)
        return None

    def verdict(self, asset: str) -> Verdict | None:
        """The newest reading of an asset, of whichever monitor."""
        return self._verdicts.get(asset)

    def good_until(self, asset: str, now: float) -> int:
        """Until when (seconds) enough leases for an asset last; 0 if they do not now."""
        ends = sorted(
            (lease.expires_at for lease in self.leases(asset) if self._fresh(lease, now)),
            reverse=True,
        )
        return ends[self.policy.needed - 1] if len(ends) >= self.policy.needed else 0

    def _fresh(self, lease: Lease, now: float) -> bool:
        oldest = min(lease.times.values(), default=0)
        # Judged by our clock too: a lease dated into the future must not open the gate for long.
        lasts = 0 < lease.expires_at - now <= self.policy.max_lease
        return lasts and now - oldest <= self.policy.max_lag

    def _why(self, asset: str, wanted: str, now: float) -> tuple[Reason, str]:
        """Why leases are missing, by the newest reading if that is not old itself."""
        told = self._verdicts.get(asset)
        if told is None or told.withheld is None or now - told.at > self.policy.max_lag:
            return Reason.NO_LEASE, wanted
        differs = told.withheld is Reason.MULTIPLIER_DIFFERS
        return Reason.MULTIPLIER_DIFFERS if differs else Reason.NO_LEASE, told.detail or wanted

    def _check_verdict(self, verdict: Verdict, now: float) -> None:
        """RecordRefused for one on an asset that is not served, or told long after it was made.

        Sequences alone would let whoever recorded a monitor that is silent now tell its past again.
        """
        if self.policy.assets is not None and verdict.asset not in self.policy.assets:
            msg = "a verdict on an asset that is not served"
            raise RecordRefused(msg, Distrust.NOT_SERVED)
        if now - verdict.at > self.policy.max_lag:
            msg = f"a verdict that was made {now - verdict.at:.0f} s before it was told"
            raise RecordRefused(msg, Distrust.REPLAYED)

    def _advance(self, key: bytes, word: MonitorWord) -> None:
        """Remember how far a monitor has got with an asset; RecordRefused for what it said before."""
        known = self._newest.get((word.asset, key))
        if known is not None and known >= word.sequence:
            msg = f"{word.type} {word.sequence} of {word.asset} is not newer than what is known"
            raise RecordRefused(msg, Distrust.REPLAYED)
        self._newest[word.asset, key] = word.sequence

    def _take_verdict(self, key: bytes, verdict: Verdict) -> None:
        """Keep a verdict. A monitor that found chains or books at odds takes its own lease back.

        What it merely could not read leaves the lease to its end.
        """
        self._verdicts[verdict.asset] = verdict
        known = self._leases.get(verdict.asset, {})
        if verdict.withheld in _ENDS_LEASES and key in known:
            known[key] = replace(known[key], expires_at=known[key].issued_at)

    def _take_resume(self, resume: Resume, now: float) -> Resume:
        if now > resume.expires_at:
            msg = "the resume has expired: sign a new one"
            raise RecordRefused(msg, Distrust.EXPIRED)
        if not self._halts.lift(resume.halts):
            msg = "the resume names only halts that are lifted already"
            raise RecordRefused(msg, Distrust.REPLAYED)
        return resume

    def _stops_anything(self, scope: Scope) -> bool:
        """Whether a scope is about something that is served; anybody may name anything."""
        asset, _, way = scope.name.partition(" ")
        chains = {ScopeKind.ROUTE: way.split(">"), ScopeKind.CHAIN: [scope.name]}
        assets = {ScopeKind.ROUTE: [asset], ScopeKind.ASSET: [scope.name]}
        return _all_in(self.policy.chains, chains.get(scope.kind, [])) and _all_in(
            self.policy.assets, assets.get(scope.kind, [])
        )


def _all_in(served: frozenset[str] | frozenset[ChainId] | None, names: list[str]) -> bool:
    return served is None or served.issuperset(names)


def said_by(data: bytes, monitors: Collection[bytes]) -> tuple[bytes, MonitorWord]:
    """Which of these monitors said what in a record of ``supply``; RecordRefused if none did.

    A verdict that nobody signed is of a monitor of before they were: nobody acts on it.
    """
    record = SUPPLY_RECORDS.decode(data)
    if isinstance(record, Verdict):
        msg = "a verdict that nobody signed"
        raise RecordRefused(msg, Distrust.NOT_AUTHENTIC)
    word = MONITOR_WORDS.decode(authentic(record, Role.MONITOR, monitors).encode())
    if isinstance(word, Verdict) and word.monitor != record.key.hex():
        msg = "a verdict that one monitor signed in the name of another"
        raise RecordRefused(msg, Distrust.NOT_AUTHENTIC)
    return record.key, word


def _control(data: bytes, now: float) -> ControlRecord:
    """The record in a text. A halt of a later version says what is not known here: all must stop.

    RecordRefused for anything else.
    """
    try:
        return CONTROL_RECORDS.decode(data)
    except VersionRefused as error:
        if error.kind != "halt":
            raise
        return Halt(
            scope=Scope(kind=ScopeKind.GLOBAL),
            reason="a halt of a later release, which this one cannot read",
            evidence=str(error),
            raised_at=int(now),
            raised_by="unknown",
        )
