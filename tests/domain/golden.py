"""One value of every kind of record, of which release 1 wrote the text that is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.authority import Role, Signed
from relayer.domain.command import Command, Verb
from relayer.domain.draft import SigningRequest, Submission
from relayer.domain.gate import Lease, Resume, Verdict
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.records import RefundDue, TransferTold
from relayer.domain.stage import Stage, Transfer
from relayer.domain.supply import Finding, Interval, Reserve
from relayer.domain.transfer import ActKind, Deposit
from tests.architecture.tree import ROOT
from tests.domain.samples import (
    BNB,
    ID,
    SOLANA,
    SOLANA_USER,
    TRON,
    USER,
    attestation,
    delivery,
    deposit,
    draft,
    refund,
    snapshot,
    void,
)

FOLDER: Final = ROOT / "tests" / "recordings" / "records"

DEPOSIT: Final[Deposit] = deposit(gateway=USER, nonce=3)
GARBAGE: Final[Deposit] = deposit(
    source=SOLANA, destination=None, recipient=bytes(32), flaw=Reason.MEMO_MALFORMED
)
SIGNED: Final = Signed(
    role=Role.OPERATOR,
    key=b"\x01" * 32,
    body='{"type":"command","reason":"she said \\"go\\""}',
    signature=b"\x02" * 64,
)
TOLD: Final = TransferTold(
    id=ID,
    stage=Stage.DELIVERED,
    at=1_790_000_000.25,
    source=BNB,
    destination=TRON,
    asset="TSLAx",
    shares=Shares(3 * RAW_UNIT),
    sender=USER,
    recipient=SOLANA_USER,
    source_tx="0xaa",
    source_height=10,
    source_time=1_000,
    destination_tx="bb",
    destination_height=20,
    destination_time=1_010,
    attempts=2,
)
TRANSFER: Final = Transfer(
    deposit=DEPOSIT,
    stage=Stage.SUBMITTED,
    since=1_790_000_001.5,
    seen_at=1_790_000_000.25,
    verified=True,
    reason=Reason.FEE_CAPPED,
    detail="30 gwei are asked",
    due_at=1_790_000_009.5,
    attempts=1,
    failures=1,
    draft=draft(),
    attestations=(attestation(1), attestation(2)),
    submission="0xcc",
    act=ActKind.VOID,
    order=SIGNED,
)

VERDICT: Final = Verdict(
    asset="TSLAx",
    at=1_790_000_000.5,
    monitor="ab",
    snapshots=(snapshot(), snapshot(chain=SOLANA, counters=None)),
    k={BNB: Interval.exactly(-5), SOLANA: Interval(low=Shares(1), high=Shares(2))},
    outstanding=Interval.exactly(7),
    in_flight=RAW_UNIT,
    reserve=Reserve(asset="TSLAx", stock=10**20, at=900, source="file", multiplier=10**18),
    findings=(Finding(rule="B", asset="TSLAx", chain=BNB, detail="no deposit", latches=True),),
    withheld=Reason.HALTED,
    detail="rule B",
)

VALUES: Final[dict[str, tuple[str, Any]]] = {
    "deposit": ("inbox", DEPOSIT),
    "garbage deposit": ("inbox", GARBAGE),
    "delivery": ("inbox", delivery(DEPOSIT)),
    "void": ("inbox", void(DEPOSIT)),
    "refund": ("inbox", refund(DEPOSIT)),
    "attestation": ("inbox", attestation()),
    "refund due": ("inbox", RefundDue(deposit=DEPOSIT)),
    "signed command": ("inbox", SIGNED),
    "signing request": ("signing.requests", SigningRequest(deposit=DEPOSIT, draft=draft())),
    "ordered signing request": (
        "signing.requests",
        SigningRequest(deposit=DEPOSIT, draft=draft(kind=ActKind.VOID), order=SIGNED),
    ),
    "told delivered": ("transfers", TOLD),
    "told refunded": (
        "transfers",
        replace(
            TOLD,
            stage=Stage.REFUNDED,
            act=ActKind.REFUND,
            refund_tx="0xdd",
            refund_height=30,
            refund_time=1_020,
        ),
    ),
    "told parked": (
        "transfers",
        replace(
            TOLD,
            stage=Stage.PARKED,
            destination=None,
            destination_tx=None,
            destination_height=None,
            destination_time=None,
            reason=Reason.MEMO_MALFORMED,
            detail="no prefix",
        ),
    ),
    "verdict": (
        "supply",
        VERDICT,
    ),
    "signed lease": ("supply", replace(SIGNED, role=Role.MONITOR)),
    "halt": (
        "control",
        Halt(
            scope=Scope(kind=ScopeKind.CHAIN, name=BNB),
            reason="odd",
            evidence="seen",
            raised_at=1_790_000_000,
            raised_by="me, 0011",
        ),
    ),
    "signed resume": ("control", SIGNED),
    "signed": ("signed", SIGNED),
    "command": (
        "signed.command",
        Command(
            command=b"\x05" * 32,
            verb=Verb.REFUND,
            transfer=ID,
            chain=SOLANA,
            reason="asked for",
            issued_at=1_790_000_000,
            expires_at=1_790_000_600,
        ),
    ),
    "resume": (
        "signed.resume",
        Resume(
            command=b"\x06" * 32,
            halts=(b"\x07" * 32, b"\x08" * 32),
            reason="mended",
            issued_at=1_790_000_000,
            expires_at=1_790_000_600,
        ),
    ),
    "lease": (
        "signed.lease",
        Lease(
            asset="TSLAx",
            sequence=1_790_000_000_123,
            issued_at=1_790_000_000,
            expires_at=1_790_000_030,
            heights={BNB: 50, SOLANA: 60},
            times={BNB: 1_789_999_999, SOLANA: 1_790_000_000},
            multiplier=10**18,
        ),
    ),
    "reading": ("signed.verdict", replace(VERDICT, sequence=1_790_000_000_122)),
    "transfer": ("state.relayer.transfer", TRANSFER),
    "seen transfer": (
        "state.relayer.transfer",
        Transfer(deposit=GARBAGE, stage=Stage.SEEN, since=5.0, seen_at=5.0),
    ),
    "submission": (
        "state.relayer.submission",
        Submission(
            tx="0xcc",
            chain=BNB,
            ids=(ID,),
            raw=b"\xf8\x6b\x00",
            nonce=7,
            bounds=9,
            price=5 * 10**9,
            useful_until=1_790_000_030,
            made_at=1_790_000_001.75,
        ),
    ),
    "end of a command": ("state.relayer.command", 1_790_000_600),
    "sweep mark": ("state.relayer.sweep", 41),
    "cursor": ("state.listener", 42),
}
"""Each by a name of its own, with its kind. What is kept of them is never written anew."""

SEALED: Final = {
    "secret": "relayer:golden",
    "place": f"{BNB} 0 of 1",
    "key": f"transfer/{ID.hex()}",
}
"""How the sealed value that is kept was sealed."""


def kept(name: str) -> Any:
    """A file of recordings."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
