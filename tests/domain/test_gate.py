from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from relayer.domain.authority import Role, Signed, authentic, to_sign
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import (
    CONTROL_RECORDS,
    LEASE,
    RESUME,
    SUPPLY_RECORDS,
    Gate,
    GatePolicy,
    Lease,
    Resume,
    Verdict,
)
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Route
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA, TRON

MONITORS = tuple(Ed25519Signer(bytes([n]) * 32) for n in (1, 2))
OPERATOR, STRANGER = Ed25519Signer(b"\x05" * 32), Ed25519Signer(b"\x06" * 32)
ROUTE = Route(source=BNB, destination=SOLANA, asset="TSLAx")
NOW = 10_000.0


def _gate(needed: int = 1) -> Gate:
    return Gate(
        policy=GatePolicy(
            monitors=frozenset(m.public for m in MONITORS),
            operators=frozenset({OPERATOR.public}),
            needed=needed,
        )
    )


def _lease(sequence: int = 1, asset: str = "TSLAx", life: int = 30) -> Lease:
    return Lease(
        asset=asset,
        sequence=sequence,
        issued_at=int(NOW),
        expires_at=int(NOW) + life,
        heights={BNB: 1},
        times={BNB: int(NOW) - 5, SOLANA: int(NOW) - 12},
        multiplier=10**18,
    )


async def _signed(body: str, signer: Ed25519Signer, role: Role = Role.MONITOR) -> Signed:
    signature = await signer.sign(to_sign(role, body))
    return Signed(role=role, key=signer.public, body=body, signature=signature)


async def _give(gate: Gate, lease: Lease, signer: Ed25519Signer = MONITORS[0]) -> None:
    signed = await _signed(LEASE.encode(lease).decode(), signer)
    gate.fold_supply(SUPPLY_RECORDS.encode(signed))


def _halt(kind: ScopeKind = ScopeKind.GLOBAL, name: str = "", at: int = 1) -> Halt:
    scope = Scope(kind=kind, name=name)
    return Halt(scope=scope, reason="r", evidence="e", raised_at=at, raised_by="m")


def _raise(gate: Gate, halt: Halt) -> None:
    gate.fold_control(CONTROL_RECORDS.encode(halt), NOW, 1)


async def _resume(
    gate: Gate,
    halts: Sequence[Halt],
    signer: Ed25519Signer = OPERATOR,
    role: Role = Role.OPERATOR,
    expires_at: int = 20_000,
) -> bytes:
    resume = Resume(
        command=b"\1" * 32,
        halts=tuple(halt.digest for halt in halts),
        reason="mended",
        issued_at=int(NOW),
        expires_at=expires_at,
    )
    data = CONTROL_RECORDS.encode(await _signed(RESUME.encode(resume).decode(), signer, role))
    gate.fold_control(data, NOW, 1)
    return data


def test_without_a_lease_nothing_passes() -> None:
    """The gate begins closed."""
    refusal = _gate().refusal(ROUTE, NOW)

    assert refusal is not None
    assert refusal[0] is Reason.NO_LEASE


async def test_a_lease_opens_its_asset_until_it_expires() -> None:
    """Only TSLAx, and only for thirty seconds."""
    gate = _gate()
    await _give(gate, _lease())

    assert gate.refusal(ROUTE, NOW) is None
    assert gate.refusal(replace(ROUTE, asset="NVDAx"), NOW) is not None
    assert gate.refusal(ROUTE, NOW + 30) is not None
    assert gate.good_until("TSLAx", NOW) == NOW + 30


async def test_k_monitors_must_agree_where_k_are_asked_for() -> None:
    """Two leases of one monitor are one."""
    gate = _gate(needed=2)
    await _give(gate, _lease(1))
    await _give(gate, _lease(2))
    assert gate.refusal(ROUTE, NOW) is not None

    await _give(gate, _lease(1), MONITORS[1])

    assert gate.refusal(ROUTE, NOW) is None


async def test_a_lease_over_old_chain_times_is_not_fresh() -> None:
    """Evidence is as old as the oldest chain time it carries."""
    gate = _gate()
    await _give(gate, replace(_lease(), times={BNB: int(NOW) - 500}))

    assert gate.refusal(ROUTE, NOW) is not None


async def test_an_older_sequence_is_refused() -> None:
    """A replayed lease changes nothing."""
    gate = _gate()
    await _give(gate, _lease(5))

    with pytest.raises(RecordRefused, match="not newer"):
        await _give(gate, _lease(5))


async def test_a_lease_longer_than_allowed_is_refused() -> None:
    """A stolen monitor key can not open the gate for a day."""
    with pytest.raises(RecordRefused, match="longer"):
        await _give(_gate(), _lease(life=86_400))


async def test_a_lease_dated_into_the_future_opens_nothing_now() -> None:
    """A short lease from next year would otherwise hold the gate open until then."""
    gate, year = _gate(), 31_536_000
    later = int(NOW) + year
    await _give(gate, replace(_lease(), issued_at=later, expires_at=later + 30))

    assert gate.refusal(ROUTE, NOW) is not None
    assert gate.good_until("TSLAx", NOW) == 0


@pytest.mark.parametrize("signer", [STRANGER, OPERATOR])
async def test_only_monitors_sign_leases(signer: Ed25519Signer) -> None:
    """Neither a stranger nor an operator opens the gate."""
    with pytest.raises(RecordRefused, match="not a known"):
        await _give(_gate(), _lease(), signer)


async def test_a_changed_body_does_not_verify() -> None:
    """One byte more of life is a forgery."""
    signed = await _signed(LEASE.encode(_lease()).decode(), MONITORS[0])
    forged = replace(signed, body=signed.body.replace("10030", "10099"))

    with pytest.raises(RecordRefused, match="does not verify"):
        _gate().fold_supply(SUPPLY_RECORDS.encode(forged))


async def test_a_signature_under_one_role_is_none_under_another() -> None:
    """The tag of the role is part of what is signed."""
    signed = await _signed("{}", OPERATOR, Role.OPERATOR)
    passed_off = replace(signed, role=Role.MONITOR)

    with pytest.raises(RecordRefused):
        authentic(passed_off, Role.MONITOR, {OPERATOR.public})


@pytest.mark.parametrize(
    ("kind", "name", "stops"),
    [
        (ScopeKind.GLOBAL, "", True),
        (ScopeKind.ASSET, "TSLAx", True),
        (ScopeKind.ASSET, "NVDAx", False),
        (ScopeKind.CHAIN, BNB, True),
        (ScopeKind.CHAIN, SOLANA, True),
        (ScopeKind.CHAIN, TRON, False),
        (ScopeKind.ROUTE, str(ROUTE), True),
        (ScopeKind.ROUTE, str(replace(ROUTE, destination=TRON)), False),
    ],
)
async def test_a_halt_stops_what_it_covers(kind: ScopeKind, name: str, *, stops: bool) -> None:
    """And nothing else."""
    gate = _gate()
    await _give(gate, _lease())

    _raise(gate, _halt(kind, name))

    refusal = gate.refusal(ROUTE, NOW)
    assert (refusal is not None) is stops
    assert refusal is None or refusal[0] is Reason.HALTED


async def test_a_resume_lifts_the_halts_it_names_and_no_other() -> None:
    """A later halt stays, also when the resume is replayed."""
    gate = _gate()
    await _give(gate, _lease())
    first, later = _halt(at=1), _halt(at=2)
    _raise(gate, first)

    data = await _resume(gate, [first])
    assert gate.refusal(ROUTE, NOW) is None

    _raise(gate, later)
    with pytest.raises(RecordRefused, match="lifted already"):
        gate.fold_control(data, NOW, 1)
    assert gate.refusal(ROUTE, NOW) is not None


async def test_a_lifted_halt_that_is_replayed_stays_lifted() -> None:
    """The same record again is the same halt."""
    gate = _gate()
    await _give(gate, _lease())
    halt = _halt()
    _raise(gate, halt)
    await _resume(gate, [halt])

    _raise(gate, halt)

    assert gate.refusal(ROUTE, NOW) is None


@pytest.mark.parametrize(
    ("signer", "role"), [(STRANGER, Role.OPERATOR), (MONITORS[0], Role.MONITOR)]
)
async def test_only_an_operator_lifts_a_halt(signer: Ed25519Signer, role: Role) -> None:
    """Neither a stranger nor a monitor."""
    gate = _gate()
    halt = _halt()
    _raise(gate, halt)

    with pytest.raises(RecordRefused):
        await _resume(gate, [halt], signer, role)
    assert halt.digest in gate.halts


async def test_an_expired_resume_lifts_nothing() -> None:
    """A command kept for later is no command."""
    gate = _gate()
    halt = _halt()
    _raise(gate, halt)

    with pytest.raises(RecordRefused, match="expired"):
        await _resume(gate, [halt], expires_at=int(NOW) - 1)
    assert halt.digest in gate.halts


def test_kept_state_opens_for_its_key_and_role_alone() -> None:
    """Another key, another role or one changed bit is a forgery."""
    keeper = Keeper(b"secret")
    value = keeper.seal("cursor", b"12")

    assert keeper.opened("cursor", value) == b"12"
    assert keeper.opened("other", value) is None
    assert Keeper(b"another").opened("cursor", value) is None
    assert keeper.opened("cursor", value[:-1] + b"3") is None
    assert keeper.opened("cursor", b"") is None


def _verdict(withheld: Reason | None, at: float = NOW + 1, monitor: int = 0) -> bytes:
    verdict = Verdict(
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
    )
    return SUPPLY_RECORDS.encode(verdict)


async def _leased(*monitors: int) -> Gate:
    gate = _gate()
    for monitor in monitors or (0,):
        await _give(gate, _lease(), MONITORS[monitor])
    assert gate.refusal(ROUTE, NOW + 1) is None
    return gate


@pytest.mark.parametrize(
    ("withheld", "held"),
    [
        (Reason.MULTIPLIER_DIFFERS, Reason.MULTIPLIER_DIFFERS),
        (Reason.HALTED, Reason.NO_LEASE),
        (Reason.NO_LEASE, None),
        (None, None),
    ],
)
async def test_what_a_monitor_found_ends_its_lease_and_names_the_reason(
    withheld: Reason | None, held: Reason | None
) -> None:
    """At odds ends at once, under its name; what was merely unreadable leaves the lease to its end."""
    gate = await _leased()

    gate.fold_supply(_verdict(withheld))

    refusal = gate.refusal(ROUTE, NOW + 1)
    assert refusal == (None if held is None else (held, "what was found"))


async def test_a_finding_ends_the_leases_of_its_own_monitor_alone() -> None:
    """Where one monitor's lease is enough the other's still opens the gate."""
    gate = await _leased(0, 1)

    gate.fold_supply(_verdict(Reason.MULTIPLIER_DIFFERS, monitor=1))

    assert gate.refusal(ROUTE, NOW + 1) is None
    assert gate.good_until("TSLAx", NOW + 1) == int(NOW) + 30


async def test_the_next_lease_opens_the_gate_again() -> None:
    """When chains agree again nothing but the monitor's word is needed; an old one is not taken."""
    gate = await _leased()
    gate.fold_supply(_verdict(Reason.MULTIPLIER_DIFFERS))
    with pytest.raises(RecordRefused):
        await _give(gate, _lease())

    await _give(gate, _lease(sequence=2))

    assert gate.refusal(ROUTE, NOW + 1) is None


async def test_a_replayed_finding_ends_no_later_lease_and_an_old_one_gives_no_reason() -> None:
    """The topic is not trusted: what was true before the lease says nothing against it."""
    gate = await _leased()
    gate.fold_supply(_verdict(Reason.MULTIPLIER_DIFFERS, at=NOW - 50))

    assert gate.refusal(ROUTE, NOW + 1) is None
    assert gate.refusal(ROUTE, NOW + 60) == (Reason.MULTIPLIER_DIFFERS, "what was found")
    assert gate.refusal(ROUTE, NOW + 600) == (
        Reason.NO_LEASE,
        "0 of 1 fresh leases for TSLAx",
    )


def test_what_anybody_may_say_takes_little_room() -> None:
    """A verdict on an asset nobody serves is not kept, and of a halt only some words are."""
    served = replace(_gate().policy, assets=frozenset({"NVDAx"}))
    gate = Gate(policy=served)
    loud = replace(_halt(), reason="r" * 100_000, evidence="e" * 100_000)

    with pytest.raises(RecordRefused, match="not served"):
        gate.fold_supply(_verdict(None))
    _raise(gate, loud)

    assert gate.verdict("TSLAx") is None
    assert gate.refusal(ROUTE, NOW) is not None
    (kept,) = gate.halts.values()
    assert len(CONTROL_RECORDS.encode(kept)) < 10_000


async def test_a_halt_of_many_words_is_lifted_by_its_own_name() -> None:
    """What is cut off is not forgotten: the digest is that of the whole halt."""
    gate = _gate()
    loud = replace(_halt(), evidence="e" * 100_000)
    _raise(gate, loud)

    await _resume(gate, [loud])
    _raise(gate, loud)

    assert not gate.halts
