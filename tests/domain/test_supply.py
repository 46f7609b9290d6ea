from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relayer.domain.address import ChainId
from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.ledger import Ledger
from relayer.domain.supply import (
    SKEW,
    Interval,
    Reserve,
    check_backing,
    check_counters,
    check_vault,
    issued,
    outstanding,
)
from relayer.domain.transfer import ChainFact, Deposit, Mode, TransferId
from tests.domain.samples import BNB, CHAINS, SOLANA, USER, delivery, deposit, refund, snapshot


@dataclass
class Books:
    """What is true of one chain at one height."""

    supply: int
    held: int
    facts: list[ChainFact] = field(default_factory=list)


class ThreeChains(RuleBasedStateMachine):
    """The bridge over three chains in one mode; every chain is read at any past height."""

    mode = Mode.BURN_MINT

    def __init__(self) -> None:
        super().__init__()
        seed = 500 * RAW_UNIT if self.mode is Mode.LOCK_RELEASE else 0
        self.inventory = seed
        self.past = {chain: [Books(supply=1_000 * RAW_UNIT + seed, held=seed)] for chain in CHAINS}
        self.open: list[Deposit] = []
        self.number = 0

    def _move(self, chain: ChainId, shares: int, fact: ChainFact) -> None:
        now = self.past[chain][-1]
        locked = self.mode is Mode.LOCK_RELEASE
        supply = now.supply if locked else now.supply + shares
        held = now.held - shares if locked else now.held
        self.past[chain].append(Books(supply, held, [*now.facts, fact]))

    @rule(source=st.sampled_from(CHAINS), hop=st.integers(1, 2), units=st.integers(1, 9))
    def deposits(self, source: ChainId, hop: int, units: int) -> None:
        self.number += 1
        destination = CHAINS[(CHAINS.index(source) + hop) % 3]
        made = deposit(
            id=TransferId(self.number.to_bytes(32, "big")),
            source=source,
            destination=destination,
            shares=Shares(units * RAW_UNIT),
        )
        self.open.append(made)
        self._move(source, -made.shares, made)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 10**6))
    def delivers(self, which: int) -> None:
        done = self.open.pop(which % len(self.open))
        self._move(done.destination or done.source, done.shares, delivery(done))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 10**6))
    def refunds(self, which: int) -> None:
        done = self.open.pop(which % len(self.open))
        self._move(done.source, done.shares, refund(done))

    def read(self, back: int) -> tuple[int, Ledger]:
        ledger, total = Ledger(), []
        for chain in CHAINS:
            books = self.past[chain][max(0, len(self.past[chain]) - 1 - back)]
            ledger.fold(chain, books.facts, len(books.facts), 10**6)
            shot = snapshot(
                chain=chain,
                mode=self.mode,
                supply=Interval.exactly(books.supply),
                held=Shares(books.held),
                inventory=Shares(self.inventory),
                counters=None,
            )
            counters = ledger.counters(chain, "TSLAx")
            assert check_vault(shot, counters) is None
            total.append(issued(shot, counters))
        found = outstanding(total)
        assert found.low == found.high
        return found.low, ledger

    @invariant()
    def outstanding_never_moves(self) -> None:
        expected = 3 * (1_000 * RAW_UNIT + self.inventory)
        for back in (0, 1, 3):
            assert self.read(back)[0] == expected

    @invariant()
    def honest_books_break_no_rule(self) -> None:
        assert self.read(0)[1].findings() == []

    @invariant()
    def in_flight_is_what_is_open(self) -> None:
        assert self.read(0)[1].in_flight("TSLAx") == sum(d.shares for d in self.open)


class ThreeLockedChains(ThreeChains):
    """The same with an inventory on each chain."""

    mode = Mode.LOCK_RELEASE


TestBurnMint = ThreeChains.TestCase
TestLockRelease = ThreeLockedChains.TestCase


def _reserve(stock: int) -> Reserve:
    return Reserve(asset="TSLAx", stock=stock, at=0, source="custodian")


@given(st.integers(1, 10**30), st.integers(10**15, 10**22))
def test_a_rounded_total_lies_in_its_interval(total: int, multiplier: int) -> None:
    """Whatever the multiplier, below 1 too, the true total of shares is inside."""
    interval = Interval.from_rounded(total * multiplier // WAD, multiplier)

    assert interval.low <= total <= interval.high


@given(st.integers(0, 10**27))
def test_one_unit_above_the_backing_is_found(stock: int) -> None:
    """A: exactly backed passes; one 1e-18 share more does not, and it latches."""
    exact = check_backing("TSLAx", Interval.exactly(stock), WAD, _reserve(stock))
    finding = check_backing("TSLAx", Interval.exactly(stock + 1), WAD, _reserve(stock))

    assert exact is None
    assert finding is not None
    assert (finding.rule, finding.latches) == ("A", True)


def test_backing_is_weighed_in_stock_not_in_shares() -> None:
    """After a 10:1 split ten times the stock is needed for the same shares."""
    total = Interval.exactly(5 * WAD)

    assert check_backing("TSLAx", total, 10 * WAD, _reserve(50 * WAD)) is None
    assert check_backing("TSLAx", total, 10 * WAD, _reserve(50 * WAD - 1)) is not None


def test_a_unit_stolen_from_the_vault_is_found() -> None:
    """C: one unit less than owed breaks the rule; a gift does not."""
    locked = snapshot(mode=Mode.LOCK_RELEASE, inventory=Shares(10), held=Shares(10))
    counters = Ledger().counters(BNB, "TSLAx")

    assert check_vault(locked, counters) is None
    assert check_vault(replace(locked, held=Shares(11)), counters) is None
    assert check_vault(replace(locked, held=Shares(9)), counters) is not None


def test_counters_that_differ_from_the_events_are_found() -> None:
    """B: what a gateway counts must be the sum of what it told."""
    ledger = Ledger()
    ledger.fold(BNB, [deposit()], 50, 2_000)

    assert check_counters(snapshot(), ledger.counters(BNB, "TSLAx")) is not None


def _ledger(*facts: tuple[ChainId, list[ChainFact], int]) -> Ledger:
    ledger = Ledger()
    for chain, told, time in facts:
        ledger.fold(chain, told, 100, time)
    return ledger


def test_a_forged_delivery_latches_once_its_source_was_read_past_it() -> None:
    """B alone catches a delivery that the quorum's own keys forged."""
    forged = delivery(deposit())

    early = _ledger((SOLANA, [forged], 1_010), (BNB, [], 1_005))
    late = _ledger((SOLANA, [forged], 1_010), (BNB, [], 1_011 + SKEW))

    assert [finding.latches for finding in early.findings()] == [False]
    assert [finding.latches for finding in late.findings()] == [True]


def test_a_destination_whose_clock_is_behind_does_not_halt_an_honest_delivery() -> None:
    """Its block says a time before the deposit's, and the source was read to just before that."""
    made = replace(deposit(), time=1_014)
    ledger = _ledger((SOLANA, [delivery(made)], 1_010), (BNB, [], 1_013))

    waiting = [finding.latches for finding in ledger.findings()]
    ledger.fold(BNB, [made], 120, 1_015)

    assert waiting == [False]
    assert ledger.findings() == []


def test_a_delivery_read_before_its_deposit_is_honest_once_the_deposit_is_read() -> None:
    """A lagging source withholds the lease for a moment and leaves no mark."""
    ledger = _ledger((SOLANA, [delivery(deposit())], 1_010), (BNB, [], 1_005))
    waited = ledger.unmatched

    ledger.fold(BNB, [deposit()], 120, 1_012)

    assert (waited, ledger.unmatched) == (True, False)
    assert ledger.findings() == []


def test_every_difference_between_deposit_and_delivery_is_found() -> None:
    """Asset, shares and recipient must be the deposit's."""
    for change in ({"asset": "NVDAx"}, {"shares": Shares(1)}, {"recipient": USER}):
        wrong = delivery(deposit(), **change)
        ledger = _ledger((BNB, [deposit()], 1_020), (SOLANA, [wrong], 1_020))
        assert [finding.rule for finding in ledger.findings()] == ["B"]


def test_a_deposit_is_consumed_once() -> None:
    """A second delivery, or a refund after a delivery, breaks the rule."""
    made = deposit()
    for second in (delivery(made, tx="again"), refund(made)):
        ledger = _ledger((BNB, [made], 1_030), (SOLANA, [delivery(made)], 1_030))
        assert ledger.findings() == []
        ledger.fold(second.chain, [second], 200, 1_040)
        assert ledger.findings()


def test_a_second_delivery_read_together_with_the_first_is_found() -> None:
    """Both may stand in one range, read before their deposit: no order hides the second."""
    made = deposit()
    both: list[ChainFact] = [delivery(made), delivery(made, tx="again")]

    found = _ledger((SOLANA, both, 1_030), (BNB, [made], 1_030)).findings()

    assert [(one.rule, one.latches) for one in found] == [("B", True)]


def test_a_gap_in_a_gateways_nonces_is_found() -> None:
    """A missing nonce is a deposit that nobody saw."""
    gateway = USER
    first = deposit(gateway=gateway, nonce=0)
    third = deposit(gateway=gateway, nonce=2, id=TransferId(b"\x08" * 32))

    assert _ledger((BNB, [first], 1_000)).findings() == []
    assert "nonce 2" in _ledger((BNB, [first, third], 1_000)).findings()[0].detail
