from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.draft import PENDING, Landing, LandingKind, Landings, Submission
from relayer.domain.facts import Landed, Unlanded
from relayer.domain.submission import (
    CLOCK_SLACK,
    LEAST_RISE,
    Bids,
    Move,
    Patience,
    Race,
    Standing,
    concluded,
    dearer,
    gap,
    next_move,
    races_of,
)
from relayer.domain.transfer import TransferId
from tests.domain.samples import BNB

PATIENCE = Patience(resend=4.0, outbid=9.0)
TRANSFER, OTHER = TransferId(b"\1" * 32), TransferId(b"\2" * 32)
PRICES = st.integers(0, 10**13)
BIDS = st.builds(
    Bids,
    offer=st.integers(100, 300),
    step=st.integers(100, 300),
    most=st.integers(100, 1_000),
    cap=PRICES,
)
SECONDS = st.floats(0, 100)


def submission(
    tx: str = "a", *, nonce: int | None = 7, price: int = 10, late: int = 0, empty: bool = False
) -> Submission:
    """A submission of one transfer, made at second 0."""
    return Submission(
        tx=tx,
        chain=BNB,
        ids=() if empty else (TRANSFER,),
        raw=tx.encode(),
        nonce=nonce,
        price=price,
        useful_until=late,
        made_at=0.0,
    )


def races(nonces: st.SearchStrategy[int | None]) -> st.SearchStrategy[Race]:
    made = st.builds(
        submission,
        nonce=nonces,
        price=st.integers(1, 100),
        late=st.integers(0, 100),
        empty=st.booleans(),
    )
    return st.builds(
        Race,
        submissions=made.map(lambda one: (one,)),
        sent_at=SECONDS,
        tried_at=SECONDS,
        refused=st.booleans(),
    )


STANDINGS = st.builds(
    Standing,
    next_nonce=st.none() | st.integers(0, 9),
    since=SECONDS,
    floor=st.integers(0, 100),
)
ANY_RACE = races(st.none() | st.integers(0, 9))


@given(
    first=PRICES,
    bids=BIDS,
    asked=st.lists(PRICES, min_size=1, max_size=60),
    empty=st.booleans(),
)
def test_prices_rise_by_what_nodes_want_and_never_above_the_cap(
    *, first: int, bids: Bids, asked: list[int], empty: bool
) -> None:
    """However the market moves: each price outbids the former for good, and all are bounded."""
    price: int | None = dearer(None, first, bids)
    for one in asked:
        if price is None:
            break
        assert price <= bids.cap
        after = dearer(price, one, bids, empty=empty)
        if after is not None:
            assert after * 100 >= price * LEAST_RISE
            assert empty or after * 100 <= max(one * bids.most, 100)
        price = after


@given(BIDS, PRICES)
def test_outbidding_ends(bids: Bids, asked: int) -> None:
    """At an unchanged market the cap is reached after a number of steps that is small."""
    price, steps = dearer(None, asked, bids), 0
    while price is not None:
        price, steps = dearer(price, asked, bids, empty=True), steps + 1
    assert steps < 400


@given(BIDS, PRICES)
def test_a_market_above_the_cap_is_not_joined(bids: Bids, asked: int) -> None:
    """What could not get in is not even signed: it would only occupy a nonce."""
    assert (dearer(None, asked, bids) is None) == (asked > bids.cap)


@given(race=ANY_RACE, standing=STANDINGS, wanted=st.booleans(), now=SECONDS)
def test_what_stands_in_a_block_is_left_alone(
    *, race: Race, standing: Standing, wanted: bool, now: float
) -> None:
    """Nothing is sent or outbid on a nonce that a block has."""
    move = next_move(race, standing, wanted=wanted, now=now, patience=PATIENCE)
    nonce, following = race.newest.nonce, standing.next_nonce
    if nonce is not None and following is not None and nonce < following:
        assert move is Move.WAIT


@given(race=ANY_RACE, standing=STANDINGS, wanted=st.booleans(), now=SECONDS)
def test_only_nonces_are_outbid_and_only_after_patience(
    *, race: Race, standing: Standing, wanted: bool, now: float
) -> None:
    """No bid on a chain without nonces, none while the chain goes on, no two at once."""
    move = next_move(race, standing, wanted=wanted, now=now, patience=PATIENCE)
    if move in {Move.OUTBID, Move.EMPTY}:
        assert race.newest.nonce is not None
        assert standing.next_nonce is not None
        assert now - race.tried_at >= PATIENCE.outbid
    if move is Move.OUTBID:
        assert now - standing.since >= PATIENCE.outbid
        assert race.newest.ids
        assert wanted
        assert not race.refused


@given(race=ANY_RACE, standing=STANDINGS, wanted=st.booleans())
def test_nothing_waits_for_ever(*, race: Race, standing: Standing, wanted: bool) -> None:
    """Later there is something to do, unless a block has the nonce, or it dies by itself unwanted."""
    later = 1_000.0
    move = next_move(race, standing, wanted=wanted, now=later, patience=PATIENCE)
    nonce, following = race.newest.nonce, standing.next_nonce
    in_a_block = nonce is not None and following is not None and nonce < following
    left_to_die = nonce is None and not wanted
    assert (move is Move.WAIT) == (in_a_block or left_to_die)


@given(race=races(st.integers(5, 9)), wanted=st.booleans())
def test_acts_that_nobody_wants_are_not_paid_for(*, race: Race, wanted: bool) -> None:
    """Unwanted, late or refused: the nonce is used up without them, wherever it stands."""
    now = 200.0
    move = next_move(
        race, Standing(next_nonce=5, since=0.0), wanted=wanted, now=now, patience=PATIENCE
    )
    late = 0 < race.newest.useful_until < now - CLOCK_SLACK
    if race.newest.ids and (race.refused or late or not wanted):
        assert move is Move.EMPTY


def test_the_same_bytes_are_sent_before_a_dearer_one_is_made() -> None:
    """A node that only lost them costs nothing."""
    race = Race(submissions=(submission(),))
    standing = Standing(next_nonce=7)
    moves = []
    for second in range(1, 20):
        move = next_move(race, standing, wanted=True, now=float(second), patience=PATIENCE)
        if move is not Move.WAIT:
            moves.append((second, move))
            race = replace(race, sent_at=float(second))
    assert moves[0] == (4, Move.SEND)
    assert moves[2] == (9, Move.OUTBID)


def test_the_cheaper_ones_behind_follow_the_price_of_the_first() -> None:
    """A surge is answered on all nonces at once, a lost transaction only on its own."""
    behind = Race(submissions=(submission(nonce=8, price=10),), sent_at=99.0)
    for floor, move in ((10, Move.WAIT), (11, Move.OUTBID)):
        standing = Standing(next_nonce=7, since=0.0, floor=floor)
        assert next_move(behind, standing, wanted=True, now=100.0, patience=PATIENCE) is move


@given(st.integers(0, 9), st.integers(0, 9), SECONDS)
def test_a_gap_is_what_no_race_of_ours_fills(following: int, lowest: int, now: float) -> None:
    """Only a nonce below all of ours, and only after patience."""
    ours = [Race(submissions=(submission(nonce=lowest),))]
    found = gap(ours, Standing(next_nonce=following, since=0.0), now=now, patience=PATIENCE)
    assert found == (following if following < lowest and now >= PATIENCE.outbid else None)


KINDS = st.sampled_from(LandingKind)


@given(st.lists(st.sampled_from([LandingKind.PENDING, LandingKind.DEAD]), min_size=1, max_size=5))
def test_a_race_without_a_winner_is_over_when_all_are_dead(kinds: list[LandingKind]) -> None:
    """One that may still land keeps it open."""
    made = [submission(str(n), price=n) for n in range(len(kinds))]
    told = {one.tx: Landing(kind=kind, skipped={}) for one, kind in zip(made, kinds, strict=True)}
    facts = concluded(Race(submissions=tuple(made)), Landings(of=told), 1.0)
    if LandingKind.PENDING in kinds:
        assert facts is None
    else:
        assert facts is not None
        assert [type(fact) for fact in facts] == [Unlanded]


@given(st.integers(0, 4), st.integers(1, 5), KINDS)
def test_whichever_lands_closes_all(winner: int, count: int, others: LandingKind) -> None:
    """The Transfers hear of it under the name by which they are submitted, the newest."""
    winner %= count
    made = [submission(str(n), price=n) for n in range(count)]
    rest = LandingKind.DEAD if others in {LandingKind.LANDED, LandingKind.FAILED} else others
    told = {one.tx: Landing(kind=rest, skipped={}) for one in made}
    told[str(winner)] = Landing(kind=LandingKind.LANDED, skipped={}, height=3)
    race = Race(submissions=tuple(made))
    assert concluded(race, Landings(of=told), 1.0) == (Landed(id=TRANSFER, tx=made[-1].tx, at=1.0),)


def test_an_empty_winner_delivered_nothing() -> None:
    """Its Transfers are drafted again at once; so are those that a winner skipped."""
    race = Race(submissions=(submission("a"), submission("b", price=20, empty=True)))
    told = Landings(of={"a": PENDING, "b": Landing(kind=LandingKind.LANDED, skipped={})})
    [lost] = concluded(race, told, 1.0) or ()
    assert isinstance(lost, Unlanded)
    assert (lost.id, lost.tx, lost.until) == (TRANSFER, "a", 1.0)
    skipped = Landing(kind=LandingKind.LANDED, skipped={TRANSFER: "Expired"})
    [lost] = concluded(race, Landings(of={"a": skipped, "b": PENDING}), 1.0) or ()
    assert isinstance(lost, Unlanded)
    assert lost.detail == "Expired"


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.integers(1, 50)), max_size=20))
def test_submissions_fall_into_races_by_nonce(made: list[tuple[int | None, int]]) -> None:
    """Each is in exactly one race; those without a nonce race alone; the dearest is the newest."""
    ones = [submission(str(n), nonce=k, price=p) for n, (k, p) in enumerate(made)]
    found = races_of(ones)
    assert sorted(one.tx for race in found for one in race.submissions) == sorted(
        one.tx for one in ones
    )
    for race in found:
        assert len({one.nonce for one in race.submissions}) == 1
        assert race.newest.nonce is not None or len(race.submissions) == 1
        assert race.newest.price == max(one.price for one in race.submissions)
