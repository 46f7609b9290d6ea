from __future__ import annotations

import pytest

from relayer.domain.command import Command, Verb
from relayer.domain.draft import Submission
from relayer.domain.facts import DepositSeen, RefundOrdered, Voided
from relayer.domain.keep import Keeper
from relayer.domain.records import INBOX, RefundDue, inbox
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, TransferId, lane_of
from relayer.services.relayer.book import Book
from relayer.services.relayer.outbox import Spread
from tests.domain.samples import BNB, ID, SOLANA, deposit, void
from tests.services.orders import a_command, signed_by

KEEPER = Keeper(b"secret")
NOW = 1_000.0


def _book(lanes: int = 3) -> Book:
    return Book(KEEPER, Spread(requests=2, transfers=2, lanes={BNB: lanes, SOLANA: 1}))


@pytest.mark.parametrize("first", range(1, 6))
def test_a_void_is_handed_to_the_lane_that_owns_the_id_on_its_source(first: int) -> None:
    """In the very commit that forgets the transfer, to one of three lanes, with its deposit."""
    book, made = _book(), deposit(id=TransferId(bytes([first]) * 32))
    book.fold([DepositSeen(deposit=made, at=NOW), Voided(void=void(made), at=NOW)])

    changes = book.changes()

    (out,) = [out for out in changes.outs if out.topic == inbox(BNB)]
    assert out.partition == lane_of(made.id, 3)
    assert INBOX.decode(out.value or b"") == RefundDue(deposit=made)
    assert changes.state == {f"transfer/{made.id.hex()}": None}
    assert book.transfers == {}


def test_a_void_of_a_source_that_nobody_serves_is_left_to_the_sweep() -> None:
    """Without a lane there, nothing is sent into nowhere."""
    book = Book(KEEPER, Spread(requests=2, transfers=2, lanes={SOLANA: 1}))
    book.fold([DepositSeen(deposit=deposit(), at=NOW), Voided(void=void(deposit()), at=NOW)])

    assert [out for out in book.changes().outs if out.topic.startswith("bridge.inbox")] == []


async def test_an_order_goes_with_the_transfer_into_its_state() -> None:
    """What attesters want to see survives a restart."""
    book, order = _book(), await signed_by(a_command(deposit()))
    book.restore({}, "here")
    book.fold([DepositSeen(deposit=deposit(), at=NOW), RefundOrdered(id=ID, order=order, at=NOW)])
    kept = {key: value for key, value in book.changes().state.items() if value is not None}

    again = _book()
    again.restore(kept, "here")

    assert again.transfers[ID].order == order
    assert again.transfers[ID].act is ActKind.VOID


def test_a_taken_command_is_known_until_it_expires_also_after_a_restart() -> None:
    """Kept under a MAC with the rest of the state; forgotten when replays are refused as expired."""
    book, one, two = _book(), _command(b"\1", 1_060), _command(b"\2", 2_000)
    book.restore({}, "here")
    assert not book.took(one)
    book.take(one, NOW)
    kept = {key: value for key, value in book.changes().state.items() if value is not None}

    again = _book()
    again.restore(kept, "here")
    assert again.took(one)
    again.take(two, 1_061)

    assert again.changes().state[f"command/{one.command.hex()}"] is None
    assert again.took(two)
    assert not again.took(one)


def test_a_sealed_delivery_that_is_no_longer_wanted_is_thrown_away() -> None:
    """A refund was ordered while it was being signed: it is not broadcast."""
    book = _book()
    book.fold([DepositSeen(deposit=deposit(), at=NOW)])
    sealed = Submission(tx="tx", chain=SOLANA, ids=(ID,), raw=b"", made_at=NOW)
    ready = Transfer(deposit=deposit(), stage=Stage.READY, since=NOW, seen_at=NOW)

    assert not book.wants(sealed)
    book.transfers[ID] = ready
    assert book.wants(sealed)


def _command(name: bytes, expires_at: int) -> Command:
    return Command(
        command=name * 32,
        verb=Verb.PARK,
        transfer=ID,
        chain=SOLANA,
        reason="",
        issued_at=1_000,
        expires_at=expires_at,
    )
