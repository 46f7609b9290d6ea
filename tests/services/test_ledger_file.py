"""A monitor's file: what was folded is there after a start, or is read anew, never half of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import Fatal
from relayer.domain.keep import Keeper
from relayer.domain.ledger import Ledger
from relayer.domain.transfer import ChainFact, Deposit, TransferId
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.monitor.ledger_file import LedgerFile
from tests.domain.samples import BNB, SOLANA, delivery, deposit, refund
from tests.services.bridge import Bridge, topics

KEEPER = Keeper(b"monitor")
SUBJECT = "what is read"


@contextmanager
def opened(
    directory: Path, keeper: Keeper = KEEPER, subject: str = SUBJECT
) -> Iterator[LedgerFile]:
    """The file of one start."""
    with closing(LedgerFile(directory / "monitor.db", keeper, subject)) as file:
        yield file


def made(number: int, **changes: object) -> Deposit:
    """A deposit with a number."""
    return replace(deposit(id=TransferId(number.to_bytes(32, "big"))), **changes)  # type: ignore[arg-type]


def some_books() -> Ledger:
    """Three deposits: delivered, refunded, open; and a delivery that has none."""
    ledger = Ledger()
    deposits = [made(n + 1, gateway=b"\1" * 32, nonce=n) for n in range(3)]
    ledger.fold(BNB, [*deposits, refund(deposits[1])], 20, 2_000)
    ledger.fold(SOLANA, [delivery(deposits[0]), delivery(made(9))], 30, 900)
    ledger.findings()
    return ledger


def test_a_ledger_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    """Heights, counters, open deposits, consumed ids and what is unmatched are all there."""
    ledger = some_books()
    with opened(tmp_path) as file:
        assert file.load() is None
        file.save(ledger)

    with opened(tmp_path) as file:
        again = file.load()

    assert again == replace_touched(ledger)


def replace_touched(ledger: Ledger) -> Ledger:
    """The ledger with nothing left to save."""
    ledger.changes()
    return ledger


def test_a_loaded_ledger_still_finds_what_is_broken(tmp_path: Path) -> None:
    """A second delivery of what was consumed before the start is found, and so is a forged one."""
    with opened(tmp_path) as file:
        file.save(some_books())
    with opened(tmp_path) as file:
        again = file.load()

    assert again is not None
    again.fold(SOLANA, [delivery(made(1), tx="again")], 40, 1_020)
    again.fold(BNB, [], 30, 2_010)
    found = {finding.detail for finding in again.findings()}

    assert any("consumes a deposit again" in detail for detail in found)
    assert any("has no deposit" in detail for detail in found)


def test_a_loaded_ledger_knows_which_nonce_is_next(tmp_path: Path) -> None:
    """The one that follows is no gap after a start; one further on is a deposit that nobody saw."""
    with opened(tmp_path) as file:
        file.save(some_books())
    for nonce, gap in ((3, False), (4, True)):
        with opened(tmp_path) as file:
            again = file.load()
        assert again is not None
        again.fold(BNB, [made(4, gateway=b"\1" * 32, nonce=nonce)], 30, 1_500)
        assert any("unseen" in finding.detail for finding in again.findings()) is gap


def test_a_finding_survives_a_start(tmp_path: Path) -> None:
    """What was broken stays broken, though its history is not read again."""
    ledger = Ledger()
    wrong = delivery(made(1), shares=Shares(7))
    ledger.fold(BNB, [made(1)], 20, 2_000)
    ledger.fold(SOLANA, [wrong], 30, 2_000)
    expected = ledger.findings()
    with opened(tmp_path) as file:
        file.save(ledger)

    with opened(tmp_path) as file:
        again = file.load()

    assert expected
    assert again is not None
    assert again.findings() == expected


@given(
    acts=st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["deposit", "deliver", "save"]))),
)
def test_saving_in_parts_is_saving_at_once(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[int, str]]
) -> None:
    """However facts and saves are mixed, the file holds the ledger of the last save."""
    ledger, saved, height = Ledger(), None, 0
    directory = tmp_path_factory.mktemp("ledger")
    with opened(directory) as file:
        for number, act in [*acts, (0, "save")]:
            height += 1
            fact: ChainFact = made(number)
            if act == "save":
                file.save(ledger)
                saved = (ledger.sums(), set(ledger._open), set(ledger._consumed))
            elif act == "deposit":
                ledger.fold(BNB, [fact], height, height)
            else:
                ledger.fold(SOLANA, [delivery(made(number))], height, height)
                ledger.findings()

    with opened(directory) as file:
        again = file.load()

    assert again is not None
    assert saved == (again.sums(), set(again._open), set(again._consumed))


def _changed(directory: Path, statement: str) -> None:
    with closing(sqlite3.connect(directory / "monitor.db", isolation_level=None)) as db:
        assert db.execute(statement).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "delete from consumed where id = (select min(id) from consumed)",
        "insert into consumed values(zeroblob(32))",
        "delete from opened",
        "update opened set deposit = cast(deposit || x'20' as blob)",
        "update sums set value = zeroblob(40)",
        "delete from sums",
    ],
)
def test_a_file_that_does_not_fit_together_is_left_aside(tmp_path: Path, statement: str) -> None:
    """A missing id, a surplus one, a changed deposit or forged sums: all chains are read anew."""
    with opened(tmp_path) as file:
        file.save(some_books())
    _changed(tmp_path, statement)

    with opened(tmp_path) as file:
        assert file.load() is None
        file.save(some_books())
    with opened(tmp_path) as file:
        assert file.load() is not None


@pytest.mark.parametrize(
    ("keeper", "subject"), [(Keeper(b"other"), SUBJECT), (KEEPER, "another gateway")]
)
def test_a_ledger_of_another_history_is_not_taken(
    tmp_path: Path, keeper: Keeper, subject: str
) -> None:
    """A file of other settings, or sealed by somebody else, begins empty."""
    with opened(tmp_path) as file:
        file.save(some_books())

    with opened(tmp_path, keeper, subject) as file:
        assert file.load() is None
    with opened(tmp_path) as file:
        assert file.load() is None


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 400, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """Nothing but the time to read the chains is lost with it."""
    (tmp_path / "monitor.db").write_bytes(content)

    with opened(tmp_path) as file:
        assert file.load() is None
        file.save(some_books())
    with opened(tmp_path) as file:
        assert file.load() is not None


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A directory that does not exist is said, with what to do."""
    with pytest.raises(Fatal, match="delete it; the monitor then reads all chains anew"):
        LedgerFile(tmp_path / "absent" / "monitor.db", KEEPER, SUBJECT)


async def _round(bridge: Bridge) -> dict[ChainId, list[tuple[int, int]]]:
    """The ranges that a monitor which has just started reads in its first round."""
    readers = bridge.readers()
    async with SqliteBus(bridge.directory / "bus.db", topics()) as bus:
        gatekeeper = Gatekeeper(bus, bridge.policy, bridge.observer)
        with closing(bridge.kept()) as kept:
            await bridge.monitor(bus, gatekeeper, readers, kept).round()
    return {chain: reader.asked for chain, reader in readers.items()}


async def test_a_monitor_that_starts_again_reads_only_what_is_new(tmp_path: Path) -> None:
    """The history before the last round is read once in a monitor's life, not at every start."""
    bridge = Bridge(tmp_path)
    bnb = bridge.chains[BNB]
    for number in range(3):
        bnb.deposit(made(number))

    first = await _round(bridge)
    bnb.deposit(made(3))
    second = await _round(bridge)

    assert first[BNB] == [(1, 3)]
    assert second[BNB] == [(4, 4)]
