from __future__ import annotations

import re
from pathlib import Path

import pytest

from relayer.cli.config import markdown
from relayer.cli.main import COMMANDS
from relayer.domain.reasons import EXPLANATIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A newcomer never meets a missing page."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_decision_is_linked_by_its_number(page: Path) -> None:
    """Whoever follows it finds the decision that was named."""
    links = re.findall(r"\[ADR (\d+)\]\([^)]*?(\d+)-", page.read_text(encoding="utf-8"))

    assert [int(said) for said, _ in links] == [int(number) for _, number in links]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_make_targets_that_are_named_exist(page: Path) -> None:
    """What a page tells to type can be typed."""
    text = page.read_text(encoding="utf-8")
    made = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"(?:`|^|  )relayer ([a-z]+)\b", text, re.MULTILINE))
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))

    assert commands <= set(COMMANDS)
    assert targets <= made


def test_the_readme_opens_and_does_not_teach() -> None:
    """At most 150 lines, with the two commands."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 150
    assert "make demo" in text
    assert "make test" in text


def test_the_configuration_page_is_what_the_settings_say() -> None:
    """Renew it with: relayer config docs > docs/configuration.md."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == markdown()


def test_the_events_page_has_every_reason_word_for_word() -> None:
    """Users and operators read the same sentences as in the code."""
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")

    for reason, said in EXPLANATIONS.items():
        assert f"| `{reason}` | {said.user} | {said.operator} |" in text
