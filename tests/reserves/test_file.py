from __future__ import annotations

import json
from pathlib import Path

import pytest

from relayer.domain.amount import WAD
from relayer.domain.errors import Unavailable
from relayer.reserves.file import FileReserve


def _reserve(directory: Path, **entry: object) -> FileReserve:
    path = directory / "reserves.json"
    path.write_text(json.dumps({"TSLAx": entry}))
    return FileReserve(path, now=lambda: 5_000.9)


async def test_a_statement_may_name_its_multiplier(tmp_path: Path) -> None:
    """A custodian who says which multiplier is meant leaves nothing to guess."""
    named = await _reserve(tmp_path, stock="10", at="now", multiplier="0.5").reserve("TSLAx")
    plain = await _reserve(tmp_path, stock="10", at=4_000).reserve("TSLAx")

    assert (named.multiplier, named.stock, named.at) == (WAD // 2, 10 * WAD, 5_000)
    assert (plain.multiplier, plain.at) == (None, 4_000)


@pytest.mark.parametrize("wrong", ["0", "-1", "ten", [], {"a": 1}])
async def test_a_multiplier_that_is_none_makes_the_statement_unavailable(
    tmp_path: Path, wrong: object
) -> None:
    """Leases stop rather than run on a guess."""
    reserve = _reserve(tmp_path, stock="10", at="now", multiplier=wrong)

    with pytest.raises(Unavailable, match="TSLAx"):
        await reserve.reserve("TSLAx")
