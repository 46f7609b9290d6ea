"""The chain of the Tron devnet in memory: blocks, what is in them, the pool, the solid view."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relayer.devnet.tron import messages
from relayer.devnet.tron.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coincurve import PrivateKey

    from relayer.devnet.tron.evm import Execution
    from relayer.devnet.tron.world import Bandwidth

_VERSION = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A transaction in a block, with what came of it; `energy_fee` in sun."""

    transaction: Any
    txid: bytes
    number: int
    index: int
    timestamp: int
    execution: Execution
    bandwidth: Bandwidth
    energy_fee: int
    contract: bytes | None
    is_vm: bool
    first_log: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A transaction waiting for a block: what it will cost at least (sun) and use (free bytes)."""

    transaction: Any
    owner: bytes
    reserved: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block; timestamp in milliseconds, `world` is what is after it."""

    number: int
    id: bytes
    timestamp: int
    header: Any
    included: tuple[Included, ...]
    world: World


@dataclass(slots=True, repr=False)
class Chain:
    """All blocks that are kept, the head, and the pool of transactions not yet in a block."""

    solid_lag: int
    retention: int
    blocks: dict[int, Block] = field(default_factory=dict)
    pool: dict[bytes, Pooled] = field(default_factory=dict)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _included: dict[bytes, Included] = field(default_factory=dict)
    _head: int = 0

    @property
    def head(self) -> Block:
        """The newest block."""
        return self.blocks[self._head]

    @property
    def solid(self) -> Block:
        """The newest block that cannot be undone."""
        return self.blocks[max(0, self._head - self.solid_lag)]

    def append(self, block: Block) -> None:
        """Make a block the head; its transactions leave the pool, old blocks are forgotten."""
        self.blocks[block.number] = block
        self._numbers[block.id] = block.number
        self._head = block.number
        for one in block.included:
            self._included[one.txid] = one
            self.pool.pop(one.txid, None)
        oldest = block.number - self.retention
        # After a reorg the head passes a height again whose oldest block is gone already.
        if oldest > 0 and oldest in self.blocks:
            self._forget(oldest)

    def replace_head(self, block: Block) -> None:
        """Put a changed world under the head block."""
        self.blocks[self._head] = block

    def undo(self, count: int) -> None:
        """Undo the newest blocks; their transactions and the pool are gone."""
        for _ in range(count):
            self._forget(self._head)
            self._head -= 1
        self.pool.clear()

    def _forget(self, number: int) -> None:
        block = self.blocks.pop(number)
        del self._numbers[block.id]
        for one in block.included:
            del self._included[one.txid]

    def by_id(self, block_id: bytes) -> Block | None:
        """Return the block of this id."""
        number = self._numbers.get(block_id)
        return None if number is None else self.blocks[number]

    def find(self, txid: bytes) -> Included | None:
        """Return a transaction that is in a block."""
        return self._included.get(txid)

    def pooled(self, txid: bytes) -> Any | None:
        """Return a transaction that waits in the pool."""
        found = self.pool.get(txid)
        return None if found is None else found.transaction

    def refers(self, ref_bytes: bytes, ref_hash: bytes) -> bool:
        """Tell whether a transaction's reference block is on this chain."""
        low = int.from_bytes(ref_bytes, "big")
        number = self._head - ((self._head - low) % 65_536)
        block = self.blocks.get(number)
        return block is not None and block.id[8:16] == ref_hash


def seal(
    *,
    parent: Block,
    timestamp: int,
    included: Sequence[Included],
    world: World,
    witness: PrivateKey,
    witness_address: bytes,
) -> Block:
    """Return the signed block after `parent`, its id computed as the node does."""
    raw = messages.new(
        "HeaderRaw",
        timestamp=timestamp,
        txTrieRoot=_merkle([one.transaction for one in included]),
        parentHash=parent.id,
        number=parent.number + 1,
        witness_address=witness_address,
        version=_VERSION,
    )
    digest = hashlib.sha256(raw.SerializeToString()).digest()
    signature = witness.sign_recoverable(digest, hasher=None)
    return Block(
        number=raw.number,
        id=_block_id(raw),
        timestamp=timestamp,
        header=messages.new("BlockHeader", raw_data=raw, witness_signature=signature),
        included=tuple(included),
        world=world,
    )


def genesis(*, chain_id: int, world: World) -> Block:
    """Return block 0: no number, no timestamp, no witness's signature.

    A Tron chain's id is the last 4 bytes of its genesis block's id, by which clients find it out.
    Here the chain id is chosen and the block's id follows it.
    """
    raw = messages.new(
        "HeaderRaw",
        txTrieRoot=_merkle([]),
        parentHash=hashlib.sha256(b"xStocks relayer devnet").digest(),
        witness_address=b"A new system must allow existing systems to be linked together",
    )
    header = messages.new("BlockHeader", raw_data=raw)
    identity = _block_id(raw)[:-4] + chain_id.to_bytes(4, "big")
    return Block(number=0, id=identity, timestamp=0, header=header, included=(), world=world)


def _block_id(raw: Any) -> bytes:
    digest = hashlib.sha256(raw.SerializeToString()).digest()
    number: bytes = raw.number.to_bytes(8, "big")
    return number + digest[8:]


def _merkle(transactions: Sequence[Any]) -> bytes:
    level = [hashlib.sha256(one.SerializeToString()).digest() for one in transactions]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() if pair[1:] else pair[0] for pair in pairs]
    return level[0] if level else bytes(32)
