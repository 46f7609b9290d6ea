from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.crashing import Image, Life, fresh_chains, outcome

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
PAIRS = 200 if DEEP else 15
RESTART_SECONDS = 1.0

PORTS = {
    "bus.publish",
    "clock.sleep",
    "drafter.check_terms",
    "drafter.draft",
    "follower.next",
    "journal.bind",
    "ledger.load",
    "ledger.save",
    "log.commit",
    "partition.commit",
    "partition.restore",
    "partition.take",
    "reader.deposit_at",
    "reader.final_head",
    "reader.history",
    "reader.receipts",
    "reader.snapshots",
    "reserve.reserve",
    "signer.sign",
    "writer.balance",
    "writer.broadcast",
    "writer.landings",
    "writer.seal",
}


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """A life that nothing disturbs, with an image of every durable state it passes through."""
    directory = tmp_path_factory.mktemp("stable") / "twin"
    directory.mkdir()
    life = Life(directory, fresh_chains(), wanted=lambda _: True, every=DEEP)
    life.live(0.0)
    yield life
    shutil.rmtree(directory.parent)


def _ends_alike(image: Image, stable: Life) -> str | None:
    """Start again from an image; what went otherwise than in the stable life, if anything did."""
    again = image.again(image.directory.with_name(image.directory.name + "-again"))
    life = Life(again.directory, again.chains)
    try:
        life.live(image.at + RESTART_SECONDS)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - every image is judged
        return f"{image.point}: {error!r}"
    finally:
        shutil.rmtree(again.directory)
    if life.halts:
        return f"{image.point}: halted"
    if outcome(life.chains) != outcome(stable.chains):
        return f"{image.point}: the chains differ"
    return None


def test_the_recording_passes_every_await_of_every_port(stable: Life) -> None:
    """What is enumerated below is complete: each port's calls are there, before and after."""
    for side in ("before", "after"):
        points = [point.split(" ", 1) for point in stable.points]
        passed = {port for place, port in points if place == side}
        assert passed == PORTS
    assert stable.halts == 0
    assert len(stable.images) > 50


def test_the_stable_life_is_the_same_each_time(tmp_path: Path, stable: Life) -> None:
    """Virtual time and one thread: a point that was found to break can be visited again."""
    directory = tmp_path / "again"
    directory.mkdir()
    again = Life(directory, fresh_chains())
    again.live(0.0)

    assert again.points == stable.points


@pytest.mark.timeout(1800 if DEEP else 300)
def test_a_kill_at_any_commit_or_await_changes_nothing_on_the_chains(stable: Life) -> None:
    """Each durable state a SIGKILL can leave is started again: same chains, books and tracker.

    Between two writes to files or chains a kill leaves the same behind, wherever it falls: such
    points are tried once (``make deep`` tries each by itself).
    """
    failures = [_ends_alike(image, stable) for image in stable.images]

    assert [failure for failure in failures if failure] == []


@pytest.mark.timeout(1800 if DEEP else 300)
def test_two_kills_in_a_row_change_nothing_either(tmp_path: Path, stable: Life) -> None:
    """The second one falls somewhere in what the first one's restart does."""
    dice = random.Random(4)
    failures = []
    for number in range(PAIRS):
        first = dice.choice(stable.images).again(tmp_path / f"{number}")
        place = dice.randrange(1, 200)
        second = Life(first.directory, first.chains, wanted=place.__eq__)
        second.live(first.at + RESTART_SECONDS)
        assert len(second.images) == 1
        failures += [_ends_alike(third, stable) for third in second.images]

    assert [failure for failure in failures if failure] == []
