"""What services tell, as metrics and as log events with constant names.

One summary line per fact that an operator would look for; a transfer's id is a field of the log,
never a label of a metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import structlog

from relayer.domain.address import ChainId
from relayer.domain.amount import WAD
from relayer.domain.draft import Attestation, LandingKind, SigningRequest, Submission
from relayer.domain.errors import RelayerError, Transient
from relayer.domain.facts import Fact, Held, Parked, Unlanded
from relayer.domain.gate import Gate, Halt, Lease, ScopeKind, Verdict
from relayer.domain.lifecycle import Stage, Transfer
from relayer.domain.reasons import Reason
from relayer.domain.transfer import ChainFact, Deposit
from relayer.ports.bus import Record
from relayer.ports.chain import Head
from relayer.telemetry.metrics import Measure, Metrics, Milestone, Outcome, Refusal

_ENDED = {
    Stage.DELIVERED: Outcome.DELIVERED,
    Stage.REFUNDED: Outcome.REFUNDED,
    Stage.PARKED: Outcome.PARKED,
}


class Observers:
    """One object for every service's observer port."""

    def __init__(self, metrics: Metrics) -> None:
        """Write to these metrics and to the process's log."""
        self._metrics = metrics
        self._log: Any = structlog.get_logger("relayer")

    def restored(self, lane: int, transfers: int, forged: int) -> None:
        """A lane took over."""
        self._log.info("lane.restored", lane=lane, transfers=transfers, forged=forged)

    def refused(self, record: Record, why: str) -> None:
        """A record was passed over."""
        self._metrics.refused.labels(record.topic, Refusal.MALFORMED).inc()
        self._log.warning(
            "record.refused",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            why=why,
        )

    def forged_attestation(self, attestation: Attestation) -> None:
        """A signature did not verify."""
        self._log.warning(
            "attestation.forged", transfer=attestation.id.hex(), attester=attestation.attester.hex()
        )

    def told(self, stages: Sequence[tuple[Transfer, Stage]]) -> None:
        """Transfers entered stages."""
        for transfer, stage in stages:
            deposit = transfer.deposit
            route = (deposit.source, deposit.destination or "", deposit.asset)
            if stage in _ENDED:
                self._metrics.transfers.labels(*route, _ENDED[stage]).inc()
            self._time(transfer, stage)
            self._log.info(
                f"transfer.{stage}",
                transfer=deposit.id.hex(),
                source=deposit.source,
                destination=deposit.destination,
                asset=deposit.asset,
                reason=transfer.reason,
                detail=transfer.detail or None,
                tx=transfer.submission,
            )

    def _time(self, transfer: Transfer, stage: Stage) -> None:
        milestone = {
            Stage.SUBMITTED: Milestone.BROADCAST,
            Stage.DELIVERED: Milestone.DELIVERED,
        }.get(stage)
        if milestone is not None:
            destination = transfer.deposit.destination or ""
            seconds = transfer.since - transfer.seen_at
            self._metrics.latency.labels(destination, milestone).observe(seconds)

    def facts(self, facts: Sequence[Fact]) -> None:
        """Work of a lane ended in facts; the unpleasant ones are logged."""
        for fact in facts:
            if isinstance(fact, Held | Parked):
                self._log.info(
                    "transfer.waits", transfer=fact.id.hex(), reason=fact.reason, why=fact.detail
                )

    def submitted(self, submission: Submission) -> None:
        """A submission is persisted."""
        self._log.info(
            "submission.sealed",
            chain=submission.chain,
            tx=submission.tx,
            transfers=len(submission.ids),
            nonce=submission.nonce,
        )

    def landed(self, submission: Submission, facts: Sequence[Fact]) -> None:
        """The outcome of a submission is final."""
        bad = [fact for fact in facts if isinstance(fact, Unlanded)]
        dead = any(fact.reason is Reason.SUBMISSION_EXPIRED for fact in bad)
        kind = LandingKind.LANDED
        if len(bad) == len(facts):
            kind = LandingKind.DEAD if dead else LandingKind.FAILED
        self._metrics.submissions.labels(submission.chain, kind).inc()
        log = self._log.warning if bad else self._log.info
        why = next((fact.detail for fact in bad), None)
        log("submission.final", chain=submission.chain, tx=submission.tx, outcome=kind, why=why)

    def swept(self, source: str, found: int, opened: int) -> None:
        """A Sweep ended."""
        log = self._log.warning if opened else self._log.debug
        log("sweep.done", source=source, found=found, opened=opened)

    def read(self, chain: ChainId, head: Head, cursor: int, facts: Sequence[ChainFact]) -> None:
        """A listener read a range."""
        self._metrics.head_height.labels(chain).set(head.height)
        self._metrics.head_time.labels(chain).set(head.time)
        self._metrics.cursor_height.labels(chain).set(cursor)
        for deposit in facts:
            if isinstance(deposit, Deposit):
                labels = (chain, deposit.destination or "", deposit.asset)
                self._metrics.deposits.labels(*labels).inc()
        if facts:
            kinds = Counter(fact.type for fact in facts)
            self._log.info("chain.read", chain=chain, cursor=cursor, **kinds)

    def unreadable(self, chain: ChainId, error: Transient) -> None:
        """A chain could not be read."""
        self._log.warning("chain.unreadable", chain=chain, why=str(error))

    def attested(self, request: SigningRequest) -> None:
        """An attester signed."""
        draft = request.draft
        self._log.debug("draft.attested", transfer=draft.id.hex(), chain=draft.chain)

    def declined(self, request: SigningRequest, error: RelayerError) -> None:
        """An attester did not sign."""
        draft = request.draft
        self._log.warning(
            "draft.declined", transfer=draft.id.hex(), chain=draft.chain, why=str(error)
        )

    def gate_changed(self, gate: Gate) -> None:
        """A lease, halt or resume was taken."""
        counts = Counter(halt.scope.kind for halt in gate.halts.values())
        for kind in ScopeKind:
            self._metrics.halts.labels(kind).set(counts[kind])

    def verdict(self, verdict: Verdict) -> None:
        """A verdict of any monitor was read."""

    def weighed(self, verdict: Verdict, lease: Lease | None) -> None:
        """This process's monitor weighed an asset."""
        books = self._metrics.books
        if verdict.outstanding is not None:
            books.labels(verdict.asset, Measure.OUTSTANDING).set(verdict.outstanding.low / WAD)
        if verdict.reserve is not None:
            books.labels(verdict.asset, Measure.BACKED).set(verdict.reserve.stock / WAD)
        books.labels(verdict.asset, Measure.IN_FLIGHT).set(verdict.in_flight / WAD)
        for chain, k in verdict.k.items():
            self._metrics.circulation.labels(verdict.asset, chain).set(k.low / WAD)
        if lease is not None:
            self._metrics.lease_expiry.labels(verdict.asset).set(lease.expires_at)
        else:
            self._log.warning(
                "lease.withheld", asset=verdict.asset, reason=verdict.withheld, why=verdict.detail
            )

    def halted(self, halt: Halt) -> None:
        """A halt was raised."""
        self._log.error(
            "halt.raised", scope=str(halt.scope), reason=halt.reason, evidence=halt.evidence
        )
