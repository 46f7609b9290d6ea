"""A demo that delivered everything is wrong all the same where something was stopped on the way."""

from __future__ import annotations

from pathlib import Path

from relayer.bus.sqlite import SqliteBus
from relayer.cli.demo.stops import halts, parked
from relayer.domain.authority import Role
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Resume
from relayer.domain.halt import HALT, Halt, Scope, ScopeKind
from relayer.domain.records import CONTROL
from relayer.domain.stage import Stage
from relayer.ports.bus import Out
from relayer.services.tracks import Story, Track
from tests.attacks.gates import signed
from tests.services.bridge import OPERATOR, topics
from tests.services.test_tracker import delivered, told

A_HALT = Halt(
    scope=Scope(kind=ScopeKind.ASSET, name="TSLAx"),
    reason="A: 1 outstanding, 0 backed",
    evidence="block 7",
    raised_at=1,
    raised_by="monitor",
)


async def _lifted() -> list[bytes]:
    """A halt, and the resume that lifts it."""
    resume = Resume(
        command=b"\1" * 32, halts=(A_HALT.digest,), reason="", issued_at=1, expires_at=2
    )
    word = await signed(RESUME.encode(resume).decode(), OPERATOR, Role.OPERATOR)
    return [HALT.encode(A_HALT), CONTROL_RECORDS.encode(word)]


async def _found(directory: Path, *values: bytes) -> list[str]:
    async with SqliteBus(directory / "bus.db", topics()) as bus:
        await bus.publish([Out(topic=CONTROL, partition=0, key="", value=v) for v in values])
        return await halts(bus)


async def test_a_halt_is_told_though_it_was_lifted(tmp_path: Path) -> None:
    """The resume behind it does not undo that deliveries were stopped."""
    (words,) = await _found(tmp_path, *await _lifted())

    assert words == (
        "a halt was raised (asset TSLAx) by monitor: A: 1 outstanding, 0 backed; block 7"
    )


async def test_what_cannot_be_read_is_told_too(tmp_path: Path) -> None:
    """It may have been a halt."""
    (words,) = await _found(tmp_path, b"{")

    assert words.startswith("a record of bridge.control cannot be read: ")


async def test_nothing_is_told_of_a_quiet_bus(tmp_path: Path) -> None:
    """No record at all: the reading ends by itself."""
    assert await _found(tmp_path) == []


def _story(*stages: Stage) -> Story:
    facts = tuple(told(1, stage) for stage in stages)
    return Story(track=Track(told=delivered(1), seen_at=1.0), facts=facts)


def test_a_transfer_that_was_parked_and_went_on_is_told() -> None:
    """It was delivered in the end, but only because somebody looked after it."""
    well = _story(Stage.SEEN, Stage.DELIVERED)
    ill = _story(Stage.SEEN, Stage.PARKED, Stage.DELIVERED)

    (words,) = parked([well, ill])
    assert words == f"{delivered(1).id.hex()} was parked on its way"
