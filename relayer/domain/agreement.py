"""What several endpoints of one chain agree on. Pure.

Of the endpoints at most ``needed - 1`` lie, so what ``needed`` of them say is what an honest one
says. Endpoints stand at different heights, so heads and books are not equal to the letter: both
are made comparable here without believing any of them alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, NamedTuple, TypeVar

from relayer.domain.amount import Shares
from relayer.domain.supply import Counters, Interval, SupplySnapshot
from relayer.domain.transfer import (
    ChainFact,
    Delivery,
    Deposit,
    Mode,
    Refund,
    TransferId,
)

T = TypeVar("T")

KEPT_HEADS: Final = 256
"""Heads remembered per endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed(Generic[T]):
    """A value, the endpoints that say so, and those whose answer could not be compared."""

    value: T
    voters: frozenset[int]
    apart: frozenset[int] = frozenset()


def equal(votes: Mapping[int, T], needed: int) -> Agreed[T] | None:
    """The answer that ``needed`` endpoints give; answers are compared whole."""
    camps: dict[Hashable, list[int]] = {}
    for place, vote in votes.items():
        camps.setdefault(vote, []).append(place)
    for places in camps.values():
        if len(places) >= needed:
            return Agreed(value=votes[places[0]], voters=frozenset(places))
    return None


def in_order(facts: Iterable[ChainFact]) -> tuple[ChainFact, ...]:
    """Facts by height and, within a height, deposits first and by nonce.

    Within a block endpoints of different versions order otherwise, and a lie about that order
    would look like a gap in the nonces.
    """
    return tuple(sorted(facts, key=_order))


def _order(fact: ChainFact) -> tuple[int, bool, int, bytes, str]:
    nonce = fact.nonce if isinstance(fact, Deposit) else -1
    return fact.height, nonce < 0, nonce, fact.id, fact.type


def equal_by_id(
    votes: Mapping[int, Mapping[TransferId, T]], ids: Sequence[TransferId], needed: int
) -> Agreed[Mapping[TransferId, T]] | None:
    """What ``needed`` endpoints say of each id, be it other ones for each; None if one is open."""
    found: dict[TransferId, T] = {}
    voters = frozenset(votes)
    for one in ids:
        agreed = equal({place: told.get(one) for place, told in votes.items()}, needed)
        if agreed is None:
            return None
        voters &= agreed.voters
        if agreed.value is not None:
            found[one] = agreed.value
    return Agreed(value=found, voters=voters)


class Moment(NamedTuple):
    """A height and its chain time in seconds."""

    height: int
    time: int


@dataclass(slots=True)
class Heads:
    """The final heads that endpoints have told; what was final stays final.

    The agreed height is one that ``needed`` endpoints are at or past. Its time can not be taken
    from one of them: a time too late would let absence be believed too early. So the agreed time
    is one that ``needed`` endpoints had reached at or below the agreed height.
    """

    needed: int
    _told: dict[int, deque[Moment]] = field(default_factory=dict)
    _agreed: Moment | None = None

    def tell(self, place: int, moment: Moment) -> None:
        """An endpoint has named a final head."""
        told = self._told.setdefault(place, deque(maxlen=KEPT_HEADS))
        if moment not in told:
            told.append(moment)

    @property
    def agreed(self) -> Moment | None:
        """The newest moment that is proven; it never goes back. None before there is one."""
        heights = [max(told).height for told in self._told.values()]
        height = kth_highest(heights, self.needed)
        time = None if height is None else self.time_by(height)
        if height is None or time is None:
            return self._agreed
        known = self._agreed or Moment(0, 0)
        self._agreed = Moment(max(height, known.height), max(time, known.time))
        return self._agreed

    @property
    def height(self) -> int:
        """The height of the agreed moment; -1 before there is one."""
        return -1 if self.agreed is None else self.agreed.height

    def time_by(self, height: int) -> int | None:
        """The chain time (seconds) surely reached at a height; None while too few tell of it."""
        times = [
            max(moment.time for moment in below)
            for told in self._told.values()
            if (below := [moment for moment in told if moment.height <= height])
        ]
        return kth_highest(times, self.needed)

    def below(self, height: int) -> bool:
        """Whether some endpoint's newest head is below a height."""
        return any(told[-1].height < height for told in self._told.values())

    def behind(self, place: int) -> int:
        """Heights between the highest agreed head and the newest head of an endpoint."""
        told = self._told.get(place)
        if not told or self._agreed is None:
            return 0
        return max(0, self._agreed.height - told[-1].height)


def kth_highest(values: Sequence[int], k: int) -> int | None:
    """The highest number that ``k`` of the values reach; None if there are fewer."""
    return sorted(values, reverse=True)[k - 1] if len(values) >= k else None


Books = Sequence[SupplySnapshot]
"""The snapshots of all assets at one height, as one endpoint tells them."""


def equal_books(
    told: Sequence[tuple[int, Books]], facts: Sequence[ChainFact], needed: int
) -> Agreed[Books] | None:
    """Books that ``needed`` endpoints tell, once the bridge's traffic between them is set off.

    ``told`` holds (endpoint, books), an endpoint as often as it was asked; ``facts`` is the agreed
    history between their heights. The books returned are the newest of those that agree. A supply
    known to an interval is widened to what all of them allow. None if too few agree.
    """
    found: list[Agreed[Books]] = []
    for _, anchor in told:
        camp: dict[int, Books] = {}
        for place, books in told:
            newer = place not in camp or books[0].height > camp[place][0].height
            if newer and _same(anchor, books, facts):
                camp[place] = books
        if len(camp) >= needed:
            found.append(Agreed(value=_joined(camp.values(), facts), voters=frozenset(camp)))
    return max(found, key=lambda one: (one.value[0].height, len(one.voters)), default=None)


def _same(one: Books, other: Books, facts: Sequence[ChainFact]) -> bool:
    height = max(one[0].height, other[0].height)
    moved, shifted = _moved(one, facts, height), _moved(other, facts, height)
    return len(moved) == len(shifted) and all(map(_match, moved, shifted))


def _match(one: SupplySnapshot, other: SupplySnapshot) -> bool:
    """Whether two snapshots of one height tell the same; a burn-mint token's residue may move."""
    if one.mode is Mode.BURN_MINT:
        same = _overlap(one.supply.plus(-one.held), other.supply.plus(-other.held))
    else:
        same = one.held == other.held and _overlap(one.supply, other.supply)
    return same and _fixed(one) == _fixed(other)


def _fixed(one: SupplySnapshot) -> SupplySnapshot:
    """What must be equal to the letter: all but the amounts compared otherwise, and the time."""
    return replace(one, supply=Interval.exactly(0), held=Shares(0), time=0)


def _overlap(one: Interval, other: Interval) -> bool:
    return one.low <= other.high and other.low <= one.high


def _moved(books: Books, facts: Sequence[ChainFact], height: int) -> list[SupplySnapshot]:
    return [moved(one, facts, height) for one in books]


def moved(snapshot: SupplySnapshot, facts: Sequence[ChainFact], height: int) -> SupplySnapshot:
    """The snapshot as it would be at a later height, if only the bridge's traffic changed it.

    ``facts`` covers at least the heights in between; its time is not moved.
    """
    mine = [
        fact
        for fact in facts
        if snapshot.height < fact.height <= height
        and isinstance(fact, Deposit | Delivery | Refund)
        and fact.asset == snapshot.asset
    ]
    deposited = sum(fact.shares for fact in mine if isinstance(fact, Deposit))
    delivered = sum(fact.shares for fact in mine if isinstance(fact, Delivery))
    refunded = sum(fact.shares for fact in mine if isinstance(fact, Refund))
    net = deposited - delivered - refunded
    counted = snapshot.counters
    if counted is not None:
        counted = Counters(
            deposited=Shares(counted.deposited + deposited),
            delivered=Shares(counted.delivered + delivered),
            refunded=Shares(counted.refunded + refunded),
        )
    burned = snapshot.mode is Mode.BURN_MINT
    return replace(
        snapshot,
        height=height,
        supply=snapshot.supply.plus(-net) if burned else snapshot.supply,
        held=snapshot.held if burned else Shares(snapshot.held + net),
        counters=counted,
    )


def _joined(camp: Iterable[Books], facts: Sequence[ChainFact]) -> list[SupplySnapshot]:
    """The newest books, each supply widened to the hull of all that agree."""
    told = sorted(camp, key=lambda books: books[0].height)
    newest = list(told[-1])
    for books in told[:-1]:
        older = _moved(books, facts, newest[0].height)
        newest = [_widened(one, other) for one, other in zip(newest, older, strict=True)]
    return newest


def _widened(one: SupplySnapshot, other: SupplySnapshot) -> SupplySnapshot:
    shift = one.held - other.held if one.mode is Mode.BURN_MINT else 0
    supply = other.supply.plus(shift)
    low, high = min(one.supply.low, supply.low), max(one.supply.high, supply.high)
    return replace(one, supply=Interval(low=low, high=high))
