"""The gateway's answers to reads, against answers that eth_abi encodes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from eth_abi.abi import decode, encode

from relayer.chains.gateway.reads import (
    GatewayNow,
    read_now,
    read_receipts,
    read_refunds,
    read_snapshots,
    receipts_call,
    refunds_call,
    snapshot_call,
)
from relayer.chains.gateway.revert import revert_text
from relayer.chains.gateway.words import selector
from relayer.domain.address import word_of
from relayer.domain.amount import WAD
from relayer.domain.errors import Unavailable
from relayer.domain.supply import Counters, Interval
from relayer.domain.transfer import Mode, Receipt, ReceiptKind, TransferId
from tests.chains.gateway_samples import AAPLX, PLACE, TSLAX

HEAD = ["uint64", "uint64", "uint64", "uint8"]
BOOK = "(address,uint8,uint256,uint256,uint256,int256,uint256,uint256,uint256,bool)"
IDS = [TransferId(bytes([number]) * 32) for number in range(1, 4)]


def answer(books: Sequence[tuple[object, ...]], *, paused: int = 0) -> bytes:
    """The answer to a snapshot."""
    return encode([*HEAD, f"{BOOK}[]"], [77, 1_700_000_000, 4, paused, books])


def book(address: bytes, mode: int = 1, multiplier: int = WAD) -> tuple[object, ...]:
    """The books of one token."""
    return (address, mode, 90 * WAD, multiplier, 5, -6, 7, 8, 9, False)


def test_refunds_are_asked_and_read() -> None:
    """Two arrays come back, and the second one says who was refunded; anything else is no answer."""
    call = refunds_call(IDS)
    assert call[:4] == selector("deposits(bytes32[])")
    assert call[4:] == receipts_call(IDS)[4:]
    types, given = ["bytes32[]", "bool[]"], [n == 1 for n in range(len(IDS))]
    digests = [bytes(32)] * len(IDS)
    assert read_refunds(IDS, encode(types, [digests, given])) == {IDS[1]}
    assert read_refunds([], encode(types, [[], []])) == frozenset()
    for wrong in (
        b"",
        encode(types, [digests[1:], given[1:]]),
        encode(types, [digests, given[1:]]),
    ):
        with pytest.raises(Unavailable):
            read_refunds(IDS, wrong)
    shifted = (
        encode(types, [digests, given])[:32] + bytes(32) + encode(types, [digests, given])[64:]
    )
    with pytest.raises(Unavailable):
        read_refunds(IDS, shifted)


def test_receipts_are_asked_and_read() -> None:
    """Open ids have none, 1 is a void, all else is a content digest."""
    call = receipts_call(IDS)
    assert call[:4] == selector("receipts(bytes32[])")
    assert decode(["bytes32[]"], call[4:], strict=True) == (tuple(IDS),)
    marks = [bytes(32), bytes(31) + b"\1", b"\x09" * 32]
    found = read_receipts(IDS, encode(["bytes32[]"], [marks]))
    assert found == {
        IDS[1]: Receipt(kind=ReceiptKind.VOIDED),
        IDS[2]: Receipt(kind=ReceiptKind.DELIVERED, digest=b"\x09" * 32),
    }


@pytest.mark.parametrize("marks", [0, 2, 4])
def test_an_answer_for_other_ids_is_nonsense(marks: int) -> None:
    """Absence is believed only in an answer of the right length."""
    with pytest.raises(Unavailable):
        read_receipts(IDS, encode(["bytes32[]"], [[bytes(32)] * marks]))
    with pytest.raises(Unavailable):
        read_receipts(IDS, b"")


def test_books_are_asked_and_read() -> None:
    """All words of the struct stand in the snapshot, inventory with its sign."""
    call = snapshot_call(PLACE.tokens)
    tokens = tuple("0x" + word_of(place.token).hex() for place in PLACE.tokens)
    assert decode(["address[]"], call[4:], strict=True) == (tokens,)
    books = [book(word_of(TSLAX.token)), book(word_of(AAPLX.token), mode=2)]
    one, two = read_snapshots(PLACE, answer(books))
    assert (one.asset, one.mode, two.asset, two.mode) == (
        *("TSLAx", Mode.BURN_MINT),
        *("AAPLx", Mode.LOCK_RELEASE),
    )
    assert (one.height, one.time, one.held, one.inventory) == (77, 1_700_000_000, 5, -6)
    assert one.supply == Interval.exactly(90 * WAD)
    assert one.counters == Counters(deposited=7, delivered=8, refunded=9)  # type: ignore[arg-type]  # integers stand for shares
    assert (one.multiplier, one.paused) == (WAD, False)


def test_a_rounded_supply_is_an_interval() -> None:
    """With a multiplier, the total of shares is only known between two bounds."""
    books = [book(word_of(TSLAX.token), multiplier=3 * WAD), book(word_of(AAPLX.token), mode=2)]
    one, _ = read_snapshots(PLACE, answer(books))
    assert one.supply == Interval(low=30 * WAD, high=30 * WAD)  # type: ignore[arg-type]  # integers stand for shares
    below = [book(word_of(TSLAX.token), multiplier=WAD // 2), book(word_of(AAPLX.token), mode=2)]
    one, _ = read_snapshots(PLACE, answer(below))
    assert one.supply == Interval(low=180 * WAD, high=180 * WAD + 1)  # type: ignore[arg-type]  # the same


@pytest.mark.parametrize(("flags", "paused"), [(1, False), (2, True), (4, False), (7, True)])
def test_paused_deliveries_are_told(flags: int, *, paused: bool) -> None:
    """A gateway that delivers nothing counts as paused, one that only takes nothing does not."""
    books = [book(word_of(TSLAX.token)), book(word_of(AAPLX.token), mode=2)]
    assert {one.paused for one in read_snapshots(PLACE, answer(books, paused=flags))} == {paused}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"", id="no contract"),
        pytest.param(answer([]), id="no books"),
        pytest.param(answer([book(word_of(TSLAX.token))]), id="one book too few"),
        pytest.param(answer([book(b"\x66" * 20)] * 2), id="other tokens"),
        pytest.param(answer([book(word_of(TSLAX.token), mode=0)] * 2), id="unlisted"),
        pytest.param(answer([book(word_of(TSLAX.token), multiplier=0)] * 2), id="no multiplier"),
    ],
)
def test_other_books_are_nonsense(wrong: bytes) -> None:
    """A snapshot is read whole or not at all."""
    with pytest.raises(Unavailable):
        read_snapshots(PLACE, wrong)


def test_the_clock_of_a_gateway_is_read_without_tokens() -> None:
    """Height, time, epoch and flags come in one call."""
    now = read_now(answer([], paused=2))
    assert now == GatewayNow(height=77, time=1_700_000_000, epoch=4, paused=2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "reverted without a reason"),
        (selector("Skip(uint8)") + encode(["uint8"], [15]), "InventoryShort"),
        (selector("Paused(uint8)") + encode(["uint8"], [2]), "Paused(2)"),
        (selector("OnlySelf()"), "OnlySelf()"),
        (
            selector("Error(string)") + encode(["string"], ["BackedToken: Only minter"]),
            "BackedToken: Only minter",
        ),
        (selector("Panic(uint256)") + encode(["uint256"], [17]), "Panic(0x11)"),
        (b"\x01\x02\x03\x04\x05", "reverted with 0x0102030405"),
    ],
)
def test_revert_data_has_words(data: bytes, words: str) -> None:
    """What a contract said is readable."""
    assert revert_text(data) == words
