"""Bindings that are asked for together reach the disk together, each with its own verdict."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from relayer.domain.errors import DraftRefused
from relayer.services.attester.binder import Binder
from relayer.services.attester.journal import Binding, Journal


class Counted(Journal):
    """A journal that remembers how much each write held."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        super().__init__(path, "one", 0.0)
        self.writes: list[int] = []

    def bind(
        self, bindings: Sequence[Binding], *, voided: bool = False
    ) -> list[DraftRefused | None]:
        """Bind and count."""
        self.writes.append(len(bindings))
        return super().bind(bindings, voided=voided)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Counted]:
    """A journal."""
    with closing(Counted(tmp_path / "journal.db")) as one:
        yield one


def binding(number: int, kind: str = "deliver", digest: int = 1) -> Binding:
    """A binding of an id."""
    return number.to_bytes(32, "big"), "eip155:56", kind, bytes([digest]) * 32


async def verdicts(binder: Binder, *asked: tuple[Binding, bool]) -> list[type | None]:
    """What became of bindings that were asked for in one turn."""

    async def verdict(one: Binding, voided: bool) -> type | None:  # noqa: FBT001 - a pair's half
        try:
            await binder.bind(one, voided=voided)
        except (DraftRefused, sqlite3.Error) as error:
            return type(error)
        return None

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(verdict(*one)) for one in asked]
    return [task.result() for task in tasks]


async def test_bindings_of_one_turn_are_one_write(journal: Counted) -> None:
    """Fifty signatures wait for the disk once."""
    binder = Binder(journal)

    told = await verdicts(binder, *((binding(n), False) for n in range(50)))

    assert told == [None] * 50
    assert journal.writes == [50]


async def test_each_hears_its_own_verdict(journal: Counted) -> None:
    """One id's conflict refuses that one alone, and what was refused is not bound."""
    binder = Binder(journal)
    await binder.bind(binding(1), voided=False)

    told = await verdicts(
        binder, (binding(1, digest=2), False), (binding(2), False), (binding(1), False)
    )

    assert told == [DraftRefused, None, None]


async def test_a_void_that_was_read_speaks_for_its_own_id_only(journal: Counted) -> None:
    """A refund may follow where the void is final, not where another's is."""
    binder = Binder(journal)
    await verdicts(binder, (binding(1, "void"), False), (binding(2, "void"), False))

    told = await verdicts(binder, (binding(1, "refund"), False), (binding(2, "refund"), True))

    assert told == [DraftRefused, None]


async def test_a_journal_that_fails_tells_all_who_wait(journal: Counted) -> None:
    """Nobody signs, and nobody waits for ever, when the file cannot be written."""
    binder = Binder(journal)
    journal.close()

    told = await verdicts(binder, (binding(1), False), (binding(2), False))

    assert told == [sqlite3.ProgrammingError] * 2


async def test_who_gives_up_is_bound_all_the_same(journal: Counted) -> None:
    """A cancelled question does not disturb the others of its write."""
    binder = Binder(journal)
    gone = asyncio.create_task(binder.bind(binding(1), voided=False))
    await asyncio.sleep(0)
    gone.cancel()

    await binder.bind(binding(2), voided=False)

    assert journal.writes == [2]


async def test_who_gives_up_keeps_no_failure_from_the_others(journal: Counted) -> None:
    """When the file fails, those that still wait hear of it, whoever has left before them."""
    binder = Binder(journal)
    gone = asyncio.create_task(binder.bind(binding(1), voided=False))
    await asyncio.sleep(0)
    gone.cancel()
    journal.close()

    assert await verdicts(binder, (binding(2), False)) == [sqlite3.ProgrammingError]
