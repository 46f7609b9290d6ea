"""Every metric of the relayer, declared here and nowhere else.

Base units (seconds, whole shares), label values from enums or from the configuration, never a
transfer's id. Ages are exported as the timestamp they began at, so that a stuck process cannot
show a young age. Every combination of labels known at start exists from the start with 0: a rate
over a series that is born with its first error would miss that error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from relayer.agreement.health import Fault
from relayer.domain.address import ChainId
from relayer.domain.distrust import Decline, Distrust
from relayer.domain.draft import LandingKind
from relayer.domain.halt import ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Route

LATENCY: Final = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
"""Bounds in seconds; 0.15 and 1 are the marks of the house for deposit to broadcast."""
OPERATIONS: Final = ("Read", "Write")
"""What a cluster may refuse, by its own names."""

COMMIT: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""Bounds in seconds of a commit on the bus."""


class Outcome(StrEnum):
    """How a Transfer ended, or was set aside."""

    DELIVERED = "delivered"
    REFUNDED = "refunded"
    PARKED = "parked"


class Milestone(StrEnum):
    """Up to where a latency is measured, from the moment the final deposit was known."""

    BROADCAST = "broadcast"
    DELIVERED = "delivered"


class Measure(StrEnum):
    """What is known of an asset's books, in whole shares."""

    OUTSTANDING = "outstanding"
    BACKED = "backed"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The values that labels may take in this deployment."""

    chains: Sequence[ChainId]
    routes: Sequence[Route]
    assets: Sequence[str]
    topics: Sequence[str]
    endpoints: Mapping[ChainId, int] = field(default_factory=dict)
    """How many each chain has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMetrics:
    """How Transfers fare. Labels stand in the order in which `labels(...)` takes them."""

    deposits: Counter
    transfers: Counter
    held: Gauge
    open: Gauge
    latency: Histogram
    submissions: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainMetrics:
    """How far each chain is read, and how its endpoints answer."""

    rpc_calls: Counter
    rpc_errors: Counter
    rpc_seconds: Histogram
    head_height: Gauge
    head_time: Gauge
    cursor_height: Gauge
    payer_balance: Gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointMetrics:
    """How each endpoint fares; they are named by their place in the settings, never by a URL."""

    answers: Counter
    seconds: Histogram
    failures: Counter
    dissents: Counter
    behind: Gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyMetrics:
    """What the monitors say, and what is halted."""

    lease_expiry: Gauge
    books: Gauge
    circulation: Gauge
    halts: Gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class BusMetrics:
    """How the bus is written and what on it is passed over."""

    commits: Counter
    commit_seconds: Histogram
    behind: Gauge
    denied: Counter
    refused: Counter
    declined: Counter
    opened: Counter
    restores: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All metrics of one process."""

    extent: Extent
    transfers: TransferMetrics
    chains: ChainMetrics
    endpoints: EndpointMetrics
    supply: SupplyMetrics
    bus: BusMetrics


def declare(registry: CollectorRegistry, extent: Extent, version: str) -> Metrics:
    """Create all metrics in a registry, with every combination of labels that is known.

    Raises ValueError if the registry has them already.
    """
    build = Info("relayer_build", "Version of the relayer.", registry=registry)
    build.info({"version": version})
    Gauge("relayer_tasks", "Asyncio tasks alive.", registry=registry).set_function(_tasks)
    metrics = Metrics(
        extent=extent,
        transfers=_transfers(registry),
        chains=_chains(registry),
        endpoints=_endpoints(registry),
        supply=_supply(registry),
        bus=_bus(registry),
    )
    _initialise(metrics)
    return metrics


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # nothing runs: the metrics are looked at from outside
        return 0


def _transfers(registry: CollectorRegistry) -> TransferMetrics:
    route = ("source", "destination", "asset")
    return TransferMetrics(
        deposits=Counter("relayer_deposits", "Final deposits seen.", route, registry=registry),
        transfers=Counter(
            "relayer_transfers",
            "Transfers that were delivered, refunded or parked.",
            (*route, "outcome"),
            registry=registry,
        ),
        held=Gauge(
            "relayer_transfers_held",
            "Transfers that wait or are parked, by reason.",
            ("reason",),
            registry=registry,
        ),
        open=Gauge(
            "relayer_transfers_open",
            "Transfers that are neither delivered nor refunded.",
            ("destination",),
            registry=registry,
        ),
        latency=Histogram(
            "relayer_transfer_latency_seconds",
            "From the final deposit being known to the milestone.",
            ("destination", "milestone"),
            buckets=LATENCY,
            registry=registry,
        ),
        submissions=Counter(
            "relayer_submissions",
            "Signed transactions by what became of them; pending counts the sent ones.",
            ("chain", "outcome"),
            registry=registry,
        ),
    )


def _chains(registry: CollectorRegistry) -> ChainMetrics:
    call = ("chain", "method")

    def gauge(name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ("chain",), registry=registry)

    return ChainMetrics(
        rpc_calls=Counter("relayer_rpc_calls", "Calls to endpoints.", call, registry=registry),
        rpc_errors=Counter("relayer_rpc_errors", "Calls that failed.", call, registry=registry),
        rpc_seconds=Histogram(
            "relayer_rpc_seconds",
            "Duration of calls to endpoints.",
            ("chain",),
            buckets=LATENCY,
            registry=registry,
        ),
        head_height=gauge("relayer_chain_final_height", "Newest final height."),
        head_time=gauge(
            "relayer_chain_final_timestamp_seconds", "Chain time of the newest final height."
        ),
        cursor_height=gauge("relayer_cursor_height", "Height up to which a chain was read."),
        payer_balance=Gauge(
            "relayer_payer_balance_coins",
            "Native coin of the key that pays a lane's fees, in whole coins.",
            ("chain", "lane"),
            registry=registry,
        ),
    )


def _endpoints(registry: CollectorRegistry) -> EndpointMetrics:
    place = ("chain", "endpoint")
    return EndpointMetrics(
        answers=Counter(
            "relayer_endpoint_answers", "Questions an endpoint answered.", place, registry=registry
        ),
        seconds=Histogram(
            "relayer_endpoint_seconds",
            "Duration of an endpoint's answers to whole questions.",
            place,
            buckets=LATENCY,
            registry=registry,
        ),
        failures=Counter(
            "relayer_endpoint_failures",
            "Questions an endpoint gave no answer to that counts, by kind.",
            (*place, "kind"),
            registry=registry,
        ),
        dissents=Counter(
            "relayer_endpoint_dissents",
            "Answers of an endpoint that differ from what enough others agreed on.",
            place,
            registry=registry,
        ),
        behind=Gauge(
            "relayer_endpoint_behind_heights",
            "Heights an endpoint's final head is below the agreed one.",
            place,
            registry=registry,
        ),
    )


def _supply(registry: CollectorRegistry) -> SupplyMetrics:
    def gauge(name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=registry)

    return SupplyMetrics(
        lease_expiry=gauge(
            "relayer_lease_expiry_timestamp_seconds",
            "When the newest lease of an asset ends; 0 before the first.",
            "asset",
        ),
        books=gauge(
            "relayer_supply_shares",
            "Books of an asset in whole shares; a float, so never the basis of a halt.",
            "asset",
            "measure",
        ),
        circulation=gauge(
            "relayer_supply_circulation_shares",
            "K: the issuer's circulation by a chain, in whole shares.",
            "asset",
            "chain",
        ),
        halts=gauge("relayer_halts_active", "Halts in force, by what they cover.", "scope"),
    )


def _bus(registry: CollectorRegistry) -> BusMetrics:
    return BusMetrics(
        commits=Counter("relayer_bus_commits", "Commits.", ("topic",), registry=registry),
        commit_seconds=Histogram(
            "relayer_bus_commit_seconds", "Duration of a commit.", buckets=COMMIT, registry=registry
        ),
        behind=Gauge(
            "relayer_bus_behind_records",
            "Records of a lane's inbox beyond its last commit; there where this process owns it.",
            ("topic", "lane"),
            registry=registry,
        ),
        denied=Counter(
            "relayer_bus_denied",
            "Times that the cluster refused us a right, by topic and operation.",
            ("topic", "operation"),
            registry=registry,
        ),
        refused=Counter(
            "relayer_records_refused",
            "Records that were passed over, and claims in them that a chain belied.",
            ("topic", "reason"),
            registry=registry,
        ),
        declined=Counter(
            "relayer_attestations_declined",
            "Signing requests that an attester of this process did not sign.",
            ("reason",),
            registry=registry,
        ),
        restores=Counter(
            "relayer_lane_restores",
            "Times a lane took its partition over, after a start, a lost commit or a fence.",
            ("chain",),
            registry=registry,
        ),
        opened=Counter(
            "relayer_sweep_opened",
            "Transfers that a Sweep found open and no record had told of.",
            ("source",),
            registry=registry,
        ),
    )


def _initialise(metrics: Metrics) -> None:
    """Give each known series its first value; endpoints' methods are not known beforehand."""
    extent, transfers, chains = metrics.extent, metrics.transfers, metrics.chains
    endpoints = metrics.endpoints
    for route in extent.routes:
        transfers.deposits.labels(route.source, route.destination, route.asset)
        for outcome in Outcome:
            transfers.transfers.labels(route.source, route.destination, route.asset, outcome)
    _each(transfers.held, Reason)
    _each(transfers.open, extent.chains)
    _each(transfers.latency, extent.chains, Milestone)
    _each(transfers.submissions, extent.chains, LandingKind)
    for gauge in (chains.head_height, chains.head_time, chains.cursor_height):
        _each(gauge, extent.chains)
    _each(chains.rpc_seconds, extent.chains)
    for chain, count in extent.endpoints.items():
        for metric in (endpoints.answers, endpoints.seconds, endpoints.dissents, endpoints.behind):
            _each(metric, [chain], map(str, range(count)))
        _each(endpoints.failures, [chain], map(str, range(count)), Fault)
    _each(metrics.supply.lease_expiry, extent.assets)
    _each(metrics.supply.books, extent.assets, Measure)
    _each(metrics.supply.circulation, extent.assets, extent.chains)
    _each(metrics.supply.halts, ScopeKind)
    _each(metrics.bus.commits, extent.topics)
    _each(metrics.bus.denied, extent.topics, OPERATIONS)
    _each(metrics.bus.refused, extent.topics, Distrust)
    _each(metrics.bus.declined, Decline)
    _each(metrics.bus.opened, extent.chains)
    _each(metrics.bus.restores, extent.chains)


def _each(metric: Counter | Gauge | Histogram, *labels: Iterable[str]) -> None:
    for values in product(*labels):
        metric.labels(*values)
