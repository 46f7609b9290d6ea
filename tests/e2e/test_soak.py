from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak.run import Plan, soak


@pytest.mark.timeout(400)
async def test_mixed_traffic_survives_random_faults(tmp_path: Path) -> None:
    """A soak in small: faults of nodes, issuer, operator and process; each deposit once, books equal.

    Growth is judged by the long run alone (`make soak`).
    """
    plan = Plan(
        directory=tmp_path,
        seconds=20,
        rate=3,
        seed=3,
        sample_every=4,
        calm=2,
        growth=False,
    )

    report = await soak(plan, say=lambda _: None)

    assert report.wrong == ()
    assert report.deposits >= 10
    assert sum(report.faults.values()) >= 5
