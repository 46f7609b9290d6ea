from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.draft import PENDING, Landing, LandingKind, Landings, Submission
from relayer.domain.facts import Landed, Unlanded
from relayer.domain.reasons import Reason
from relayer.domain.submission import (
    CLOCK_SLACK,
    Move,
    Patience,
    Race,
    Standing,
    concluded,
    gap,
    next_move,
    races_of,
    rivals,
)
from relayer.domain.transfer import TransferId
from tests.domain.samples import BNB

PATIENCE = Patience(resend=4.0, outbid=9.0)
TRANSFER, OTHER = TransferId(b"\1" * 32), TransferId(b"\2" * 32)
SECONDS = st.floats(0, 100)
NOW = 100.0


def submission(
    tx: str = "a",
    *,
    nonce: int | None = 7,
    price: int = 10,
    late: int = 0,
    empty: bool = False,
    made: float = 0.0,
) -> Submission:
    """A submission of one transfer."""
    return Submission(
        tx=tx,
        chain=BNB,
        ids=() if empty else (TRANSFER,),
        raw=tx.encode(),
        nonce=nonce,
        price=price,
        useful_until=late,
        made_at=made,
    )


def races(nonces: st.SearchStrategy[int | None]) -> st.SearchStrategy[Race]:
    made = st.builds(
        submission,
        nonce=nonces,
        price=st.integers(9, 11),
        late=st.sampled_from([0, 0, 15]),
        empty=st.booleans(),
        made=SECONDS,
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
    next_nonce=st.sampled_from([None, 6, 7, 7]),
    since=SECONDS,
    floor=st.sampled_from([0, 10]),
)
ANY_RACE = races(st.sampled_from([None, 6, 7, 7, 8]))


@given(race=ANY_RACE, standing=STANDINGS, wanted=st.booleans(), now=SECONDS)
def test_what_stands_in_a_block_is_left_alone(
    *, race: Race, standing: Standing, wanted: bool, now: float
) -> None:
    """Nothing is sent or outbid on a nonce that a block has."""
    move = next_move(race, standing, wanted=wanted, now=now, patience=PATIENCE)
    nonce, following = race.newest.nonce, standing.next_nonce
    if nonce is not None and following is not None and nonce < following:
        assert move is Move.WAIT


@pytest.mark.parametrize("nonce", [None, 6, 7, 8])
@pytest.mark.parametrize("following", [None, 6, 7])
def test_only_what_holds_up_is_outbid_and_only_after_patience(
    nonce: int | None, following: int | None
) -> None:
    """No bid without nonces, none while the chain goes on, no two at once; else it must come."""
    for race, standing, wanted in _every_case(nonce, following):
        move = next_move(race, standing, wanted=wanted, now=NOW, patience=PATIENCE)
        one = race.newest
        if nonce is None or following is None:
            assert move in {Move.WAIT, Move.SEND}
            continue
        may_try = nonce >= following and NOW - race.tried_at >= PATIENCE.outbid
        late = 0 < one.useful_until < NOW - CLOCK_SLACK
        useless = bool(one.ids) and (race.refused or late or not wanted)
        holds_up = nonce == following or one.price < standing.floor
        stands = all(NOW - begun >= PATIENCE.outbid for begun in (one.made_at, standing.since))
        bids = may_try and not useless and holds_up and stands

        assert (move is Move.OUTBID) == (bids and bool(one.ids))
        assert (move is Move.EMPTY) == ((may_try and useless) or (bids and not one.ids))


@pytest.mark.parametrize("nonce", [None, 6, 7, 8])
@pytest.mark.parametrize("following", [None, 6, 7])
def test_the_same_bytes_are_sent_again_after_patience_and_not_before(
    nonce: int | None, following: int | None
) -> None:
    """Never in a hot loop; once it is time, only what is over or unwanted still waits."""
    over = nonce is not None and following is not None and nonce < following
    for race, standing, wanted in _every_case(nonce, following):
        move = next_move(race, standing, wanted=wanted, now=NOW, patience=PATIENCE)
        if move in {Move.SEND, Move.WAIT}:
            due = NOW - race.sent_at >= PATIENCE.resend
            left_to_die = nonce is None and not wanted
            assert (move is Move.SEND) == (due and not over and not left_to_die)


def _every_case(nonce: int | None, following: int | None) -> Iterator[tuple[Race, Standing, bool]]:
    """All that a move depends on, each age right before and right at the end of the patience."""
    both, ages, lives = (False, True), (NOW - 8.9, NOW - 9.0), (0, 97, 98)
    for wanted, refused, empty, late, price in product(both, both, both, lives, (9, 10)):
        for sent, tried, made, since in product((NOW - 3.9, NOW - 4.0), ages, ages, ages):
            one = submission(nonce=nonce, price=price, late=late, empty=empty, made=made)
            race = Race(submissions=(one,), sent_at=sent, tried_at=tried, refused=refused)
            yield race, Standing(next_nonce=following, since=since, floor=10), wanted


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


@given(following=st.integers(0, 9), nonces=st.lists(st.integers(0, 9), min_size=1, max_size=3))
@pytest.mark.parametrize(("made", "since"), [(8.9, 9.0), (9.0, 8.9), (9.0, 9.0)])
def test_a_gap_is_what_no_race_of_ours_fills(
    *, following: int, nonces: list[int], made: float, since: float
) -> None:
    """Only a nonce below all of ours, and only after patience with the chain and with our oldest."""
    ours = [Race(submissions=(submission(nonce=n, made=NOW - made),)) for n in nonces]
    standing = Standing(next_nonce=following, since=NOW - since)
    found = gap(ours, standing, now=NOW, patience=PATIENCE)
    waited = made >= PATIENCE.outbid and since >= PATIENCE.outbid
    assert found == (following if following < min(nonces) and waited else None)


def test_there_is_no_gap_where_nothing_is_known_of_nonces() -> None:
    """Without races, without nonces, or without word of the chain nothing is filled."""
    ours, dated = [Race(submissions=(submission(nonce=3),))], Standing(next_nonce=1)
    unnumbered = [Race(submissions=(submission(nonce=None),))]

    first = [Race(submissions=(submission(nonce=n),)) for n in (1, 0)]

    assert gap(ours, dated, now=NOW, patience=PATIENCE) == 1
    assert gap(first, Standing(next_nonce=0), now=NOW, patience=PATIENCE) is None
    assert gap([], dated, now=NOW, patience=PATIENCE) is None
    assert gap(unnumbered, dated, now=NOW, patience=PATIENCE) is None
    assert gap(ours, Standing(), now=NOW, patience=PATIENCE) is None


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


def test_why_a_transfer_is_drafted_again_and_when() -> None:
    """What died or was outbid by an empty one goes on at once; what the chain refused waits."""
    race = Race(submissions=(submission("a"), submission("b", price=20)))
    [failed] = (
        concluded(race, Landings(of={"a": _landing(LandingKind.FAILED, "reverted")}), 1.0) or ()
    )
    dead = Landings(of={tx: _landing(LandingKind.DEAD, f"{tx} is dead") for tx in "ab"})
    [died] = concluded(race, dead, 1.0) or ()
    other = replace(submission("c", price=30), ids=(OTHER,))
    three = Race(submissions=(*race.submissions, other))
    [unmeant] = concluded(three, Landings(of={"a": _landing(LandingKind.LANDED)}), 1.0) or ()

    plain = Unlanded(id=TRANSFER, tx="b", reason=Reason.SUBMISSION_FAILED, until=2.0, at=1.0)
    assert failed == replace(plain, detail="reverted")
    assert died == replace(plain, reason=Reason.SUBMISSION_EXPIRED, until=1.0, detail="b is dead")
    assert unmeant == Unlanded(
        id=OTHER,
        tx="c",
        reason=Reason.SUBMISSION_EXPIRED,
        until=1.0,
        at=1.0,
        detail="its nonce was used up empty",
    )


def test_a_race_of_which_one_was_not_asked_for_goes_on() -> None:
    """Nobody has said yet that it is dead."""
    race = Race(submissions=(submission("a"), submission("b", price=20)))

    assert concluded(race, Landings(of={"b": _landing(LandingKind.DEAD)}), 1.0) is None


def _landing(kind: LandingKind, detail: str = "") -> Landing:
    return Landing(kind=kind, skipped={}, detail=detail)


def test_rivals_are_the_others_on_the_same_nonce() -> None:
    """Of these at most one lands; what has no nonce has no rival."""
    one, two, next_one = submission("a"), submission("b"), submission("c", nonce=8)
    free, freer = submission("d", nonce=None), submission("e", nonce=None)
    others = [one, two, next_one, free, freer]

    assert list(rivals(one, others)) == [two]
    assert list(rivals(free, others)) == []


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.integers(1, 50)), max_size=20))
def test_submissions_fall_into_races_by_nonce(made: list[tuple[int | None, int]]) -> None:
    """Each is in exactly one race; those without a nonce race alone; the dearest is the newest."""
    ones = [submission(str(n), nonce=k, price=p) for n, (k, p) in enumerate(made)]
    found = races_of(ones)
    assert sorted(one.tx for race in found for one in race.submissions) == sorted(
        one.tx for one in ones
    )
    numbered = [race.newest.nonce for race in found if race.newest.nonce is not None]
    assert len(set(numbered)) == len(numbered)
    for race in found:
        assert len({one.nonce for one in race.submissions}) == 1
        assert race.newest.nonce is not None or len(race.submissions) == 1
        assert race.newest.price == max(one.price for one in race.submissions)
