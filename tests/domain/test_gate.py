from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from relayer.domain.authority import Role, authentic
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import (
    CONTROL_RECORDS,
    LEASE,
    RESUME,
    SUPPLY_RECORDS,
    Gate,
    Resume,
)
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.signing.local import Ed25519Signer
from tests.domain.gates import (
    MONITORS,
    NOW,
    OPERATOR,
    ROUTE,
    STRANGER,
    a_gate,
    a_lease,
    give,
    signed,
)
from tests.domain.samples import BNB, SOLANA, TRON


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
    data = CONTROL_RECORDS.encode(await signed(RESUME.encode(resume).decode(), signer, role))
    gate.fold_control(data, NOW, 1)
    return data


def test_without_a_lease_nothing_passes() -> None:
    """The gate begins closed."""
    refusal = a_gate().refusal(ROUTE, NOW)

    assert refusal is not None
    assert refusal[0] is Reason.NO_LEASE


async def test_a_lease_opens_its_asset_until_it_expires() -> None:
    """Only TSLAx, and only for thirty seconds."""
    gate = a_gate()
    await give(gate, a_lease())

    assert gate.refusal(ROUTE, NOW) is None
    assert gate.refusal(replace(ROUTE, asset="NVDAx"), NOW) is not None
    assert gate.refusal(ROUTE, NOW + 30) is not None
    assert gate.good_until("TSLAx", NOW) == NOW + 30


async def test_k_monitors_must_agree_where_k_are_asked_for() -> None:
    """Two leases of one monitor are one."""
    gate = a_gate(needed=2)
    await give(gate, a_lease(1))
    await give(gate, a_lease(2))
    assert gate.refusal(ROUTE, NOW) is not None

    await give(gate, a_lease(1), MONITORS[1])

    assert gate.refusal(ROUTE, NOW) is None


async def test_a_lease_over_old_chain_times_is_not_fresh() -> None:
    """Evidence is as old as the oldest chain time it carries."""
    gate = a_gate()
    await give(gate, replace(a_lease(), times={BNB: int(NOW) - 500}))

    assert gate.refusal(ROUTE, NOW) is not None


async def test_a_lease_is_fresh_to_the_second() -> None:
    """Its oldest time may be as old as allowed, it may last as long as allowed, and not more."""
    gate, policy = a_gate(), a_gate().policy
    times: dict[str, int] = {BNB: int(NOW), SOLANA: int(NOW) - policy.max_lag}
    await give(gate, replace(a_lease(life=policy.max_lease), times=times))

    assert gate.refusal(ROUTE, NOW) is None
    assert gate.refusal(ROUTE, NOW + 0.5) is not None
    await give(gate, a_lease(2, life=30))
    assert gate.refusal(ROUTE, NOW + 29.5) is None
    assert gate.refusal(ROUTE, NOW + 30) is not None


async def test_a_quorum_of_leases_lasts_as_long_as_its_shortest() -> None:
    """One lease alone is good for nothing where two are asked for, however long it lasts."""
    gate = a_gate(needed=2)
    await give(gate, a_lease(1, life=60))
    assert gate.good_until("TSLAx", NOW) == 0

    await give(gate, a_lease(1, life=20), MONITORS[1])

    assert gate.good_until("TSLAx", NOW) == NOW + 20
    assert gate.good_until("TSLAx", NOW + 20) == 0


async def test_an_older_sequence_is_refused() -> None:
    """A replayed lease changes nothing."""
    gate = a_gate()
    await give(gate, a_lease(5))

    with pytest.raises(RecordRefused, match="not newer"):
        await give(gate, a_lease(5))


async def test_a_lease_longer_than_allowed_is_refused() -> None:
    """A stolen monitor key can not open the gate for a day."""
    with pytest.raises(RecordRefused, match="longer"):
        await give(a_gate(), a_lease(life=86_400))


async def test_a_lease_dated_into_the_future_opens_nothing_now() -> None:
    """A short lease from next year would otherwise hold the gate open until then."""
    gate, year = a_gate(), 31_536_000
    later = int(NOW) + year
    await give(gate, replace(a_lease(), issued_at=later, expires_at=later + 30))

    assert gate.refusal(ROUTE, NOW) is not None
    assert gate.good_until("TSLAx", NOW) == 0


@pytest.mark.parametrize("signer", [STRANGER, OPERATOR])
async def test_only_monitors_sign_leases(signer: Ed25519Signer) -> None:
    """Neither a stranger nor an operator opens the gate."""
    with pytest.raises(RecordRefused, match="not a known"):
        await give(a_gate(), a_lease(), signer)


async def test_a_changed_body_does_not_verify() -> None:
    """One byte more of life is a forgery."""
    envelope = await signed(LEASE.encode(a_lease()).decode(), MONITORS[0])
    forged = replace(envelope, body=envelope.body.replace("10030", "10099"))

    with pytest.raises(RecordRefused, match="does not verify"):
        a_gate().fold_supply(SUPPLY_RECORDS.encode(forged), NOW)


async def test_a_signature_under_one_role_is_none_under_another() -> None:
    """The tag of the role is part of what is signed."""
    envelope = await signed("{}", OPERATOR, Role.OPERATOR)
    passed_off = replace(envelope, role=Role.MONITOR)

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
    gate = a_gate()
    await give(gate, a_lease())

    _raise(gate, _halt(kind, name))

    refusal = gate.refusal(ROUTE, NOW)
    assert (refusal is not None) is stops
    assert refusal is None or refusal[0] is Reason.HALTED


async def test_a_resume_lifts_the_halts_it_names_and_no_other() -> None:
    """A later halt stays, also when the resume is replayed."""
    gate = a_gate()
    await give(gate, a_lease())
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
    gate = a_gate()
    await give(gate, a_lease())
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
    gate = a_gate()
    halt = _halt()
    _raise(gate, halt)

    with pytest.raises(RecordRefused):
        await _resume(gate, [halt], signer, role)
    assert halt.digest in gate.halts


async def test_an_expired_resume_lifts_nothing() -> None:
    """A command kept for later is no command."""
    gate = a_gate()
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


def test_what_anybody_may_say_takes_little_room() -> None:
    """Of a halt only some words are kept."""
    gate = a_gate()
    loud = replace(_halt(), reason="r" * 100_000, evidence="e" * 100_000)

    _raise(gate, loud)

    assert gate.refusal(ROUTE, NOW) is not None
    (kept,) = gate.halts.values()
    assert len(CONTROL_RECORDS.encode(kept)) < 10_000


async def test_a_halt_of_many_words_is_lifted_by_its_own_name() -> None:
    """What is cut off is not forgotten: the digest is that of the whole halt."""
    gate = a_gate()
    loud = replace(_halt(), evidence="e" * 100_000)
    _raise(gate, loud)

    await _resume(gate, [loud])
    _raise(gate, loud)

    assert not gate.halts
