"""History: the transactions that landed, by signature, by block and by address."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from relayer.devnet.solana.outcome import Outcome
    from relayer.devnet.solana.wire import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One transaction in a block; `sequence` counts all of them, `index` those of the block."""

    sequence: int
    envelope: Envelope
    outcome: Outcome
    height: int
    slot: int
    time: int
    index: int


class Ledger:
    """The kept transactions, newest last; the oldest are dropped beyond `kept`."""

    def __init__(self, kept: int) -> None:
        """Keep at most `kept` transactions (up to a tenth more between two purges)."""
        self._kept = kept
        self._landed: list[Landed] = []
        self._first = 0
        self._by_signature: dict[str, Landed] = {}
        self._by_address: dict[Pubkey, list[int]] = {}
        self._once: dict[str, int] = {}
        self.purged_height = -1

    @property
    def count(self) -> int:
        """Transactions that ever landed."""
        return self._first + len(self._landed)

    def add(self, landed: Landed) -> None:
        """Append a transaction; its sequence must be `count`."""
        self._landed.append(landed)
        self._by_signature[landed.envelope.signature] = landed
        for key in dict.fromkeys(landed.outcome.loaded.keys):
            self._by_address.setdefault(key, []).append(landed.sequence)
        if len(self._landed) > self._kept + max(self._kept // 10, 1):
            self.purge(self._landed[len(self._landed) - self._kept].height - 1)

    def find(self, signature: str) -> Landed | None:
        """Return the kept transaction with `signature`."""
        return self._by_signature.get(signature)

    def seen(self, signature: str, height: int) -> bool:
        """Return whether a transaction landed up to `height`, also if it was purged since."""
        landed = self._by_signature.get(signature)
        at = self._once.get(signature) if landed is None else landed.height
        return at is not None and at <= height

    def in_block(self, height: int) -> list[Landed]:
        """Return the transactions of the block at `height`, in their order."""
        low = bisect_left(self._landed, height, key=lambda landed: landed.height)
        high = bisect_right(self._landed, height, key=lambda landed: landed.height)
        return self._landed[low:high]

    def count_at(self, height: int) -> int:
        """Return how many transactions had landed up to and with the block at `height`."""
        return self._first + bisect_right(self._landed, height, key=lambda one: one.height)

    def of_address(
        self, address: Pubkey, *, before: int | None, until: int | None, height: int, limit: int
    ) -> list[Landed]:
        """Return transactions that name `address`, newest first, up to the block at `height`.

        `before` and `until` are sequences, both exclusive.
        """
        sequences = self._by_address.get(address, [])
        end = len(sequences) if before is None else bisect_left(sequences, before)
        found: list[Landed] = []
        for position in range(end - 1, -1, -1):
            sequence = sequences[position]
            if len(found) == limit or (until is not None and sequence <= until):
                break
            landed = self._landed[sequence - self._first]
            if landed.height <= height:
                found.append(landed)
        return found

    def truncate(self, height: int) -> None:
        """Take back the transactions of all blocks above `height`, as if they had never landed."""
        cut = bisect_right(self._landed, height, key=lambda landed: landed.height)
        undone, self._landed = self._landed[cut:], self._landed[:cut]
        for landed in reversed(undone):
            del self._by_signature[landed.envelope.signature]
            for key in dict.fromkeys(landed.outcome.loaded.keys):
                sequences = self._by_address[key]
                sequences.pop()
                if not sequences:
                    del self._by_address[key]

    def purge(self, height: int) -> None:
        """Drop all transactions of blocks up to `height`, as a node does with its old ledger."""
        cut = bisect_right(self._landed, height, key=lambda landed: landed.height)
        dropped, self._landed = self._landed[:cut], self._landed[cut:]
        self._first += cut
        self.purged_height = max(self.purged_height, height)
        # A blockhash may outlive its purged transactions: they must not land again.
        self._once = {landed.envelope.signature: landed.height for landed in dropped}
        touched: set[Pubkey] = set()
        for landed in dropped:
            del self._by_signature[landed.envelope.signature]
            touched.update(landed.outcome.loaded.keys)
        for key in touched:
            sequences = self._by_address[key]
            del sequences[: bisect_left(sequences, self._first)]
            if not sequences:
                del self._by_address[key]
