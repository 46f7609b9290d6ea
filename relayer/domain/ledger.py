"""The books of all chains: deposits matched with the acts that consume them (rule B), counters.

A pure fold over each chain's final history, in order, each height once. A deposit may be consumed
once, by the one delivery on its destination or the one refund on its source that it allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from pydantic import Field

from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.supply import Counters, Finding, check_act
from relayer.domain.transfer import ChainFact, Delivery, Deposit, Refund, TransferId, Void
from relayer.domain.wire import Codec, Version, Word

Act = Delivery | Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSums:
    """All of a ledger but the ids it has seen: small, however long the history.

    ``mark`` is the exclusive or of all ids that are open or consumed, and ``seen`` their number:
    by them a reader knows that it has the very ids that belong to these sums.
    """

    type: Literal["ledger"] = "ledger"
    v: Version = 1
    upto: Mapping[str, int]
    times: Mapping[str, int]
    counters: tuple[tuple[str, str, Counters], ...]
    nonces: tuple[tuple[str, str, int], ...]
    unmatched: tuple[Annotated[Act, Field(discriminator="type")], ...]
    broken: tuple[Finding, ...]
    seen: int
    mark: Word


LEDGER: Final[Codec[LedgerSums]] = Codec(LedgerSums)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChanges:
    """Deposits that were opened and ids that were consumed since the last call, net."""

    opened: tuple[Deposit, ...]
    consumed: tuple[TransferId, ...]


@dataclass(slots=True)
class Ledger:
    """The folded histories; ``upto`` and ``times`` say how far each chain was read."""

    upto: dict[ChainId, int] = field(default_factory=dict)
    times: dict[ChainId, int] = field(default_factory=dict)
    _counters: dict[tuple[ChainId, str], Counters] = field(default_factory=dict)
    _open: dict[TransferId, Deposit] = field(default_factory=dict)
    _consumed: set[TransferId] = field(default_factory=set)
    _unmatched: dict[tuple[str, TransferId], Act] = field(default_factory=dict)
    _broken: list[Finding] = field(default_factory=list)
    _nonces: dict[tuple[ChainId, ChainId], int] = field(default_factory=dict)
    _touched: set[TransferId] = field(default_factory=set)
    _mark: int = 0

    @classmethod
    def again(
        cls, sums: LedgerSums, opened: Iterable[Deposit], consumed: Iterable[TransferId]
    ) -> Ledger | None:
        """The ledger that had these sums and ids; None if they do not belong together."""
        ledger = cls(
            upto={ChainId(chain): height for chain, height in sums.upto.items()},
            times={ChainId(chain): time for chain, time in sums.times.items()},
        )
        ledger._counters = {(ChainId(c), asset): counted for c, asset, counted in sums.counters}
        ledger._nonces = {(ChainId(a), ChainId(b)): next_one for a, b, next_one in sums.nonces}
        ledger._unmatched = {(act.type, act.id): act for act in sums.unmatched}
        ledger._broken = list(sums.broken)
        ledger._open = {deposit.id: deposit for deposit in opened}
        ledger._consumed = set(consumed)
        for transfer in (*ledger._open, *ledger._consumed):
            ledger._mark ^= int.from_bytes(transfer, "big")
        return ledger if ledger.sums() == sums else None

    def sums(self) -> LedgerSums:
        """Everything but the ids."""
        return LedgerSums(
            upto={str(chain): height for chain, height in self.upto.items()},
            times={str(chain): time for chain, time in self.times.items()},
            counters=tuple((c, asset, counted) for (c, asset), counted in self._counters.items()),
            nonces=tuple((a, b, next_one) for (a, b), next_one in self._nonces.items()),
            unmatched=tuple(self._unmatched.values()),
            broken=tuple(self._broken),
            seen=len(self._open) + len(self._consumed),
            mark=self._mark.to_bytes(32, "big"),
        )

    def changes(self) -> LedgerChanges:
        """What was opened and consumed since the last call."""
        touched, self._touched = self._touched, set()
        return LedgerChanges(
            opened=tuple(self._open[one] for one in touched if one in self._open),
            consumed=tuple(one for one in touched if one in self._consumed),
        )

    def fold(self, chain: ChainId, facts: Iterable[ChainFact], upto: int, time: int) -> None:
        """Take the facts of one chain above what was read, up to height ``upto`` at ``time``."""
        for fact in facts:
            match fact:
                case Deposit():
                    self._deposit(fact)
                case Delivery() | Refund():
                    self._act(fact)
                case Void():
                    pass
        self.upto[chain] = upto
        self.times[chain] = max(time, self.times.get(chain, 0))

    def counters(self, chain: ChainId, asset: str) -> Counters:
        """The cumulative shares of an asset on a chain up to the height it was read to."""
        return self._counters.get((chain, asset), Counters())

    def in_flight(self, asset: str) -> int:
        """Shares (1e-18) deposited and neither delivered nor refunded, over all chains."""
        return sum(
            c.deposited - c.delivered - c.refunded
            for (_, name), c in self._counters.items()
            if name == asset
        )

    @property
    def unmatched(self) -> bool:
        """Whether an act waits for its deposit: its source should be read further."""
        self._match()
        return bool(self._unmatched)

    def findings(self) -> list[Finding]:
        """What breaks rule B now."""
        self._match()
        waiting = [check_act(act, None, self.times) for act in self._unmatched.values()]
        return [*self._broken, *(finding for finding in waiting if finding is not None)]

    def _match(self) -> None:
        for key, act in list(self._unmatched.items()):
            deposit = self._open.get(act.id)
            if deposit is not None:
                del self._unmatched[key]
                self._consume(act, deposit)

    def _deposit(self, deposit: Deposit) -> None:
        self._add(deposit.source, deposit.asset, "deposited", deposit.shares)
        self._check_nonce(deposit)
        if deposit.id in self._open or deposit.id in self._consumed:
            self._break(deposit, f"deposit {deposit.id.hex()} stands twice in the history")
            return
        self._open[deposit.id] = deposit
        self._touched.add(deposit.id)
        self._mark ^= int.from_bytes(deposit.id, "big")

    def _check_nonce(self, deposit: Deposit) -> None:
        """A counted source has no gap: a missing nonce is a deposit nobody saw."""
        if deposit.destination is None or not deposit.counted:
            return
        key = (deposit.source, deposit.destination)
        expected = self._nonces.get(key, 0)
        if deposit.nonce != expected:
            self._break(
                deposit, f"nonce {deposit.nonce} follows {expected - 1}: a deposit is unseen"
            )
        self._nonces[key] = deposit.nonce + 1

    def _act(self, act: Act) -> None:
        counter = "delivered" if isinstance(act, Delivery) else "refunded"
        self._add(act.chain, act.asset, counter, act.shares)
        if act.id in self._consumed or (act.type, act.id) in self._unmatched:
            self._break(act, f"{act.type} {act.id.hex()} in {act.tx} consumes a deposit again")
            return
        self._unmatched[(act.type, act.id)] = act

    def _consume(self, act: Act, deposit: Deposit) -> None:
        finding = check_act(act, deposit, self.times)
        if finding is not None:
            self._broken.append(finding)
        del self._open[act.id]
        self._consumed.add(act.id)
        self._touched.add(act.id)

    def _add(self, chain: ChainId, asset: str, counter: str, shares: int) -> None:
        known = self._counters.get((chain, asset), Counters())
        grown = Shares(getattr(known, counter) + shares)
        self._counters[(chain, asset)] = replace(known, **{counter: grown})

    def _break(self, fact: Deposit | Act, detail: str) -> None:
        chain = fact.source if isinstance(fact, Deposit) else fact.chain
        self._broken.append(
            Finding(rule="B", asset=fact.asset, chain=chain, detail=detail, latches=True)
        )
