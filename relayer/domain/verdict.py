"""From one complete reading to a verdict: what is broken, and why a lease is withheld.

Fail closed: whatever is stale, missing or disagreeing withholds the lease, so that relaying stops
by itself and resumes by itself. Only what is proven broken latches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.gate import Verdict
from relayer.domain.ledger import Ledger
from relayer.domain.multiplier import agree, distinct
from relayer.domain.reasons import Reason
from relayer.domain.supply import (
    Counters,
    Finding,
    Interval,
    Reserve,
    SupplySnapshot,
    check_backing,
    check_counters,
    check_vault,
    issued,
    outstanding,
)

MOST_FINDINGS: Final = 30
"""Findings that a verdict names, those that latch first: a record must not grow past its bound,
or it would be refused exactly when the books are broken most. Signed, it stands in quotes, in which
a quotation mark of its words takes four bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPolicy:
    """``reserve_age`` and ``lease`` in seconds. ``elsewhere`` and ``excluded`` in shares (1e-18).

    ``multiplier_grace`` is how long (seconds) after a multiplier went out of force a statement may
    still be meant for it. ``elsewhere`` is supply on chains the relayer does not serve, ``excluded`` what configured
    issuer wallets hold. ``issued`` bounds outstanding by the operator's own record; None: the
    issuer mints freely.
    """

    chains: tuple[ChainId, ...]
    reserve_age: int = 3600
    lease: int = 30
    multiplier_grace: int = 900
    elsewhere: Mapping[str, Shares]
    excluded: Mapping[str, Shares]
    issued: Mapping[str, Shares]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one round read for one asset: one snapshot per chain, and the reserve if there is.

    ``recent`` are multipliers in force so lately that the reserve may be meant for them.
    """

    asset: str
    at: float
    monitor: str
    snapshots: tuple[SupplySnapshot, ...]
    reserve: Reserve | None
    unread: str = ""
    recent: frozenset[int] = frozenset()


def weigh(reading: Reading, ledger: Ledger, policy: SupplyPolicy) -> Verdict:
    """The verdict on a reading; ``withheld`` is None exactly when a lease may be issued."""
    ks = {s.chain: issued(s, _counters(s, ledger)) for s in reading.snapshots}
    total = _total(reading.asset, ks, policy) if len(ks) == len(policy.chains) else None
    findings = _findings(reading, ledger, total, policy)
    withheld = _withheld(reading, findings, total, policy)
    return Verdict(
        asset=reading.asset,
        at=reading.at,
        monitor=reading.monitor,
        snapshots=reading.snapshots,
        k={str(chain): k for chain, k in ks.items()},
        outstanding=total,
        in_flight=ledger.in_flight(reading.asset),
        reserve=reading.reserve,
        findings=tuple(sorted(findings, key=lambda one: not one.latches)[:MOST_FINDINGS]),
        withheld=withheld[0] if withheld else None,
        detail=withheld[1] if withheld else "",
    )


def _counters(snapshot: SupplySnapshot, ledger: Ledger) -> Counters:
    return snapshot.counters or ledger.counters(snapshot.chain, snapshot.asset)


def _total(asset: str, ks: Mapping[ChainId, Interval], policy: SupplyPolicy) -> Interval:
    known = policy.elsewhere.get(asset, Shares(0)) - policy.excluded.get(asset, Shares(0))
    return outstanding(ks.values()).plus(known)


def _findings(
    reading: Reading, ledger: Ledger, total: Interval | None, policy: SupplyPolicy
) -> list[Finding]:
    found = [f for f in ledger.findings() if f.asset == reading.asset]
    for snapshot in reading.snapshots:
        folded = ledger.counters(snapshot.chain, snapshot.asset)
        same_height = ledger.upto.get(snapshot.chain) == snapshot.height
        checks = (
            check_vault(snapshot, snapshot.counters or folded),
            check_counters(snapshot, folded) if same_height else None,
        )
        found += [finding for finding in checks if finding is not None]
    if total is not None:
        found += _backing(reading, total, policy)
    return found


def _backing(reading: Reading, total: Interval, policy: SupplyPolicy) -> list[Finding]:
    found: list[Finding] = []
    if reading.reserve is not None:
        lowest = min(_meant(reading, reading.reserve))
        short = check_backing(reading.asset, total, lowest, reading.reserve)
        found += [short] if short else []
    allowed = policy.issued.get(reading.asset)
    if allowed is not None and total.low > allowed:
        detail = f"outstanding {total.low} is above the recorded issue {allowed} (1e-18 share)"
        found.append(
            Finding(rule="A", asset=reading.asset, chain=None, detail=detail, latches=True)
        )
    return found


def _meant(reading: Reading, reserve: Reserve) -> frozenset[int]:
    """The multipliers that the reserve may be meant for; its own, if it names one."""
    if reserve.multiplier is not None:
        return frozenset((reserve.multiplier,))
    return distinct({s.multiplier for s in reading.snapshots} | reading.recent)


def _withheld(
    reading: Reading,
    findings: Sequence[Finding],
    total: Interval | None,
    policy: SupplyPolicy,
) -> tuple[Reason, str] | None:
    if findings:
        return Reason.HALTED, f"rule {findings[0].rule}: {findings[0].detail}"
    if total is None:
        return Reason.NO_LEASE, reading.unread or "not every chain was read"
    reserve = reading.reserve
    if reserve is None or reading.at - reserve.at > policy.reserve_age:
        return Reason.NO_LEASE, "the reserve statement is missing or stale"
    multipliers = {s.multiplier for s in reading.snapshots}
    if not agree(multipliers):
        return Reason.MULTIPLIER_DIFFERS, f"effective multipliers {sorted(multipliers)}"
    highest = max(_meant(reading, reserve))
    short = check_backing(reading.asset, total, highest, reserve)
    if short is not None:
        since = f"the reserve of {reserve.at} may be meant for another multiplier"
        return Reason.NO_LEASE, f"{since}: {short.detail}"
    return None
