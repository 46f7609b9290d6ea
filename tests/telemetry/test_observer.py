"""What is told becomes metrics with the right names, values and labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from relayer.agreement.health import Fault
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import WAD, Shares
from relayer.domain.distrust import Distrust
from relayer.domain.draft import Landing, LandingKind, Submission
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS, Gate, GatePolicy, Verdict
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.stage import Stage, Transfer
from relayer.domain.supply import Interval
from relayer.domain.transfer import Deposit, Location, Route, TransferId
from relayer.ports.bus import Record
from relayer.ports.chain import Head
from relayer.services.attester.attester import AttesterObserver
from relayer.services.gatekeeper import GateObserver
from relayer.services.listener import ListenerObserver
from relayer.services.monitor.monitor import MonitorObserver
from relayer.services.relayer.observer import LaneObserver
from relayer.telemetry.metrics import Extent, declare
from relayer.telemetry.observer import Observer

BNB, SOL, TRON = ChainId("eip155:56"), ChainId("solana:x"), ChainId("tron:0x2b6653dc")
ROUTES = [
    Route(source=a, destination=b, asset="TSLAx") for a, b in permutations((BNB, SOL, TRON), 2)
]
EXTENT = Extent(
    chains=[BNB, SOL, TRON], routes=ROUTES, assets=["TSLAx"], topics=["bridge.inbox.eip155-56"]
)
DEPOSIT = Deposit(
    id=TransferId(bytes(31) + b"\1"),
    source=BNB,
    destination=SOL,
    asset="TSLAx",
    shares=Shares(WAD),
    sender=Account(bytes(32)),
    refund_to=Account(bytes(32)),
    recipient=Account(bytes(32)),
    location=Location(tx="0x1", index=0),
    height=7,
    time=1_000,
)
SEEN = Transfer(deposit=DEPOSIT, stage=Stage.SEEN, since=1_000.0, seen_at=1_000.0)
ROUTE_LABELS = {"source": BNB, "destination": SOL, "asset": "TSLAx"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def observer(registry: CollectorRegistry) -> Observer:
    return Observer(declare(registry, EXTENT, "1.2.3"))


def test_the_observer_answers_every_service(observer: Observer) -> None:
    """It has the shape that each service asks for: types are checked, names are tried."""
    wanted: dict[type, object] = {}
    lane: LaneObserver = observer
    listener: ListenerObserver = observer
    monitor: MonitorObserver = observer
    gate: GateObserver = observer
    attester: AttesterObserver = observer
    wanted |= {LaneObserver: lane, ListenerObserver: listener, MonitorObserver: monitor}
    wanted |= {GateObserver: gate, AttesterObserver: attester}

    names = {name for shape in wanted for name in vars(shape) if not name.startswith("_")}

    assert len(names) > 10
    assert {name for name in names if not callable(getattr(observer, name, None))} == set()


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_every_known_series_exists_from_the_start(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """Before anything happens each route, reason, scope and chain has its zero."""
    assert _value(registry, "relayer_transfers_total", **ROUTE_LABELS, outcome="refunded") == 0
    assert {_value(registry, "relayer_transfers_held", reason=reason) for reason in Reason} == {0}
    assert {_value(registry, "relayer_halts_active", scope=kind) for kind in ScopeKind} == {0}
    assert _value(registry, "relayer_build_info", version="1.2.3") == 1


def test_names_follow_the_rules(registry: CollectorRegistry, observer: Observer) -> None:
    """Each metric begins with relayer_, is explained, and carries no transfer's id."""
    families = list(registry.collect())

    assert {family.name for family in families if not family.name.startswith("relayer_")} == set()
    assert {family.name for family in families if not family.documentation.endswith(".")} == set()
    labels = {label for f in families for sample in f.samples for label in sample.labels}
    assert not labels & {"id", "transfer", "transfer_id", "tx"}


def test_a_delivered_transfer_is_counted_timed_and_forgotten(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """From seen to delivered: open goes up and down, latency and outcome are measured once."""
    delivered = replace(SEEN, stage=Stage.DELIVERED, since=1_002.0)
    submitted = replace(SEEN, stage=Stage.SUBMITTED, since=1_000.1)
    sent = Submission(tx="t", chain=SOL, ids=(DEPOSIT.id,), raw=b"", made_at=1_000.0)

    observer.told([(SEEN, Stage.SEEN)])
    while_open = _value(registry, "relayer_transfers_open", destination=SOL)
    observer.told(
        [(submitted, Stage.SUBMITTED), (replace(submitted, since=1_001), Stage.SUBMITTED)]
    )
    observer.submitted(sent)
    observer.landed(sent, Landing(kind=LandingKind.LANDED, skipped={}))
    observer.told([(delivered, Stage.DELIVERED)])

    latency = "relayer_transfer_latency_seconds"
    assert while_open == 1
    assert _value(registry, "relayer_transfers_open", destination=SOL) == 0
    assert _value(registry, "relayer_transfers_total", **ROUTE_LABELS, outcome="delivered") == 1
    assert _value(registry, f"{latency}_count", destination=SOL, milestone="broadcast") == 1
    assert _value(registry, f"{latency}_sum", destination=SOL, milestone="delivered") == 2.0
    assert _value(registry, "relayer_submissions_total", chain=SOL, outcome="pending") == 1
    assert _value(registry, "relayer_submissions_total", chain=SOL, outcome="landed") == 1


def test_a_wait_shows_under_its_reason_while_it_lasts(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """A held transfer is counted under its newest reason only, and no more once it moves on."""
    held = replace(SEEN, stage=Stage.WAITING, reason=Reason.NO_LEASE)

    observer.told([(held, Stage.WAITING)])
    first = _value(registry, "relayer_transfers_held", reason=Reason.NO_LEASE)
    observer.told([(replace(held, reason=Reason.HALTED), Stage.WAITING)])
    second = _value(registry, "relayer_transfers_held", reason=Reason.HALTED)
    observer.told([(replace(SEEN, stage=Stage.DRAFTING), Stage.DRAFTING)])

    assert (first, second) == (1, 1)
    assert {_value(registry, "relayer_transfers_held", reason=reason) for reason in Reason} == {0}


def test_a_listener_moves_head_cursor_and_deposits(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """Height, chain time, cursor and the deposits of a route come from what was read."""
    observer.read(BNB, Head(height=9, time=1_234), 8, [DEPOSIT])

    assert _value(registry, "relayer_chain_final_height", chain=BNB) == 9
    assert _value(registry, "relayer_chain_final_timestamp_seconds", chain=BNB) == 1_234
    assert _value(registry, "relayer_cursor_height", chain=BNB) == 8
    assert _value(registry, "relayer_deposits_total", **ROUTE_LABELS) == 1


def test_halts_show_by_what_they_cover(registry: CollectorRegistry, observer: Observer) -> None:
    """A halt of an asset is one active halt of scope asset."""
    gate = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset()))
    scope = Scope(kind=ScopeKind.ASSET, name="TSLAx")
    halt = Halt(scope=scope, reason="A", evidence="", raised_at=1, raised_by="m")
    gate.fold_control(CONTROL_RECORDS.encode(halt), 1.0, 1)

    observer.gate_changed(gate)

    assert _value(registry, "relayer_halts_active", scope="asset") == 1
    assert _value(registry, "relayer_halts_active", scope="global") == 0


def test_a_forged_verdict_cannot_grow_the_metrics(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """Only assets and chains that are served get a series, whatever a record claims."""
    forged = Verdict(
        asset="EVIL",
        at=1.0,
        monitor="m",
        snapshots=(),
        k={"eip155:666": Interval.exactly(WAD)},
        outstanding=None,
        in_flight=0,
        reserve=None,
        findings=(),
        withheld=None,
    )

    observer.verdict(forged)
    observer.verdict(replace(forged, asset="TSLAx", k={**forged.k, BNB: Interval.exactly(WAD)}))

    name = "relayer_supply_circulation_shares"
    assert _value(registry, name, asset="TSLAx", chain=BNB) == 1
    assert _value(registry, name, asset="TSLAx", chain="eip155:666") is None
    assert _value(registry, name, asset="EVIL", chain="eip155:666") is None


def test_a_lane_is_behind_only_where_it_is_owned(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """The series goes with the lane: an old value would look like a lane that stands still."""
    name, labels = "relayer_bus_behind_records", {"topic": "bridge.inbox.x", "lane": "1"}
    seen = [_value(registry, name, **labels)]
    for records in (7, 0, None, None):
        observer.behind("bridge.inbox.x", 1, records)
        seen.append(_value(registry, name, **labels))

    assert seen == [None, 7, 0, None, None]


def test_a_right_that_is_refused_is_counted_for_topics_that_are_known(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """Each known topic has its series from the start; no other name makes one."""
    name, topic = "relayer_bus_denied_total", EXTENT.topics[0]
    before = _value(registry, name, topic=topic, operation="Write")
    observer.denied(topic, "Write")
    observer.denied("strange", "Write")

    assert before == 0
    assert _value(registry, name, topic=topic, operation="Write") == 1
    assert _value(registry, name, topic="strange", operation="Write") is None


def test_refused_records_and_calls_are_counted(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """A refused record counts for its topic, a failed call for its chain and method."""
    topic = EXTENT.topics[0]

    record = Record(topic=topic, partition=0, offset=1, key="", value=b"", time=0.0)
    observer.refused(record, RecordRefused("bad", Distrust.EMPTY))
    observer.called(BNB, "eth_call", 0.2, failed=True)
    observer.committed(topic, 0.001)
    observer.paid_from(BNB, 0, 1.5)

    assert _value(registry, "relayer_records_refused_total", topic=topic, reason="empty") == 1
    assert _value(registry, "relayer_rpc_errors_total", chain=BNB, method="eth_call") == 1
    assert _value(registry, "relayer_bus_commits_total", topic=topic) == 1
    assert _value(registry, "relayer_payer_balance_coins", chain=BNB, lane="0") == 1.5


def test_a_stream_that_cannot_be_had_is_warned_of_once(
    registry: CollectorRegistry, observer: Observer
) -> None:
    """It is tried again and again: each try counts, and fills no log."""
    with capture_logs() as lines:
        for _ in range(3):
            observer.endpoint_failed(BNB, 1, Fault.STREAM, "the subscription broke")
    assert [line["log_level"] for line in lines].count("warning") == 1
    labels = {"chain": BNB, "endpoint": "1", "kind": "stream"}
    assert _value(registry, "relayer_endpoint_failures_total", **labels) == 3
