"""The page on security names what is there: topics, metrics, words and tests, and every attack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from relayer.domain.distrust import Decline, Distrust
from relayer.domain.reasons import Reason
from relayer.telemetry.metrics import Extent, declare
from tests.attacks.floods import FLOODS
from tests.attacks.robbery import ROWS as ROBBERIES
from tests.attacks.table import ATTACKS
from tests.domain.samples import BNB
from tests.services.bridge import topics

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("| ").split(" | ")
    for line in PAGE.splitlines()
    if line.count(" | ") == 4 and not line.startswith(("| ---", "| topic", "| stolen"))
]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FAMILIES = {"relayer_endpoint"}
"""Beginnings of names that stand for all with it."""
SOURCES = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "contracts" / "test").glob("*.sol")]
TESTS = {
    name
    for file in SOURCES
    for name in re.findall(r"(?:def|function) (test_\w+)", file.read_text(encoding="utf-8"))
}
STOLEN = (
    *("one attester's key", "the keys of m attesters", "journal", "payer's key", "a monitor's key"),
    *("the only monitor's key", "an operator's key", "`state_secret`", "guardian", "admin"),
    *("issuer's minter", "upgrade authority", "vault", "RPC credentials", "HTTP port"),
    *("Kafka credential: the listener's", "Kafka credential: the relayer's"),
    *("Kafka credential: the monitor's", "Kafka credential: the attester's or tracker's"),
    *("Kafka administrator", "the secret store of the cluster"),
)


def _plain(topic: str) -> str:
    """A topic's name, with any chain in it."""
    return re.sub(r"(eip155|solana)-\w+", "<chain>", topic)


def _metrics() -> set[str]:
    """The names as Prometheus has them: a counter ends with ``_total``."""
    registry = CollectorRegistry()
    declare(registry, Extent(chains=[BNB], routes=[], assets=[], topics=[]), "1")
    return {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in registry.collect()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_is_named_is_there(page: Path) -> None:
    """An operator can paste the name into a query."""
    named = re.findall(r"`(relayer_[a-z_]*[a-z])\b", page.read_text(encoding="utf-8"))

    assert set(named) <= _metrics() | FAMILIES


def test_there_are_rows() -> None:
    """The pattern by which they are found still finds them."""
    assert len(ROWS) > 25


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_names_tests_metrics_and_words_that_are_there(row: list[str]) -> None:
    """And says something in each column."""
    *said, tests = row
    named = re.findall(r"`(test_\w+)`", tests)
    seen = re.findall(r"`(\w+)`", said[2])
    words = {*Distrust, *Decline, *Reason, "in_flight"}

    assert all(said)
    assert named
    assert set(named) <= TESTS
    assert {name for name in seen if name.startswith("relayer_")} <= _metrics()
    assert {name for name in seen if not name.startswith("relayer_")} <= words


def test_every_topic_has_a_row() -> None:
    """Chains stand as one."""
    kinds = {_plain(topic.name) for topic in topics()}

    assert {row[0].strip("`") for row in ROWS if row[0].startswith("`bridge.")} == kinds


@pytest.mark.parametrize("words", STOLEN)
def test_every_key_has_a_row(words: str) -> None:
    """The list that operators asked for is complete."""
    assert any(words in row[0] for row in ROWS)


@pytest.mark.parametrize("word", [*Distrust, *Decline])
def test_every_word_that_is_counted_is_explained(word: str) -> None:
    """An operator who meets one finds whether it comes by itself."""
    (explained,) = re.findall(r"## The words that are counted\n(.*?)\n## ", PAGE, re.DOTALL)

    assert f"`{word}`" in explained


def attacks_told() -> list[str]:
    """The rows of the last tables, as the page must have them."""
    attacks = [f"| {one.name} | {one.topic} | `{one.reason}` |" for one in ATTACKS]
    floods = [f"| {one.name} | `{_plain(one.topic)}` | `{one.reason}` |" for one in FLOODS]
    robbed = [f"| {name} |" for name in ROBBERIES]
    return [*attacks, *floods, *robbed]


@pytest.mark.parametrize("row", attacks_told())
def test_every_attack_that_is_tried_is_told(row: str) -> None:
    """Who adds one adds its row."""
    assert row in PAGE


def test_no_attack_is_told_that_is_not_tried() -> None:
    """And who takes one away takes its row away."""
    (told,) = re.findall(r"\| attack \|.*?\n\| --- .*?\n(.*?)\n\n", PAGE, re.DOTALL)

    assert len(told.splitlines()) == len(ATTACKS)
