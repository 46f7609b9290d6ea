"""Whoever reads only what a trimming left comes to the same halts as whoever has read everything."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relayer.domain.authority import Role
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Gate, GatePolicy, Resume
from relayer.domain.halt import HALTS_KEPT, Halt, Scope, ScopeKind, digest_of
from relayer.domain.standing import STRANGE_KEPT, Standing
from tests.domain.gates import OPERATOR, STRANGER, signed

SERVED = GatePolicy(
    monitors=frozenset(), operators=frozenset({OPERATOR.public}), assets=frozenset({"TSLAx"})
)
WIDER = replace(SERVED, assets=None)
GLOBAL, ASSET = Scope(kind=ScopeKind.GLOBAL), Scope(kind=ScopeKind.ASSET, name="TSLAx")
STRANGE = Scope(kind=ScopeKind.ASSET, name="EVIL")
SOON, LATE = 1_000, 10**6
"""When resumes end: within the life of the log, or never in it."""


def _halt(number: int, scope: Scope = ASSET) -> bytes:
    halt = Halt(scope=scope, reason=f"{number}", evidence="", raised_at=number, raised_by="m")
    return CONTROL_RECORDS.encode(halt)


def _resume(*halts: bytes, ends: int = LATE, key: int = 0) -> bytes:
    resume = Resume(
        command=b"\1" * 32,
        halts=tuple(map(digest_of, halts)),
        reason="mended",
        issued_at=1,
        expires_at=ends,
    )
    signer = (OPERATOR, STRANGER)[key]
    body = RESUME.encode(resume).decode()
    return CONTROL_RECORDS.encode(asyncio.run(signed(body, signer, Role.OPERATOR)))


HALTS = [_halt(n, scope) for n, scope in enumerate((GLOBAL, ASSET, ASSET, STRANGE))]
HALTS.append(b'{"type":"halt","v":2,"scope":"something new"}')
RESUMES = [_resume(one) for one in HALTS]
RESUMES += [_resume(*HALTS[:3]), _resume(HALTS[1], ends=SOON), _resume(HALTS[1], key=1)]
RECORDS = [*HALTS, *RESUMES, b"garbage"]


@dataclass(slots=True)
class Log:
    """The topic as Kafka keeps it; a record a second."""

    records: list[tuple[int, bytes]] = field(default_factory=list)
    end: int = 0

    def append(self, *texts: bytes) -> None:
        for text in texts:
            self.records.append((self.end, text))
            self.end += 1

    def cut(self, before: int) -> None:
        self.records = [one for one in self.records if one[0] >= before]

    def gate(self, policy: GatePolicy) -> Gate:
        """Whoever starts now."""
        gate = Gate(policy=policy)
        for offset, text in self.records:
            _read(gate, text, offset)
        return gate

    def standing(self) -> Standing:
        standing = Standing(SERVED)
        for offset, text in self.records:
            standing.fold(text, _time(offset), offset)
        return standing


def _time(offset: int) -> float:
    return 100.0 * offset


def _read(gate: Gate, text: bytes, offset: int) -> None:
    with suppress(RecordRefused):
        gate.fold_control(text, _time(offset), offset)


class Trimmer:
    """Trims step by step, as an operator may who can be stopped, or overtaken, between any two."""

    def __init__(self, log: Log) -> None:
        self.log, self.step = log, 0
        self.fenced = False

    def go_on(self) -> None:
        if self.step == 0:
            self.end, self.texts = self.log.end, self.log.standing().texts
        elif self.step == 1 and not self.fenced:
            self.log.append(*self.texts)
        elif self.step == 2:
            self.log.cut(self.end)
        if not (self.fenced and self.step == 1):
            self.step += 1


STEPS = st.lists(
    st.one_of(st.sampled_from(RECORDS), st.sampled_from(["new trimmer", "older", "newest"])),
    max_size=40,
)
LATE_COPY = [HALTS[0], "new trimmer", "newest", RESUMES[0]]
LATE_COPY += ["new trimmer", "newest", "newest", "newest", "older"]
"""The older one has read, and would write what has been lifted and trimmed meanwhile."""


@pytest.mark.parametrize("policy", [SERVED, WIDER], ids=["served", "more is served"])
@given(steps=STEPS)
@example(steps=LATE_COPY)
def test_no_halt_is_lost_and_none_comes_back_whenever_whoever_trims(
    policy: GatePolicy, steps: list[bytes | str]
) -> None:
    """Records come between any two steps; trimmers die and overtake each other; halts are told again.

    Who has read everything and who reads what is left have the same halts, but for one that was told
    again after its resume: it may stand for those who began after that was trimmed away, never the
    other way round. A new resume lifts whatever either lists.
    """
    log, everything = Log(), Gate(policy=policy)
    trimmers: list[Trimmer] = []
    told_again: set[bytes] = set()
    for step in steps:
        before = log.end
        if step == "new trimmer":
            for older in trimmers:
                older.fenced = True
            trimmers.append(Trimmer(log))
        elif step in {"older", "newest"}:
            for trimmer in trimmers[-2:-1] if step == "older" else trimmers[-1:]:
                trimmer.go_on()
        elif isinstance(step, bytes):
            told_again |= {digest_of(step)} & everything._halts._lifted
            log.append(step)
        for offset, text in log.records:
            if offset >= before:
                _read(everything, text, offset)
    fresh = log.gate(policy)

    assert fresh.halts.keys() >= everything.halts.keys()
    assert fresh.halts.keys() - everything.halts.keys() <= told_again
    again = _resume_of(fresh)
    for gate in (fresh, everything):
        _read(gate, again, 0)
        assert not gate.halts


def _resume_of(gate: Gate) -> bytes:
    resume = Resume(
        command=b"\2" * 32, halts=tuple(gate.halts), reason="", issued_at=1, expires_at=LATE
    )
    body = RESUME.encode(resume).decode()
    return CONTROL_RECORDS.encode(asyncio.run(signed(body, OPERATOR, Role.OPERATOR)))


def _standing(*records: bytes, forget: bool = False) -> Standing:
    standing = Standing(SERVED, forget_strange=forget)
    for offset, record in enumerate(records):
        standing.fold(record, 1.0, offset)
    return standing


def test_halts_are_left_byte_for_byte_and_once() -> None:
    """With fields of later releases, of versions that are not read, and of what is not served."""
    later = HALTS[1][:-1] + b',"later":1}'
    records = [HALTS[0], later, HALTS[4], HALTS[3], later, b"garbage", RESUMES[0]]

    standing = _standing(*records)

    assert standing.objections() == []
    assert standing.texts == [later, HALTS[4], HALTS[3]]
    assert set(standing.halts) == set(map(digest_of, standing.texts))


@pytest.mark.parametrize(("count", "objects"), [(HALTS_KEPT - 1, False), (HALTS_KEPT, True)])
def test_a_scope_that_is_full_is_to_be_lifted_first(count: int, *, objects: bool) -> None:
    """One more would make a crowd of the copies, which has another name for each reader."""
    standing = _standing(*(_halt(number) for number in range(100, 100 + count)))

    assert len(standing.objections()) == objects
    assert all(
        "asset TSLAx" in words and "relayer resume" in words for words in standing.objections()
    )


def test_a_crowd_that_was_lifted_is_no_objection() -> None:
    """After a flood: sixty-five names, and nothing of it stands."""
    standing = _standing(*(_halt(number) for number in range(100, 3_000)))
    assert "65 halts of asset TSLAx" in standing.objections()[0]
    lifted = Resume(
        command=b"\2" * 32, halts=tuple(standing.halts), reason="", issued_at=1, expires_at=LATE
    )
    body = RESUME.encode(lifted).decode()
    signed_ = asyncio.run(signed(body, OPERATOR, Role.OPERATOR))
    standing.fold(CONTROL_RECORDS.encode(signed_), 2.0, 3_000)

    assert standing.objections() == []
    assert standing.texts == []


def test_a_flood_of_strange_halts_is_left_out_only_if_that_is_said() -> None:
    """Some are kept in any case, for settings that serve more; a flood of them is the operator's to judge."""
    flood = [
        _halt(number, Scope(kind=ScopeKind.ASSET, name=f"EVIL{number}"))
        for number in range(STRANGE_KEPT + 10)
    ]
    few, many = _standing(*flood[:STRANGE_KEPT], HALTS[1]), _standing(*flood, HALTS[1])
    forgotten = _standing(*flood, HALTS[1], forget=True)

    assert few.objections() == []
    assert len(few.texts) == STRANGE_KEPT + 1
    assert "10 of them would be lost" in many.objections()[0]
    assert forgotten.objections() == []
    assert forgotten.texts == [HALTS[1]]
