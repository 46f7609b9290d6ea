"""The supply invariant: per asset and chain, at one final height, in integer shares.

    K = supply - held + inventory + deposited - delivered - refunded

Bridge traffic never changes K, in burn-mint and in lock-release mode alike: K is what the issuer
has in circulation by that chain. Each chain is therefore read alone, at its own height, and no
cut across chains is needed. ``outstanding`` is the sum of K, in-flight shares included.

- A backing: outstanding <= backed shares.
- B conservation: every delivery and refund matches exactly one final deposit.
- C vault: in lock-release mode held >= inventory + deposited - delivered - refunded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from relayer.domain.address import ChainId
from relayer.domain.amount import WAD, Shares
from relayer.domain.transfer import Delivery, Deposit, IdWord, Mode, Refund
from relayer.domain.wire import (
    BlockHeight,
    Chain,
    IntText,
    Name,
    SharesText,
    WholeSeconds,
    Words,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A total of shares known only to lie in [low, high], both in 1e-18 share."""

    low: SharesText
    high: SharesText

    @classmethod
    def exactly(cls, shares: int) -> Interval:
        """The interval of one known total."""
        return cls(low=Shares(shares), high=Shares(shares))

    @classmethod
    def from_rounded(cls, balance: int, multiplier: int) -> Interval:
        """The share totals that ``floor(total * multiplier / 1e18)`` can have come from."""
        low = -(-balance * WAD // multiplier)
        high = -(-(balance + 1) * WAD // multiplier) - 1
        return cls(low=Shares(low), high=Shares(high))

    def plus(self, shares: int) -> Interval:
        """The interval moved by a known number of shares."""
        return Interval(low=Shares(self.low + shares), high=Shares(self.high + shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The bridge's cumulative shares on one chain, by asset, up to a height."""

    deposited: SharesText = Shares(0)
    delivered: SharesText = Shares(0)
    refunded: SharesText = Shares(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplySnapshot:
    """Supply, holdings and counters of one asset on one chain at one final height.

    ``counters`` is None where the chain does not keep them (Solana): they come from the history
    up to ``height``. ``multiplier`` is the effective one at ``time``, fixed point 1e18.
    ``paused`` covers the token and the gateway's deliveries.
    """

    chain: Chain
    asset: Name
    mode: Mode
    height: BlockHeight
    time: WholeSeconds
    supply: Interval
    held: SharesText
    inventory: SharesText
    counters: Counters | None
    multiplier: IntText
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Stock held for an asset, in 1e-18 of a stock unit, as stated at ``at`` (seconds).

    ``multiplier`` (1e18 = 1) is the one that the statement is meant for, None if it does not say.
    """

    asset: Name
    stock: IntText
    at: WholeSeconds
    source: str
    multiplier: IntText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken or unprovable part of the invariant. ``latches``: ends only by an operator."""

    rule: str
    asset: Name
    chain: Chain | None
    detail: Words
    latches: bool


def issued(snapshot: SupplySnapshot, counters: Counters) -> Interval:
    """K: the issuer's circulation by this chain, in shares, untouched by bridge traffic."""
    moved = counters.deposited - counters.delivered - counters.refunded
    return snapshot.supply.plus(moved + snapshot.inventory - snapshot.held)


def outstanding(ks: Iterable[Interval]) -> Interval:
    """The sum of K over all chains, in shares."""
    total = Interval.exactly(0)
    for k in ks:
        total = Interval(low=Shares(total.low + k.low), high=Shares(total.high + k.high))
    return total


def check_backing(asset: str, total: Interval, multiplier: int, reserve: Reserve) -> Finding | None:
    """A: the stock held covers outstanding shares times the multiplier (rounded up)."""
    required = -(-total.low * multiplier // WAD)
    if required <= reserve.stock:
        return None
    detail = f"outstanding needs {required} (1e-18 stock), {reserve.source} holds {reserve.stock}"
    return Finding(rule="A", asset=asset, chain=None, detail=detail, latches=True)


def check_vault(snapshot: SupplySnapshot, counters: Counters) -> Finding | None:
    """C: a lock-release chain holds at least what it owes and was seeded with."""
    if snapshot.mode is not Mode.LOCK_RELEASE:
        return None
    moved = counters.deposited - counters.delivered - counters.refunded
    missing = snapshot.inventory + moved - snapshot.held
    if missing <= 0:
        return None
    detail = f"the vault is short of {missing} shares (1e-18) at height {snapshot.height}"
    return Finding(
        rule="C",
        asset=snapshot.asset,
        chain=snapshot.chain,
        detail=detail,
        latches=True,
    )


def check_counters(snapshot: SupplySnapshot, folded: Counters) -> Finding | None:
    """B: the counters a gateway keeps equal the sum of the events in its history."""
    if snapshot.counters is None or snapshot.counters == folded:
        return None
    detail = f"the gateway counts {snapshot.counters}, its events say {folded}"
    return Finding(
        rule="B",
        asset=snapshot.asset,
        chain=snapshot.chain,
        detail=detail,
        latches=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What must be equal between a deposit and the act that consumes it."""

    id: IdWord
    asset: str
    shares: SharesText
    recipient: bytes


def claim_of(act: Delivery | Refund) -> Claim:
    """The claim of a delivery or a refund."""
    return Claim(id=act.id, asset=act.asset, shares=act.shares, recipient=act.recipient)


def claims_allowed(deposit: Deposit) -> tuple[Claim, Claim]:
    """The one delivery and the one refund that a deposit allows."""
    common = {"id": deposit.id, "asset": deposit.asset, "shares": deposit.shares}
    delivery = Claim(**common, recipient=deposit.recipient)  # type: ignore[arg-type]  # same fields
    refund = Claim(**common, recipient=deposit.refund_to)  # type: ignore[arg-type]  # same fields
    return delivery, refund


SKEW: Final = 120
"""Seconds by which the clocks of two chains may differ: a block's time is its maker's word."""


def check_act(
    act: Delivery | Refund, deposit: Deposit | None, final_times: Mapping[ChainId, int]
) -> Finding | None:
    """B: the act's deposit exists and says the same.

    ``final_times`` are the final chain times (seconds) up to which each source was read. An act
    whose deposit is absent latches only when its source has been read ``SKEW`` past the act's own
    time: until then the source's endpoint may merely lag, or the act's chain's clock. Leases end at
    once either way.
    """
    if deposit is not None:
        allowed = claims_allowed(deposit)[isinstance(act, Refund)]
        if claim_of(act) == allowed:
            return None
        detail = f"{act.type} {act.id.hex()} in {act.tx} differs from its deposit"
        return Finding(rule="B", asset=act.asset, chain=act.chain, detail=detail, latches=True)
    source = act.source if isinstance(act, Delivery) else act.chain
    times = list(final_times.values()) if source is None else [final_times.get(source, 0)]
    slack = SKEW if source not in {None, act.chain} else 0  # else there is no second clock
    proven = bool(times) and min(times) > act.time + slack
    detail = f"{act.type} {act.id.hex()} in {act.tx} has no deposit"
    return Finding(rule="B", asset=act.asset, chain=act.chain, detail=detail, latches=proven)
