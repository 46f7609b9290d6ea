"""A gate with two monitors and one operator, and what they say to it."""

from __future__ import annotations

from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.gate import (
    MONITOR_WORDS,
    SUPPLY_RECORDS,
    Gate,
    GatePolicy,
    Lease,
    MonitorWord,
    Verdict,
)
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Route
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA

MONITORS = tuple(Ed25519Signer(bytes([n]) * 32) for n in (1, 2))
OPERATOR, STRANGER = Ed25519Signer(b"\x05" * 32), Ed25519Signer(b"\x06" * 32)
ROUTE = Route(source=BNB, destination=SOLANA, asset="TSLAx")
NOW = 10_000.0


def a_gate(needed: int = 1, assets: frozenset[str] | None = None) -> Gate:
    """A closed gate that asks for so many monitors."""
    return Gate(
        policy=GatePolicy(
            monitors=frozenset(m.public for m in MONITORS),
            operators=frozenset({OPERATOR.public}),
            assets=assets,
            needed=needed,
        )
    )


def a_lease(sequence: int = 1, asset: str = "TSLAx", life: int = 30) -> Lease:
    """A lease of NOW over fresh chain times."""
    return Lease(
        asset=asset,
        sequence=sequence,
        issued_at=int(NOW),
        expires_at=int(NOW) + life,
        heights={BNB: 1},
        times={BNB: int(NOW) - 5, SOLANA: int(NOW) - 12},
        multiplier=10**18,
    )


def a_verdict(
    withheld: Reason | None, sequence: int = 2, *, at: float = NOW + 1, monitor: int = 0
) -> Verdict:
    """A reading of TSLAx in a monitor's name."""
    return Verdict(
        asset="TSLAx",
        at=at,
        monitor=MONITORS[monitor].public.hex(),
        snapshots=(),
        k={},
        outstanding=None,
        in_flight=0,
        reserve=None,
        findings=(),
        withheld=withheld,
        detail="what was found",
        sequence=sequence,
    )


async def signed(body: str, signer: Ed25519Signer, role: Role = Role.MONITOR) -> Signed:
    """An envelope with a true signature of that key under that role."""
    signature = await signer.sign(to_sign(role, body))
    return Signed(role=role, key=signer.public, body=body, signature=signature)


async def said(word: MonitorWord, signer: Ed25519Signer = MONITORS[0]) -> bytes:
    """A monitor's word as it stands on ``supply``."""
    return SUPPLY_RECORDS.encode(await signed(MONITOR_WORDS.encode(word).decode(), signer))


async def give(
    gate: Gate, word: MonitorWord, signer: Ed25519Signer = MONITORS[0], *, now: float = NOW
) -> None:
    """Let the gate take a monitor's word."""
    gate.fold_supply(await said(word, signer), now)
