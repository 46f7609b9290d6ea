from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.ledger import Ledger
from relayer.domain.multiplier import MultiplierHistory, agree, distinct
from relayer.domain.reasons import Reason
from relayer.domain.supply import Counters, Interval, Reserve, issued
from relayer.domain.verdict import Reading, SupplyPolicy, weigh
from tests.domain.samples import BNB, CHAINS, snapshot

MULTIPLIERS = st.integers(WAD // 1_000, 1_000 * WAD)
AMOUNTS = st.integers(1, 10**9).map(lambda raw: raw * RAW_UNIT)
ISSUED = 3 * 1_000 * WAD
GRACE = 900
POLICY = SupplyPolicy(
    chains=CHAINS, reserve_age=3_600, multiplier_grace=GRACE, elsewhere={}, excluded={}, issued={}
)


@given(total=st.integers(0, 10**30), multiplier=MULTIPLIERS)
def test_a_rounded_supply_is_an_interval_that_holds_the_shares_and_no_more(
    total: int, multiplier: int
) -> None:
    """Both ends round to the supply that was told, and one unit further does not."""
    told = total * multiplier // WAD
    found = Interval.from_rounded(told, multiplier)

    assert found.low <= total <= found.high
    assert found.low * multiplier // WAD == found.high * multiplier // WAD == told
    assert (found.high + 1) * multiplier // WAD > told
    assert found.low == 0 or (found.low - 1) * multiplier // WAD < told


@dataclass
class RebasingToken:
    """A burn-mint token and its gateway as the contracts round: by balance units, at execution."""

    total: int = 1_000 * WAD
    held: int = 0
    deposited: int = 0
    delivered: int = 0

    def deliver(self, shares: int, multiplier: int) -> None:
        made = -(-shares * multiplier // WAD) * WAD // multiplier
        self.total, self.held = self.total + made, self.held + made - shares
        self.delivered += shares

    def deposit(self, shares: int, multiplier: int) -> None:
        exact = shares * multiplier
        burnt = (exact // WAD if multiplier < WAD else -(-exact // WAD)) * WAD // multiplier
        self.total, self.held = self.total - burnt, self.held + shares - burnt
        self.deposited += shares

    def k(self, multiplier: int) -> Interval:
        counters = Counters(deposited=Shares(self.deposited), delivered=Shares(self.delivered))
        rounded = Interval.from_rounded(self.total * multiplier // WAD, multiplier)
        shot = snapshot(supply=rounded, held=Shares(self.held), multiplier=multiplier)
        return issued(shot, counters)


@given(st.lists(st.tuples(st.booleans(), AMOUNTS, MULTIPLIERS), max_size=20), MULTIPLIERS)
def test_traffic_never_moves_k_whatever_the_multipliers(
    moves: list[tuple[bool, int, int]], last: int
) -> None:
    """Each act at a multiplier of its own: K's interval holds what was issued, to the last unit."""
    token = RebasingToken()
    for inward, shares, multiplier in moves:
        (token.deliver if inward else token.deposit)(shares, multiplier)
        k = token.k(multiplier)
        assert k.low <= 1_000 * WAD <= k.high
        assert token.held >= 0

    k = token.k(last)
    assert k.low <= 1_000 * WAD <= k.high
    assert k.high - k.low <= WAD // last + 1


def test_multipliers_that_differ_by_a_float_agree() -> None:
    """Solana keeps a double: its last bits are no corporate action, and are counted once."""
    issuers, doubles = 1_003_269_012_539_818_765, 1_003_269_012_539_818_700

    assert agree({issuers, doubles})
    assert distinct({issuers, doubles, 10 * WAD}) == {doubles, 10 * WAD}


@pytest.mark.parametrize(
    ("stated_at", "meant"),
    [(50, {WAD, 2 * WAD}), (150, {WAD, 2 * WAD}), (1_001, {WAD, 2 * WAD}), (1_002, {2 * WAD})],
)
def test_a_statement_is_meant_for_a_multiplier_that_was_in_force(
    stated_at: int, meant: set[int]
) -> None:
    """An old statement may mean the old one; a grace after it was last seen that is over."""
    history = MultiplierHistory()
    for at in range(100, 103):
        history.fold({WAD}, at)
    history.fold({2 * WAD}, 103)

    assert history.meant(stated_at, GRACE) == meant


@dataclass
class Action:
    """A corporate action: each chain activates at its moment, the custodian states at another."""

    old: int
    new: int
    activations: tuple[int, ...]
    stated: int
    unbacked: int = 0
    names: bool = False

    def reading(self, at: int, history: MultiplierHistory) -> Reading:
        multipliers = [self.new if at >= one else self.old for one in self.activations]
        late = at >= self.stated
        meant = self.new if late else self.old
        reserve = Reserve(
            asset="TSLAx",
            stock=-(-ISSUED * meant // WAD),
            at=max(at - 5, self.stated) if late else min(at - 5, self.stated - 1),
            source="custodian",
            multiplier=meant if self.names else None,
        )
        history.fold(set(multipliers), at)
        shots = tuple(
            snapshot(
                chain=chain,
                multiplier=multiplier,
                supply=Interval.exactly(
                    1_000 * WAD + (self.unbacked if chain == BNB else 0),
                ),
            )
            for chain, multiplier in zip(CHAINS, multipliers, strict=True)
        )
        return Reading(
            asset="TSLAx",
            at=at,
            monitor="m",
            snapshots=shots,
            reserve=reserve,
            recent=history.meant(reserve.at, GRACE),
        )


ACTIVATIONS = st.tuples(*(st.integers(1_000, 1_200),) * 3)
UP_OR_DOWN = st.sampled_from(
    [(WAD, 10 * WAD), (10 * WAD, WAD), (WAD, WAD // 2), (WAD, 1_003 * WAD // 1_000)]
)


@given(change=UP_OR_DOWN, activations=ACTIVATIONS, late=st.integers(0, GRACE - 250))
def test_a_corporate_action_never_halts_an_honest_asset(
    change: tuple[int, int], activations: tuple[int, ...], late: int
) -> None:
    """Whoever is first and last, nothing latches; while chains differ the asset is held by name."""
    action = Action(*change, activations, stated=max(activations) + late)
    history = MultiplierHistory()
    for at in range(900, 3_600, 20):
        verdict = weigh(action.reading(at, history), Ledger(), POLICY)
        assert verdict.findings == ()
        if min(activations) <= at < max(activations):
            assert verdict.withheld is Reason.MULTIPLIER_DIFFERS
        else:
            assert verdict.withheld in {None, Reason.NO_LEASE}
        if at < min(activations) or at > action.stated + GRACE + 300:
            assert verdict.withheld is None


@given(
    change=UP_OR_DOWN,
    activations=ACTIVATIONS,
    late=st.integers(0, GRACE - 250),
    unbacked=st.integers(10**6, 100 * WAD),
)
def test_a_corporate_action_hides_no_unbacked_share(
    change: tuple[int, int], activations: tuple[int, ...], late: int, unbacked: int
) -> None:
    """Shares out of nothing never get a lease in the window, and are a finding at its end."""
    action = Action(*change, activations, stated=max(activations) + late, unbacked=unbacked)
    history = MultiplierHistory()
    verdicts = [
        weigh(action.reading(at, history), Ledger(), POLICY) for at in range(900, 3_600, 20)
    ]

    assert all(verdict.withheld is not None for verdict in verdicts)
    assert [one.rule for one in verdicts[-1].findings] == ["A"]


@given(
    change=UP_OR_DOWN,
    activations=ACTIVATIONS,
    early=st.integers(-500, 900),
    unbacked=st.sampled_from([0, 10**6]),
)
def test_a_statement_that_names_its_multiplier_is_weighed_exactly_at_any_time(
    change: tuple[int, int], activations: tuple[int, ...], early: int, unbacked: int
) -> None:
    """Long before or after the activation: no false halt, and no unbacked share passes."""
    action = Action(*change, activations, stated=1_000 + early, unbacked=unbacked, names=True)
    history = MultiplierHistory()
    for at in range(900, 3_600, 50):
        verdict = weigh(action.reading(at, history), Ledger(), POLICY)
        assert bool(verdict.findings) == bool(unbacked)
        agreed = len({s.multiplier for s in verdict.snapshots}) == 1
        assert (verdict.withheld is None) == (agreed and not unbacked)


def test_a_double_above_the_issuers_text_is_no_shortage() -> None:
    """A reserve stated to the last unit passes although Solana's double is a little larger."""
    issuers, doubles = 1_003_269_012_539_818_700, 1_003_269_012_539_818_765
    history = MultiplierHistory()
    reading = Action(issuers, issuers, (0, 0, 0), stated=10**6).reading(2_000, history)
    first, *others = reading.snapshots
    history.fold({doubles}, 2_000)
    mixed = replace(
        reading,
        snapshots=(replace(first, multiplier=doubles), *others),
        recent=history.meant(0, GRACE),
    )

    verdict = weigh(mixed, Ledger(), POLICY)

    assert (verdict.findings, verdict.withheld) == ((), None)
