"""Halts: latched stops of deliveries, and how many of them are kept.

Anybody may raise a halt, and only an operator's word that names it ends it. Halts cost nothing, so
a flood of them must not fill the memory: of each scope some are kept one by one, and all that come
beyond stand as one, the crowd. Its name is that of the newest record in it: whoever lifts it lifts
what was there when it was looked at, and nothing that came later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

from eth_hash.auto import keccak

from relayer.domain.transfer import Route
from relayer.domain.wire import Codec, Version, WholeSeconds

HALTS_KEPT: Final = 64
"""Halts of one scope that are kept one by one."""

WORDS_KEPT: Final = 2_000
"""Characters of a halt's words that are kept."""


class ScopeKind(StrEnum):
    """What a halt covers."""

    GLOBAL = "global"
    ASSET = "asset"
    CHAIN = "chain"
    ROUTE = "route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The extent of a halt; ``name`` is the asset, the chain, or the route's text."""

    kind: ScopeKind
    name: str = ""

    def covers(self, route: Route) -> bool:
        """Whether a halt of this scope stops a route."""
        match self.kind:
            case ScopeKind.GLOBAL:
                return True
            case ScopeKind.ASSET:
                return self.name == route.asset
            case ScopeKind.CHAIN:
                return self.name in (route.source, route.destination)
            case ScopeKind.ROUTE:
                return self.name == str(route)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A latched stop of deliveries, with its reason and evidence in words."""

    type: Literal["halt"] = "halt"
    v: Version = 1
    scope: Scope
    reason: str
    evidence: str
    raised_at: WholeSeconds
    raised_by: str

    @property
    def digest(self) -> bytes:
        """The hash by which a resume names this halt, if it is published as encoded here."""
        return digest_of(HALT.encode(self))


HALT: Final[Codec[Halt]] = Codec(Halt)


def digest_of(data: bytes) -> bytes:
    """The hash by which a resume names a halt: of its bytes as they stand on the topic.

    Of what a reader makes of them it would change with the fields that its release knows.
    """
    return keccak(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record stands on ``control``: its offset, and when it was appended (seconds)."""

    offset: int
    at: float

    def within(self, other: Place) -> bool:
        """Whether this is no later than another; in a topic made anew, its time says that it is."""
        return self.offset <= other.offset and self.at <= other.at


@dataclass(slots=True)
class Halts:
    """The halts in force; the same for all who read the same records."""

    standing: dict[bytes, Halt] = field(default_factory=dict)
    """By digest."""
    _lifted: set[bytes] = field(default_factory=set)
    _scopes: dict[Scope, dict[bytes, None]] = field(default_factory=dict)
    _crowds: dict[Scope, Place] = field(default_factory=dict)
    _cleared: dict[Scope, Place] = field(default_factory=dict)

    def by_scope(self) -> Mapping[Scope, Collection[bytes]]:
        """The digests of those that stand."""
        return {scope: digests.keys() for scope, digests in self._scopes.items() if digests}

    def counts(self) -> Counter[ScopeKind]:
        """How many stand, by what they cover."""
        counts: Counter[ScopeKind] = Counter()
        for scope, digests in self._scopes.items():
            counts[scope.kind] += len(digests)
        return counts

    def over(self, route: Route) -> Halt | None:
        """One that stops a route."""
        for scope, digests in self._scopes.items():
            if digests and scope.covers(route):
                return self.standing[next(iter(digests))]
        return None

    def take(self, halt: Halt, digest: bytes, place: Place) -> None:
        """Keep a halt found at a place, unless it was lifted; a halt told twice is one."""
        scope = _plain(halt.scope)
        cleared, known = self._cleared.get(scope), self._scopes.setdefault(scope, {})
        if digest in self._lifted or digest in known:
            return
        if cleared is not None and place.within(cleared):
            return
        if len(known) < HALTS_KEPT:
            self._keep(scope, digest, _brief(halt))
        else:
            self._join(scope, place)

    def lift(self, digests: Collection[bytes]) -> bool:
        """End these halts, also those that are yet to come; False if all were ended before."""
        if self._lifted.issuperset(digests):
            return False
        for digest in digests:
            self._lifted.add(digest)
            self._drop(digest)
        for scope, place in list(self._crowds.items()):
            if crowd_of(scope, place).digest in self._lifted:
                self._cleared[scope] = self._crowds.pop(scope)
        return True

    def _join(self, scope: Scope, place: Place) -> None:
        crowd = self._crowds.get(scope)
        if crowd is not None and place.within(crowd):
            return
        if crowd is not None:
            self._drop(crowd_of(scope, crowd).digest)
        self._crowds[scope] = place
        whole = crowd_of(scope, place)
        self._keep(scope, whole.digest, whole)

    def _keep(self, scope: Scope, digest: bytes, halt: Halt) -> None:
        self.standing[digest] = halt
        self._scopes[scope][digest] = None

    def _drop(self, digest: bytes) -> None:
        halt = self.standing.pop(digest, None)
        if halt is not None:
            self._scopes[_plain(halt.scope)].pop(digest, None)


def crowd_of(scope: Scope, place: Place) -> Halt:
    """The one halt that stands for all of a scope beyond HALTS_KEPT, up to a place."""
    return Halt(
        scope=scope,
        reason=f"more than {HALTS_KEPT} halts of this scope",
        evidence=f"all others up to record {place.offset} of the control topic",
        raised_at=max(0, int(place.at)),
        raised_by="the gate",
    )


def _plain(scope: Scope) -> Scope:
    """A scope in one spelling, with a name of bounded length: a longer one names nothing."""
    return Scope(
        kind=scope.kind, name="" if scope.kind is ScopeKind.GLOBAL else scope.name[:WORDS_KEPT]
    )


def _brief(halt: Halt) -> Halt:
    """The halt with words of a bounded length."""
    return replace(
        halt,
        scope=_plain(halt.scope),
        reason=halt.reason[:WORDS_KEPT],
        evidence=halt.evidence[:WORDS_KEPT],
        raised_by=halt.raised_by[:WORDS_KEPT],
    )
