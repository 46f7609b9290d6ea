"""What a Sweep may open again, and how much of a burst is drafted at once."""

from __future__ import annotations

from relayer.domain.draft import Attestation, Draft
from relayer.domain.facts import (
    Accepted,
    Attested,
    DepositSeen,
    DepositVerified,
    Drafted,
    Due,
)
from relayer.domain.keep import Keeper
from relayer.domain.transfer import ActKind, Deposit, Receipt, ReceiptKind, TransferId
from relayer.services.relayer.book import UNSIGNED, Book
from relayer.services.relayer.outbox import Spread
from tests.domain.samples import BNB, ID, SOLANA, deposit


def test_what_was_closed_while_a_sweep_looked_is_not_opened_again() -> None:
    """A Sweep that saw a deposit open does not take it up after its delivery; a later one may."""
    book = Book(Keeper(b"secret"), Spread(requests=1, transfers=1, lanes={BNB: 1, SOLANA: 1}))
    assert book.lacks(ID)

    book.fold([DepositSeen(deposit=deposit(), at=1.0)])
    known = book.lacks(ID)
    delivered = Receipt(kind=ReceiptKind.DELIVERED)
    book.fold([DepositVerified(deposit=deposit(), receipt=delivered, at=2.0)])
    closed = ID not in book.transfers
    while_it_looks = book.lacks(ID)
    book.forgotten.clear()

    assert (known, closed, while_it_looks, book.lacks(ID)) == (False, True, False, True)


def drafted(of: Deposit) -> Drafted:
    """The draft of a deposit's delivery."""
    made = Draft(
        kind=ActKind.DELIVER, id=of.id, chain=SOLANA, terms={}, digest=bytes(32), dies_at=60
    )
    return Drafted(id=of.id, draft=made, until=5.0, at=1.0)


def test_a_burst_asks_for_so_many_signatures_at_once() -> None:
    """Of 100 accepted deposits 64 are drafted; each that has its quorum or gives up lets one in."""
    book = Book(Keeper(b"secret"), Spread(requests=1, transfers=1, lanes={BNB: 1, SOLANA: 1}))
    made = [deposit(id=TransferId(number.to_bytes(32, "big"))) for number in range(100)]
    for one in made:
        book.fold([DepositSeen(deposit=one, at=1.0)])
        book.fold([DepositVerified(deposit=one, receipt=None, at=1.0)])
        book.fold([Accepted(id=one.id, at=1.0)])

    first = [transfer.deposit for transfer in book.work().draft]
    book.fold([drafted(one) for one in first])
    none = book.work().draft
    book.fold([Due(id=made[0].id, at=6.0)])
    attestation = Attestation(
        id=made[1].id, digest=bytes(32), attester=b"\x01" * 20, signature=b"\x02" * 65
    )
    book.fold([Attested(attestation=attestation, needed=1, at=2.0)])
    then = [transfer.deposit for transfer in book.work().draft]

    assert first == made[:UNSIGNED]
    assert none == []
    assert then == made[UNSIGNED : UNSIGNED + 2]
