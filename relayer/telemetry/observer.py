"""Turns what the services tell into logs and metrics.

One object answers the observer protocols of all services by shape; it decides nothing, does no
I/O beyond writing a line, and asks nothing of them. Labels come from the configuration or from a
chain, never from a record that anybody may write: a forger must not be able to fill the memory.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter as Counting
from prometheus_client import Histogram as Timing

from relayer.agreement.health import Fault
from relayer.domain.address import ChainId
from relayer.domain.amount import WAD
from relayer.domain.command import Command
from relayer.domain.distrust import Decline, Distrust
from relayer.domain.draft import Landing, LandingKind, SigningRequest, Submission
from relayer.domain.errors import RecordRefused, Transient
from relayer.domain.facts import Fact, Held, Parked, Stuck
from relayer.domain.gate import Gate, Lease, Verdict
from relayer.domain.halt import Halt, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.records import inbox, state
from relayer.domain.stage import LEFT, Stage, Transfer
from relayer.domain.transfer import ActKind, ChainFact, Deposit, TransferId, owner_of
from relayer.ports.bus import Record
from relayer.ports.chain import Head
from relayer.telemetry.metrics import Measure, Metrics, Milestone, Outcome

NOWHERE = "none"
"""The label of a deposit that names no destination."""

SILENCE: Final = 1.0
"""Seconds in which what is passed over for one reason is said once, and only counted else."""

WORDS: Final = 300
"""Characters of a refusal that are logged: a part of them may be a stranger's."""

_COMMON: Final = frozenset({Distrust.LATE, Distrust.REPEATED})
"""They come by themselves."""

_log = structlog.get_logger("relayer")
_WITH_REASON = frozenset({Stage.WAITING, Stage.SUBMITTED, Stage.PARKED})
_OUTCOMES = {
    Stage.DELIVERED: Outcome.DELIVERED,
    Stage.REFUNDED: Outcome.REFUNDED,
    Stage.PARKED: Outcome.PARKED,
}


@dataclass(slots=True)
class _Open:
    """What is remembered of a Transfer until it closes."""

    owner: ChainId
    reason: Reason | None = None
    broadcast: bool = False


class Observer:
    """Logs and measures what all services of one process tell."""

    def __init__(self, metrics: Metrics) -> None:
        """Write to these metrics and to the process's log; nothing is open yet."""
        self._metrics = metrics
        self._open: dict[TransferId, _Open] = {}
        self._held: Counter[Reason] = Counter()
        self._withheld: dict[str, Reason | None] = {}
        self._said: dict[tuple[str, str], float] = {}
        # Looking children up by their labels costs more than counting, once per call.
        self._calls: dict[tuple[ChainId, str], tuple[Counting, Timing]] = {}
        self._streamless: set[tuple[ChainId, int]] = set()
        self._answers: dict[tuple[ChainId, int], tuple[Counting, Timing]] = {}

    # -- the relayer's lanes

    def restored(self, chain: ChainId, lane: int, transfers: int, forged: int) -> None:
        """A lane took over; forged state values are worth an alarm."""
        _log.info("lane.restored", chain=chain, lane=lane, transfers=transfers, forged=forged)
        self._passed_over(state("relayer", chain), Distrust.FORGED_STATE, forged)
        self._metrics.bus.restores.labels(chain).inc()

    def told(self, stages: Sequence[tuple[Transfer, Stage]]) -> None:
        """Transfers entered stages."""
        for transfer, stage in stages:
            deposit = transfer.deposit
            facts = {
                "transfer_id": deposit.id.hex(),
                "asset": deposit.asset,
                "source": deposit.source,
            }
            if transfer.reason is not None:
                facts |= {"reason": transfer.reason, "detail": transfer.detail}
            _log.info(f"transfer.{stage}", destination=deposit.destination, **facts)
            self._remember(transfer, stage)

    def facts(self, facts: Sequence[Fact]) -> None:
        """Work ended; why something waits is said once more, in words."""
        for fact in facts:
            if isinstance(fact, Held | Parked | Stuck):
                _log.info(
                    "transfer.waits", transfer_id=fact.id.hex(), reason=fact.reason, why=fact.detail
                )

    def submitted(self, submission: Submission) -> None:
        """A submission is persisted and broadcast now."""
        _log.info(
            "submission.sent",
            chain=submission.chain,
            tx=submission.tx,
            transfers=len(submission.ids),
            nonce=submission.nonce,
            price=submission.price,
        )
        self._metrics.transfers.submissions.labels(submission.chain, LandingKind.PENDING).inc()

    def landed(self, submission: Submission, landing: Landing) -> None:
        """The outcome of a submission is final: executed, failed whole, or it can never land."""
        good = landing.kind is LandingKind.LANDED and not landing.skipped
        write = _log.info if good else _log.warning
        why = landing.detail or ", ".join(sorted(set(landing.skipped.values()))) or None
        chain, outcome = submission.chain, landing.kind
        write("submission.final", chain=chain, tx=submission.tx, outcome=outcome, why=why)
        self._metrics.transfers.submissions.labels(chain, outcome).inc()

    def commanded(self, command: Command) -> None:
        """An operator's command was taken."""
        _log.warning(
            "command.taken",
            transfer_id=command.transfer.hex(),
            verb=command.verb,
            command=command.command.hex(),
            reason=command.reason,
        )

    def compared(self, chain: ChainId, doubts: Sequence[tuple[TransferId, Distrust]]) -> None:
        """A chain belied what a record had told."""
        for transfer_id, doubt in doubts:
            if self._passed_over(inbox(chain), doubt):
                _log.warning("claim.belied", transfer_id=transfer_id.hex(), reason=doubt)

    def swept(self, source: str, found: int, opened: int) -> None:
        """A Sweep ended; transfers that only it found are worth a look."""
        write = _log.warning if opened else _log.debug
        write("sweep.done", source=source, found=found, opened=opened)
        self._metrics.bus.opened.labels(source).inc(opened)

    # -- the listeners and the monitor

    def read(self, chain: ChainId, head: Head, cursor: int, facts: Sequence[ChainFact]) -> None:
        """A listener read a range."""
        chains = self._metrics.chains
        chains.head_height.labels(chain).set(head.height)
        chains.head_time.labels(chain).set(head.time)
        chains.cursor_height.labels(chain).set(cursor)
        for fact in facts:
            _log.info(
                f"chain.{fact.type}", chain=chain, transfer_id=fact.id.hex(), height=fact.height
            )
            if isinstance(fact, Deposit):
                where = (fact.source, fact.destination or NOWHERE, fact.asset)
                self._metrics.transfers.deposits.labels(*where).inc()

    def unreadable(self, chain: ChainId, error: Transient) -> None:
        """A read failed; it is tried again."""
        _log.warning("chain.unreadable", chain=chain, error=str(error), kind=type(error).__name__)

    def untold(self, asset: str, error: Transient) -> None:
        """A reading, with its lease and halts, is not known to be on the bus; the next one will be."""
        _log.warning("supply.untold", asset=asset, why=str(error))

    def weighed(self, verdict: Verdict, lease: Lease | None) -> None:
        """An asset was weighed; said once per change, not per round."""
        _log.debug("supply.weighed", asset=verdict.asset, lease=lease is not None)
        if self._withheld.get(verdict.asset) == verdict.withheld:
            return
        self._withheld[verdict.asset] = verdict.withheld
        if verdict.withheld is None:
            _log.info("lease.issued", asset=verdict.asset)
        else:
            _log.warning(
                "lease.withheld",
                asset=verdict.asset,
                reason=verdict.withheld,
                detail=verdict.detail,
            )

    def halted(self, halt: Halt) -> None:
        """A halt was raised."""
        scope = f"{halt.scope.kind} {halt.scope.name}".rstrip()
        _log.error("halt.raised", scope=scope, reason=halt.reason, evidence=halt.evidence)

    # -- the gate and the attesters

    def refused(self, record: Record, error: RecordRefused) -> None:
        """A record was set aside."""
        if self._passed_over(record.topic, error.why):
            place = {"topic": record.topic, "offset": record.offset}
            write = _log.debug if error.why in _COMMON else _log.warning
            write("record.refused", **place, reason=error.why, why=str(error)[:WORDS])

    def forged_cursor(self, chain: ChainId) -> None:
        """A listener's cursor is not its own."""
        if self._passed_over(state("listener", chain), Distrust.FORGED_STATE):
            _log.error("cursor.forged", chain=chain)

    def _passed_over(self, topic: str, why: Distrust, count: int = 1) -> bool:
        """Count it; whether to say it too: a flood of records must not become one of lines."""
        self._metrics.bus.refused.labels(topic, why).inc(count)
        now = time.monotonic()
        if now - self._said.get((topic, why), -SILENCE) < SILENCE:
            return False
        self._said[topic, why] = now
        return True

    def gate_changed(self, gate: Gate) -> None:
        """A lease, a halt or a resume was taken."""
        scopes = gate.halted
        for kind in ScopeKind:
            self._metrics.supply.halts.labels(kind).set(scopes[kind])
        for asset in self._metrics.extent.assets:
            ends = max((lease.expires_at for lease in gate.leases(asset)), default=0)
            self._metrics.supply.lease_expiry.labels(asset).set(ends)

    def verdict(self, verdict: Verdict) -> None:
        """A monitor published a reading; only what this process serves is shown of it."""
        extent = self._metrics.extent
        if verdict.asset not in extent.assets:
            return
        books = self._metrics.supply.books
        books.labels(verdict.asset, Measure.IN_FLIGHT).set(verdict.in_flight / WAD)
        if verdict.outstanding is not None:
            books.labels(verdict.asset, Measure.OUTSTANDING).set(verdict.outstanding.high / WAD)
        if verdict.reserve is not None:
            books.labels(verdict.asset, Measure.BACKED).set(verdict.reserve.stock / WAD)
        for chain, k in verdict.k.items():
            if chain not in extent.chains:
                continue
            self._metrics.supply.circulation.labels(verdict.asset, chain).set(k.high / WAD)

    def attested(self, request: SigningRequest) -> None:
        """A signature was published."""
        _log.debug("attestation.made", transfer_id=request.draft.id.hex(), act=request.draft.kind)

    def declined(self, request: SigningRequest, why: Decline, words: str) -> None:
        """A request was not signed."""
        self._metrics.bus.declined.labels(why).inc()
        now = time.monotonic()
        if now - self._said.get(("", why), -SILENCE) < SILENCE:
            return
        self._said["", why] = now
        named = request.draft.id.hex()
        _log.warning("attestation.declined", transfer_id=named, reason=why, why=words[:WORDS])

    # -- the adapters

    def called(self, chain: ChainId, method: str, seconds: float, *, failed: bool) -> None:
        """An endpoint of a chain answered a call, or failed to, after so many seconds."""
        chains = self._metrics.chains
        known = self._calls.get((chain, method))
        if known is None:
            children = chains.rpc_calls.labels(chain, method), chains.rpc_seconds.labels(chain)
            known = self._calls[chain, method] = children
        known[0].inc()
        known[1].observe(seconds)
        if failed:
            chains.rpc_errors.labels(chain, method).inc()

    def endpoint_answered(self, chain: ChainId, endpoint: int, seconds: float) -> None:
        """An endpoint answered a question after so many seconds."""
        known = self._answers.get((chain, endpoint))
        if known is None:
            answers, times = self._metrics.endpoints.answers, self._metrics.endpoints.seconds
            known = answers.labels(chain, endpoint), times.labels(chain, endpoint)
            self._answers[chain, endpoint] = known
        known[0].inc()
        known[1].observe(seconds)

    def endpoint_failed(self, chain: ChainId, endpoint: int, fault: Fault, words: str) -> None:
        """An endpoint gave no answer that counts; to serve another chain is worth a warning.

        So is a stream that can not be had, once: polls do its work, and the metric goes on.
        """
        first = fault is Fault.STREAM and (chain, endpoint) not in self._streamless
        if first:
            self._streamless.add((chain, endpoint))
        write = _log.warning if first or fault is Fault.WRONG_CHAIN else _log.debug
        write("endpoint.failed", chain=chain, endpoint=endpoint, kind=fault, why=words)
        self._metrics.endpoints.failures.labels(chain, endpoint, fault).inc()

    def endpoint_dissented(self, chain: ChainId, endpoint: int, question: str) -> None:
        """Enough others agreed on another answer: it lies, or lags."""
        _log.warning("endpoint.dissented", chain=chain, endpoint=endpoint, question=question)
        self._metrics.endpoints.dissents.labels(chain, endpoint).inc()

    def endpoint_behind(self, chain: ChainId, endpoint: int, heights: int) -> None:
        """So many heights an endpoint's final head is below the agreed one."""
        self._metrics.endpoints.behind.labels(chain, endpoint).set(heights)

    def committed(self, topic: str, seconds: float) -> None:
        """A commit on the bus took so many seconds."""
        self._metrics.bus.commits.labels(topic).inc()
        self._metrics.bus.commit_seconds.observe(seconds)

    def behind(self, topic: str, lane: int, records: int | None) -> None:
        """So many records of an inbox wait beyond what its lane has committed; None: it has left."""
        gauge = self._metrics.bus.behind
        if records is not None:
            gauge.labels(topic, str(lane)).set(records)
            return
        with contextlib.suppress(KeyError):  # it left before the first look
            gauge.remove(topic, str(lane))

    def denied(self, topic: str, operation: str) -> None:
        """The cluster refused us a right; who met it says so in the log."""
        if topic in self._metrics.extent.topics:
            self._metrics.bus.denied.labels(topic, operation).inc()

    def paid_from(self, chain: ChainId, lane: int, coins: float) -> None:
        """The key that pays a lane's fees holds so many whole coins."""
        self._metrics.chains.payer_balance.labels(chain, str(lane)).set(coins)

    # -- what is open

    def _remember(self, transfer: Transfer, stage: Stage) -> None:
        deposit = transfer.deposit
        owner = deposit.source if transfer.act is ActKind.REFUND else owner_of(deposit)
        known = self._open.pop(deposit.id, None)
        if known is not None:
            self._wait(known.reason, -1)
        else:
            self._metrics.transfers.open.labels(owner).inc()
            known = _Open(owner=owner)
        if (outcome := _OUTCOMES.get(stage)) is not None:
            where = (deposit.source, deposit.destination or NOWHERE, deposit.asset)
            self._metrics.transfers.transfers.labels(*where, outcome).inc()
        self._time(known, transfer, stage)
        if stage in LEFT:
            self._metrics.transfers.open.labels(owner).dec()
            return
        known.reason = transfer.reason if stage in _WITH_REASON else None
        self._wait(known.reason, +1)
        self._open[deposit.id] = known

    def _wait(self, reason: Reason | None, change: int) -> None:
        if reason is not None:
            self._held[reason] += change
            self._metrics.transfers.held.labels(reason).set(self._held[reason])

    def _time(self, known: _Open, transfer: Transfer, stage: Stage) -> None:
        """Measure from the deposit to its first broadcast, and to its delivery."""
        match stage:
            case Stage.SUBMITTED if not known.broadcast and transfer.act is ActKind.DELIVER:
                known.broadcast = True
                milestone = Milestone.BROADCAST
            case Stage.DELIVERED:
                milestone = Milestone.DELIVERED
            case _:
                return
        seconds = max(0.0, transfer.since - transfer.seen_at)
        self._metrics.transfers.latency.labels(known.owner, milestone).observe(seconds)
