"""The properties of the contracts, as forge tries them."""

from __future__ import annotations

import os
import re

import pytest

from tests.contracts.toolchain import run

DEEP = os.environ.get("FOUNDRY_PROFILE") == "deep"
SECONDS = 3600 if DEEP else 900
LEAST_TESTS = 95


@pytest.mark.timeout(SECONDS + 60)
def test_forge_finds_no_history_that_breaks_a_property() -> None:
    """Every forge test passes, fuzzing and stateful invariants included."""
    result = run("forge", "test", seconds=SECONDS)

    assert result.returncode == 0, result.stdout
    ran = re.search(r"(\d+) tests passed, 0 failed, 0 skipped", result.stdout)
    assert ran is not None, result.stdout
    assert int(ran[1]) >= LEAST_TESTS, result.stdout
