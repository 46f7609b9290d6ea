"""Values for tests of the core: each test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from relayer.domain.address import Account, ChainId, account_from_evm, account_from_tron
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.draft import Attestation, Draft
from relayer.domain.supply import Counters, Interval, SupplySnapshot
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    Location,
    Mode,
    Refund,
    TransferId,
    Void,
)

BNB = ChainId("eip155:56")
SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
TRON = ChainId("tron:0x2b6653dc")
CHAINS = (BNB, SOLANA, TRON)
USER = account_from_evm(b"\x11" * 20)
TRON_USER = account_from_tron(b"\x22" * 20)
SOLANA_USER = Account(b"\x33" * 32)
ID = TransferId(b"\x07" * 32)


def deposit(**changes: Any) -> Deposit:
    """A deposit of one raw unit of TSLAx from BNB Chain to Solana."""
    plain = Deposit(
        id=ID,
        source=BNB,
        destination=SOLANA,
        asset="TSLAx",
        shares=Shares(RAW_UNIT),
        sender=USER,
        refund_to=USER,
        recipient=SOLANA_USER,
        location=Location(tx="0xaa", index=1),
        height=10,
        time=1_000,
    )
    return replace(plain, **changes)


def delivery(of: Deposit, **changes: Any) -> Delivery:
    """The honest delivery of a deposit."""
    honest = Delivery(
        id=of.id,
        chain=of.destination or of.source,
        source=of.source,
        asset=of.asset,
        recipient=of.recipient,
        shares=of.shares,
        digest=b"\x01" * 32,
        tx="sig",
        height=20,
        time=1_010,
    )
    return replace(honest, **changes)


def refund(of: Deposit, **changes: Any) -> Refund:
    """The honest refund of a deposit."""
    honest = Refund(
        id=of.id,
        chain=of.source,
        destination=of.destination,
        asset=of.asset,
        recipient=of.refund_to,
        shares=of.shares,
        tx="0xbb",
        height=30,
        time=1_020,
    )
    return replace(honest, **changes)


def void(of: Deposit) -> Void:
    """The void of a deposit on its destination."""
    chain = of.destination or of.source
    return Void(id=of.id, chain=chain, tx="v", height=25, time=1_015)


def draft(number: int = 1, **changes: Any) -> Draft:
    """A draft told apart by its digest."""
    plain = Draft(
        kind=ActKind.DELIVER,
        id=ID,
        chain=SOLANA,
        terms={"deadline": "2000"},
        digest=bytes([number]) * 32,
        dies_at=2_000,
    )
    return replace(plain, **changes)


def attestation(attester: int = 1, number: int = 1) -> Attestation:
    """A signature of an attester over the draft with this number."""
    key = bytes([attester]) * 20
    return Attestation(id=ID, digest=bytes([number]) * 32, attester=key, signature=b"s")


def snapshot(**changes: Any) -> SupplySnapshot:
    """A burn-mint snapshot of 100 raw units on BNB Chain with nothing moved."""
    plain = SupplySnapshot(
        chain=BNB,
        asset="TSLAx",
        mode=Mode.BURN_MINT,
        height=50,
        time=2_000,
        supply=Interval.exactly(100 * RAW_UNIT),
        held=Shares(0),
        inventory=Shares(0),
        counters=Counters(),
        multiplier=10**18,
        paused=False,
    )
    return replace(plain, **changes)
