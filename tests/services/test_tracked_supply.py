"""The Tracker shows what monitors have signed, the newest of each, and nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from relayer.domain.distrust import Distrust
from relayer.domain.gate import SUPPLY_RECORDS, Verdict
from relayer.domain.reasons import Reason
from relayer.domain.records import SUPPLY
from relayer.ports.bus import Record
from relayer.services.tracker import Fold
from relayer.services.tracks import Tracks
from tests.domain.gates import MONITORS, STRANGER, a_lease, a_verdict, said

KEYS = frozenset(monitor.public for monitor in MONITORS)


def _shown(path: Path, *values: bytes) -> tuple[list[Verdict], list[Distrust]]:
    """What is shown after these records, and why others were refused."""
    records = [
        Record(topic=SUPPLY, partition=0, offset=i, key="", value=value, time=100.0 + i)
        for i, value in enumerate(values)
    ]
    refused: list[Distrust] = []
    with contextlib.closing(Fold(path, lambda _, why: refused.append(why.why), KEYS)) as fold:
        fold.take(SUPPLY, records)
    with Tracks(path) as tracks:
        return sorted(tracks.verdicts(), key=lambda one: one.at), refused


async def test_the_newest_verdict_of_each_monitor_is_kept(tmp_path: Path) -> None:
    """A reading replaces the one before it, of the same monitor; one told again does not."""
    first, second, other = (a_verdict(None, at=at) for at in (1.0, 2.0, 1.5))
    other = replace(other, monitor=MONITORS[1].public.hex())
    told = [await said(first), await said(second), await said(other, MONITORS[1])]

    assert _shown(tmp_path / "tracker.db", *told, told[0]) == ([other, second], [])


async def test_a_reading_that_no_monitor_signed_is_not_shown(tmp_path: Path) -> None:
    """By a stranger in a monitor's name, by another monitor, or by nobody, however new it is."""
    newest, forged = a_verdict(None, at=2.0), a_verdict(Reason.HALTED, at=9.0)
    told = [await said(forged, STRANGER), await said(forged, MONITORS[1])]

    assert _shown(
        tmp_path / "tracker.db", await said(newest), *told, SUPPLY_RECORDS.encode(forged)
    ) == ([newest], [Distrust.NOT_AUTHENTIC] * 3)


async def test_a_lease_is_no_reading(tmp_path: Path) -> None:
    """It is passed over, and not refused."""
    assert _shown(tmp_path / "tracker.db", await said(a_lease())) == ([], [])
