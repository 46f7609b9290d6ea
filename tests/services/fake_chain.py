"""The truth of one chain in memory: facts, receipts, and acts executed by its rules."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from relayer.domain.address import ChainId
from relayer.domain.draft import Landing, payload_digest
from relayer.domain.transfer import (
    ActKind,
    ChainFact,
    Delivery,
    Deposit,
    Receipt,
    ReceiptKind,
    Refund,
    TransferId,
    Void,
)

Fault = Callable[[str], None]


@dataclass(slots=True)
class FakeChain:
    """One chain's truth, shared by all who read and write it; every block is final at once."""

    chain: ChainId
    supply: int = 0
    facts: list[ChainFact] = field(default_factory=list)
    done: dict[TransferId, Receipt] = field(default_factory=dict)
    landed: dict[str, Landing] = field(default_factory=dict)
    executed: list[TransferId] = field(default_factory=list)
    refunded: set[TransferId] = field(default_factory=set)
    refused: set[TransferId] = field(default_factory=set)
    """Ids whose delivery this chain skips."""
    fault: Fault = lambda _: None
    refuse_next: int = 0
    drop_next: int = 0
    sealed: int = 0
    multiplier: int = 10**18
    paused: bool = False
    epoch: int = 0
    """Signatures of another one are worth nothing."""
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    poll: float = 0.01
    """Seconds between two wake-ups."""
    started: float = field(default_factory=time.time)

    @property
    def height(self) -> int:
        """One block per fact."""
        return len(self.facts)

    def deposit(self, made: Deposit) -> Deposit:
        """Put a deposit into the next block; the supply shrinks."""
        final = replace(made, height=self.height + 1, time=int(self.started))
        self.facts.append(final)
        self.supply -= made.shares
        return final

    def deliver(self, made: Deposit, tx: str) -> bool:
        """Execute a delivery once; False for one that was done before."""
        if made.id in self.done:
            return False
        self.done[made.id] = Receipt(kind=ReceiptKind.DELIVERED, digest=content(made))
        self.executed.append(made.id)
        self.supply += made.shares
        self.facts.append(
            Delivery(
                id=made.id,
                chain=self.chain,
                source=made.source,
                asset=made.asset,
                recipient=made.recipient,
                shares=made.shares,
                digest=content(made),
                tx=tx,
                height=self.height + 1,
                time=int(self.started),
            )
        )
        return True

    def void(self, made: Deposit, tx: str) -> bool:
        """Rule a delivery out; False for an id that has a receipt."""
        if made.id in self.done:
            return False
        self.done[made.id] = Receipt(kind=ReceiptKind.VOIDED)
        self.facts.append(
            Void(
                id=made.id,
                chain=self.chain,
                tx=tx,
                height=self.height + 1,
                time=int(self.started),
            )
        )
        return True

    def refund(self, made: Deposit, tx: str) -> bool:
        """Give a deposit back once; False for one that was given back before."""
        if made.id in self.refunded:
            return False
        self.refunded.add(made.id)
        self.supply += made.shares
        self.facts.append(
            Refund(
                id=made.id,
                chain=self.chain,
                destination=made.destination,
                asset=made.asset,
                recipient=made.refund_to,
                shares=made.shares,
                tx=tx,
                height=self.height + 1,
                time=int(self.started),
            )
        )
        return True

    def act(self, kind: ActKind, made: Deposit, tx: str) -> bool:
        """Execute an act as the chain's rules have it; False if they refuse it."""
        match kind:
            case ActKind.DELIVER:
                return made.id not in self.refused and self.deliver(made, tx)
            case ActKind.VOID:
                return self.void(made, tx)
            case ActKind.REFUND:
                return self.refund(made, tx)


def content(made: Deposit) -> bytes:
    """What a receipt of the chain in memory holds."""
    return payload_digest(made.id + made.recipient + made.shares.to_bytes(32, "big"))
