"""The schema files are those of the code, and what changed in them breaks nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from relayer.cli.main import root
from relayer.domain.schemas import RECORDS, schema_of, text_of
from tests.architecture.tree import ROOT
from tests.domain.compatible import breaks

FOLDER = ROOT / "docs" / "schemas"
RELEASED = ROOT / "tests" / "recordings" / "records" / "schemas"


def test_the_schema_files_are_what_the_code_says(tmp_path: Path) -> None:
    """Renew them with: relayer topics --schemas docs/schemas."""
    written = CliRunner().invoke(root, ["topics", "--schemas", str(tmp_path)])

    assert written.exit_code == 0
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.json" for name in RECORDS}
    for name in RECORDS:
        assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(name)
        assert (tmp_path / f"{name}.json").read_text(encoding="utf-8") == text_of(name)


@pytest.mark.parametrize("name", RECORDS)
def test_no_schema_breaks_readers_or_records_of_the_former_release(name: str) -> None:
    """Only fields that need not be there may be new.

    Whoever must change more lets one release read it before the next one writes it, and renews the
    kept schemas in the release that begins to read: cp docs/schemas/*.json
    tests/recordings/records/schemas/ (docs/events.md, "Versions"). Before the first release that
    is all there is to do.
    """
    former = json.loads((RELEASED / f"{name}.json").read_text(encoding="utf-8"))
    problems = breaks(former, schema_of(name))

    assert not problems, "\n".join(problems)
