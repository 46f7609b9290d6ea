"""The books of all chains: deposits matched with the acts that consume them (rule B), counters.

A pure fold over each chain's final history, in order, each height once. A deposit may be consumed
once, by the one delivery on its destination or the one refund on its source that it allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.supply import Counters, Finding, check_act
from relayer.domain.transfer import ChainFact, Delivery, Deposit, Refund, TransferId, Void

Act = Delivery | Refund


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

    def _check_nonce(self, deposit: Deposit) -> None:
        """A counted source has no gap: a missing nonce is a deposit nobody saw."""
        if deposit.destination is None or not any(deposit.gateway):
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

    def _add(self, chain: ChainId, asset: str, counter: str, shares: int) -> None:
        known = self._counters.get((chain, asset), Counters())
        grown = Shares(getattr(known, counter) + shares)
        self._counters[(chain, asset)] = replace(known, **{counter: grown})

    def _break(self, fact: Deposit | Act, detail: str) -> None:
        chain = fact.source if isinstance(fact, Deposit) else fact.chain
        self._broken.append(
            Finding(rule="B", asset=fact.asset, chain=chain, detail=detail, latches=True)
        )
