"""Slots, blocks and commitments of the imitated chain.

Only heights, slots and times are stored (16 bytes a block): an empty block costs nothing more, and
its hash is computed from its height, so that a devnet may run for days.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from solders.hash import Hash

if TYPE_CHECKING:
    from relayer.devnet.solana.config import SolanaDevnetConfig


class Commitment(StrEnum):
    """How deep a read must look: the newest block, the voted one, the rooted one."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The head of one block; time in Unix seconds."""

    height: int
    slot: int
    parent_slot: int
    time: int
    blockhash: Hash
    previous_blockhash: Hash


class Chain:
    """The sequence of blocks, oldest kept first; heights grow by one, slots may skip."""

    def __init__(self, config: SolanaDevnetConfig, now: int) -> None:
        """Begin with the genesis block at slot 0, height 0 and time `now` (Unix seconds)."""
        self._config = config
        self.genesis_hash = Hash.from_bytes(config.genesis or os.urandom(32))
        self.genesis_time = now
        self._slots = array("Q", [0])
        self._times = array("q", [now])
        self._oldest = 0
        self._rooted = 0
        self._newest_slot = 0
        self._forks = [0]
        self._recent: dict[Hash, int] = {self.genesis_hash: 0}

    @property
    def height(self) -> int:
        """Height of the newest block."""
        return self._oldest + len(self._slots) - 1

    @property
    def oldest_slot(self) -> int:
        """Slot of the oldest block that is still kept."""
        return self._slots[0]

    @property
    def lifetime(self) -> int:
        """Blocks for which a blockhash stays recent."""
        return self._config.blockhash_lifetime

    def tip(self, commitment: Commitment) -> int:
        """Return the height of the newest block at `commitment`."""
        match commitment:
            case Commitment.PROCESSED:
                return self.height
            case Commitment.CONFIRMED:
                return max(self.height - self._config.confirmed_lag_slots, self._rooted)
            case Commitment.FINALIZED:
                return self._rooted
            case _:
                assert_never(commitment)

    def tip_slot(self, commitment: Commitment) -> int:
        """Return the slot of the newest block at `commitment`."""
        return self.slot_of(self.tip(commitment))

    def slot_of(self, height: int) -> int:
        """Return the slot of the kept block at `height`."""
        return self._slots[height - self._oldest]

    def time_of(self, height: int) -> int:
        """Return the time of the kept block at `height`, in Unix seconds."""
        return self._times[height - self._oldest]

    def hash_of(self, height: int) -> Hash:
        """Return the blockhash at `height`."""
        if height == 0:
            return self.genesis_hash
        # Blocks of a new fork have other hashes than those that they replace.
        fork = sum(1 for start in self._forks if start <= height)
        seed = bytes(self.genesis_hash) + height.to_bytes(8, "little") + fork.to_bytes(8, "little")
        return Hash.from_bytes(hashlib.sha256(seed).digest())

    def block(self, height: int) -> Block:
        """Return the head of the kept block at `height`."""
        parent = max(height - 1, self._oldest)
        return Block(
            height=height,
            slot=self.slot_of(height),
            parent_slot=self.slot_of(parent),
            time=self.time_of(height),
            blockhash=self.hash_of(height),
            previous_blockhash=self.hash_of(max(height - 1, 0)),
        )

    def height_at(self, slot: int) -> int | None:
        """Return the height of the block in `slot`, None where no kept block is there."""
        position = bisect_left(self._slots, slot)
        if position < len(self._slots) and self._slots[position] == slot:
            return self._oldest + position
        return None

    def height_before(self, slot: int) -> int:
        """Return the height of the newest kept block below `slot`, one less than kept if none."""
        return self._oldest + bisect_left(self._slots, slot) - 1

    def slots_between(self, start: int, end: int, limit: int | None = None) -> list[int]:
        """Return the slots in [start, end] that have a kept block, ascending, at most `limit`."""
        low = bisect_left(self._slots, start)
        high = bisect_left(self._slots, end + 1)
        if limit is not None:
            high = min(high, low + limit)
        return list(self._slots[low:high])

    def recent_height(self, blockhash: Hash) -> int | None:
        """Return the height of the block with `blockhash`, None unless it is a recent one."""
        return self._recent.get(blockhash)

    def next_slot(self) -> int:
        """Return the slot that the next block will have."""
        following = self._newest_slot + 1
        every = self._config.skip_every
        return following + 1 if every and following % every == 0 else following

    def advance(self, now: int) -> Block:
        """Append the next block at time `now` (never before its parent) and return its head."""
        slot = self.next_slot()
        self._newest_slot = slot
        self._slots.append(slot)
        self._times.append(max(now, self._times[-1]))
        self._recent[self.hash_of(self.height)] = self.height
        self._rooted = max(self._rooted, self.height - self._config.finalized_lag_slots)
        if len(self._recent) > self.lifetime * 2 + self._config.finalized_lag_slots:
            del self._recent[next(iter(self._recent))]
        self._purge()
        return self.block(self.height)

    def truncate(self, height: int) -> None:
        """Drop the blocks above `height`; their slots are skipped from now on."""
        kept = height - self._oldest + 1
        del self._slots[kept:]
        del self._times[kept:]
        self._forks.append(height + 1)
        self._recent = {one: at for one, at in self._recent.items() if at <= height}

    def _purge(self) -> None:
        # By the tenth, because cutting the front of an array moves all that is behind it.
        surplus = len(self._slots) - self._config.kept_blocks
        if surplus >= max(self._config.kept_blocks // 10, 1):
            del self._slots[:surplus]
            del self._times[:surplus]
            self._oldest += surplus
