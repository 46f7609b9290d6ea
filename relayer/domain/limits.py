"""The judgement of a verified deposit: accept, hold until, or park. Pure; the clock is passed in.

Limits are the operator's own, beside what the chain enforces: minimum and cap per transfer, a cap
per sliding window and route, and a delay for large transfers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from relayer.domain.amount import MAX_SHARES, RAW_UNIT, Shares, format_shares
from relayer.domain.command import COMMAND
from relayer.domain.facts import (
    Accepted,
    Held,
    Parked,
)
from relayer.domain.gate import Gate
from relayer.domain.reasons import Reason
from relayer.domain.stage import Transfer
from relayer.domain.transfer import ActKind, Deposit, Route

RETRY_SECONDS: Final = 1.0
"""How soon a hold that another record ends (a lease, a resume) is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Shares are 1e-18 share; times seconds. ``window_cap`` counts deliveries of one route."""

    minimum: Shares = Shares(RAW_UNIT)
    cap: Shares = Shares(MAX_SHARES)
    window_cap: Shares = Shares(MAX_SHARES)
    window: float = 3600.0
    large: Shares = Shares(MAX_SHARES)
    large_delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a judgement depends on beyond the deposit.

    ``paused`` holds assets whose deliveries the destination refuses now, ``inventory`` what it can
    release of an asset that it does not mint. ``used`` is what was delivered in the window per
    route (1e-18 share); None while that is still being read.
    """

    gate: Gate
    limits: Mapping[Route, Limits]
    paused: frozenset[str] = frozenset()
    inventory: Mapping[str, Shares] = field(default_factory=dict)
    used: Mapping[Route, int] | None


def route_of(deposit: Deposit) -> Route | None:
    """The route of a deposit; None if it names no destination."""
    if deposit.destination is None:
        return None
    return Route(source=deposit.source, destination=deposit.destination, asset=deposit.asset)


def judge(deposit: Deposit, world: World, now: float) -> Accepted | Held | Parked:
    """Whether a verified deposit may be delivered at ``now`` (seconds since the epoch)."""
    route = route_of(deposit)
    if deposit.flaw is not None or route is None or route not in world.limits:
        return _park(deposit, deposit.flaw or Reason.UNKNOWN_ROUTE, now)
    limits = world.limits[route]
    refused = _amount_refusal(deposit.shares, limits)
    if refused is not None:
        return _park(deposit, refused, now)
    refusal = world.gate.refusal(route, now)
    if refusal is not None:
        return _hold(deposit, refusal[0], now + RETRY_SECONDS, now, refusal[1])
    if deposit.asset in world.paused:
        return _hold(deposit, Reason.PAUSED, now + RETRY_SECONDS, now)
    missing = deposit.shares - world.inventory.get(deposit.asset, deposit.shares)
    if missing > 0:
        detail = f"{format_shares(missing)} shares are missing"
        return _hold(deposit, Reason.NO_INVENTORY, now + RETRY_SECONDS, now, detail)
    if world.used is None:
        detail = "what the route delivered lately is still being read"
        until = now + RETRY_SECONDS
        return _hold(deposit, Reason.DESTINATION_UNREADABLE, until, now, detail)
    return _pace(deposit, limits, world.used.get(route, 0), now)


def _amount_refusal(shares: Shares, limits: Limits) -> Reason | None:
    if shares < limits.minimum or shares % RAW_UNIT:
        return Reason.BELOW_MINIMUM
    # What fits into no window would wait for ever.
    return Reason.OVER_CAP if shares > min(limits.cap, limits.window_cap) else None


def _pace(deposit: Deposit, limits: Limits, used: int, now: float) -> Accepted | Held:
    if deposit.shares >= limits.large and now < deposit.time + limits.large_delay:
        return _hold(deposit, Reason.LARGE, deposit.time + limits.large_delay, now)
    if used + deposit.shares > limits.window_cap:
        return _hold(deposit, Reason.WINDOW_FULL, now + limits.window / 60, now)
    return Accepted(id=deposit.id, at=now)


def _hold(deposit: Deposit, reason: Reason, until: float, now: float, detail: str = "") -> Held:
    return Held(id=deposit.id, reason=reason, until=until, at=now, detail=detail)


def _park(deposit: Deposit, reason: Reason, now: float) -> Parked:
    return Parked(id=deposit.id, reason=reason, at=now)


def judge_return(transfer: Transfer, now: float) -> Accepted | Parked:
    """Whether a void or a refund may be drafted at ``now`` (seconds since the epoch).

    No lease, limit or halt stands in the way: both stop deliveries. What the shares were given
    back for must be read on chain, or ordered by an operator, and attesters check it themselves.
    """
    deposit, order = transfer.deposit, transfer.order
    if transfer.act is ActKind.REFUND and deposit.destination is not None:
        return Accepted(id=deposit.id, at=now)
    if order is None:
        return _park(deposit, deposit.flaw or Reason.BY_OPERATOR, now)
    if now >= COMMAND.decode(order.body.encode()).expires_at:
        return _park(deposit, Reason.ORDER_EXPIRED, now)
    return Accepted(id=deposit.id, at=now)
