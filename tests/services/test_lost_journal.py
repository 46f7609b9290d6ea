"""An attester whose journal is gone signs nothing that a lost one may have ruled out."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from relayer.domain.transfer import Receipt, ReceiptKind
from relayer.services.attester.journal import Journal
from tests.domain.samples import BNB, SOLANA
from tests.services.bridge import Bridge, until
from tests.services.orders import a_deposit


def _lose_journals(directory: Path) -> None:
    for file in directory.glob("journal-*"):
        file.unlink()


async def test_an_attester_with_a_new_journal_waits_and_then_goes_on(tmp_path: Path) -> None:
    """As long as a signature of its lost one could land: the transfer waits, and is delivered."""
    bridge = Bridge(tmp_path)
    async with bridge.running():
        first = bridge.chains[BNB].deposit(a_deposit(1))
        await until(lambda: bridge.chains[SOLANA].executed == [first.id])
    _lose_journals(tmp_path)

    bridge.quarantine = 2.0
    async with bridge.running():
        made = bridge.chains[BNB].deposit(a_deposit(2))
        await until(lambda: "journal is new" in str(bridge.observer.declines))
        await asyncio.sleep(0.5)
        assert bridge.chains[SOLANA].executed == [first.id]
        await until(lambda: bridge.chains[SOLANA].executed == [first.id, made.id])


async def test_what_landed_elsewhere_before_the_journal_was_made_is_not_signed(
    tmp_path: Path,
) -> None:
    """Read by another parser, the id went to another chain; its receipt there is the memory."""
    bridge = Bridge(tmp_path)
    made = bridge.chains[BNB].deposit(a_deposit(1))
    bridge.chains[BNB].done[made.id] = Receipt(kind=ReceiptKind.DELIVERED, digest=b"\1" * 32)
    async with bridge.running():
        await until(lambda: "not its destination" in str(bridge.observer.declines))

    assert bridge.chains[SOLANA].executed == []


def test_a_journal_remembers_when_it_was_born(tmp_path: Path) -> None:
    """Starting again makes it no younger and no older."""
    Journal(tmp_path / "j.db", "one", 1_000.0).close()
    with closing(Journal(tmp_path / "j.db", "one", 2_000.0)) as journal:
        assert journal.born == 1_000.0


def test_a_journal_of_a_former_release_is_an_old_one(tmp_path: Path) -> None:
    """It did not say when it was made, and need not wait."""
    Journal(tmp_path / "j.db", "one", 1_000.0).close()
    with closing(sqlite3.connect(tmp_path / "j.db")) as file:
        file.execute("drop table born")

    with closing(Journal(tmp_path / "j.db", "one", 2_000.0)) as journal:
        assert journal.born == 0.0
