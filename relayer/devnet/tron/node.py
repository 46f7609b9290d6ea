"""The Tron devnet's node without its HTTP face: takes transactions, makes blocks, answers calls."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from coincurve import PrivateKey

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.addresses import PREFIX
from relayer.devnet.tron.admission import check_contract, check_form, duplicate
from relayer.devnet.tron.chain import Block, Chain, Pooled, genesis, seal
from relayer.devnet.tron.evm import EvmEngine, Execution, Message, Underfunded
from relayer.devnet.tron.execution import BlockRun, Prepared, judge, owner_of, prepare, value_of
from relayer.devnet.tron.faultwords import Refused, invalid
from relayer.devnet.tron.rendering import txid
from relayer.devnet.tron.world import Account, Prices, World

if TYPE_CHECKING:
    from relayer.devnet.tron.faults import Faults

MAX_BLOCK_TRANSACTIONS = 500
_NO_OWNER = "Validate InternalTransfer error, no OwnerAccount."
_NO_VALUE = "Validate InternalTransfer error, balance is not sufficient."


@dataclass(slots=True, repr=False)
class TronNode:
    """Chain, pool and engine.

    `slot_ms` is the block interval in milliseconds, `max_block_range` what eth_getLogs takes.
    """

    engine: EvmEngine
    chain: Chain
    faults: Faults
    chain_id: int
    slot_ms: int
    max_block_range: int
    prices: Prices = field(default_factory=Prices)
    _witness: PrivateKey = field(default_factory=lambda: PrivateKey(b"\x01" * 32))
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def witness_address(self) -> bytes:
        """The account that signs all blocks."""
        return addresses.of_public_key(self._witness.public_key)

    async def found(self, balances: dict[bytes, int]) -> None:
        """Make the genesis block with these balances (sun)."""
        world = World(accounts={address: Account() for address in balances})
        await self.engine.set_balances({one[1:]: sun for one, sun in balances.items()})
        self.chain.append(genesis(chain_id=self.chain_id, world=world))

    async def fund(self, address: bytes, sun: int) -> None:
        """Add sun to an account out of nothing, activating it."""
        async with self._lock:
            head = self.chain.head
            (balance,) = await self.engine.balances([address[1:]])
            await self.engine.set_balances({address[1:]: balance + sun})
            world = head.world.activated(address, head.timestamp)
            self.chain.replace_head(replace(head, world=world))

    async def keep_producing(self) -> None:
        """Make a block at each multiple of the interval until cancelled."""
        while True:
            now = time.time() * 1000
            await asyncio.sleep((self.slot_ms - now % self.slot_ms) / 1000 + 0.001)
            if not self.faults.stalled:
                await self.produce()

    async def produce(self) -> None:
        """Make the block of the slot that has begun, unless there is one."""
        async with self._lock:
            timestamp = int(time.time() * 1000) // self.slot_ms * self.slot_ms
            if timestamp > self.chain.head.timestamp:
                await self._make_block(timestamp)

    async def _make_block(self, timestamp: int) -> None:
        parent = self.chain.head
        self._drop_expired(timestamp)
        run = BlockRun(self.engine, self.prices, self.faults, parent, timestamp)
        included, world, dropped = await run.run(self._next_batch())
        for one in dropped:
            self.chain.pool.pop(one, None)
        block = seal(
            parent=parent,
            timestamp=timestamp,
            included=included,
            world=world,
            witness=self._witness,
            witness_address=self.witness_address,
        )
        self.chain.append(block)

    def _drop_expired(self, timestamp: int) -> None:
        pool = self.chain.pool
        for one in [
            key for key, it in pool.items() if it.transaction.raw_data.expiration < timestamp
        ]:
            del pool[one]

    def _next_batch(self) -> list[Any]:
        """Return the oldest transactions of the pool."""
        oldest = itertools.islice(self.chain.pool.values(), MAX_BLOCK_TRANSACTIONS)
        return [one.transaction for one in oldest]

    async def broadcast(self, transaction: Any) -> None:
        """Take a transaction into the pool with the result it would have now; raises `Refused`."""
        inner = check_form(transaction, self.chain, self.slot_ms)
        raw = transaction.raw_data
        kind = messages.contract_name(raw.contract[0].type) or ""
        check_contract(kind, inner, raw, self.chain.head.world, self.prices)
        ready = await self._ready(transaction, kind)
        result = await self._try(ready)
        if self.faults.take_dropped():
            return
        del transaction.ret[:]
        transaction.ret.add(contractRet=messages.result_number(result))
        self._put_in_pool(transaction, ready)

    def _put_in_pool(self, transaction: Any, ready: Prepared) -> None:
        identity = txid(transaction)
        # Looked up again: this call waited for the engine, another may have brought the same.
        if identity in self.chain.pool or self.chain.find(identity) is not None:
            raise duplicate()
        self.chain.pool[identity] = Pooled(
            transaction=transaction,
            owner=ready.owner,
            reserved=ready.bandwidth.total + ready.message.value,
            used=ready.bandwidth.usage,
        )

    async def _ready(self, transaction: Any, kind: str) -> Prepared:
        """Prepare a transaction on top of head and pool; raises `Refused` when it cannot be paid."""
        head, owner = self.chain.head, owner_of(transaction)
        (balance,) = await self.engine.balances([owner[1:]], head.number)
        waiting = [one for one in self.chain.pool.values() if one.owner == owner]
        balance -= sum(one.reserved for one in waiting)
        account = head.world.accounts[owner]
        used = account.using(sum(one.used for one in waiting), head.timestamp)
        ready = prepare(
            transaction=transaction,
            world=head.world.with_account(owner, used),
            balance=balance,
            now_ms=head.timestamp,
            prices=self.prices,
        )
        if ready is None:
            raise _too_poor(transaction, kind, balance)
        return ready

    async def _try(self, ready: Prepared) -> str:
        """Return the result that a transaction would have now; raises `Refused`."""
        if not ready.is_vm:
            return "SUCCESS"
        creates = ready.kind == "CreateSmartContract"
        code = ready.inner.new_contract.bytecode if creates else None
        return judge(ready, await self.call(ready.message, code=code)).result

    async def check_balance(self, transaction: Any) -> None:
        """Check that the owner can pay a transfer; raises `Refused`."""
        await self._ready(transaction, "TransferContract")

    async def call(
        self, message: Message, block: Block | None = None, code: bytes | None = None
    ) -> Execution:
        """Run a message without effect on top of a block (None: the head); raises `Refused`."""
        # Always by number: while a block is being made the engine is ahead of the chain.
        number = (block or self.chain.head).number
        try:
            return await self.engine.simulate(message, number, code)
        except Underfunded as error:
            known = PREFIX + message.sender in self.chain.head.world.accounts
            raise invalid(_NO_VALUE if known else _NO_OWNER) from error

    async def reorg(self, blocks: int) -> None:
        """Undo the newest blocks, never a solid one, as a node that was stopped does."""
        async with self._lock:
            count = min(blocks, self.chain.head.number - self.chain.solid.number)
            if count > 0:
                await self.engine.roll_back(count)
            self.chain.undo(count)


def _too_poor(transaction: Any, kind: str, balance: int) -> Refused:
    """Return the refusal of an owner who has not enough: for the value itself, or for the fee."""
    if balance >= value_of(transaction):
        return Refused("BANDWITH_ERROR", "Account resource insufficient error.")
    if kind == "TransferContract":
        return invalid("Validate TransferContract error, balance is not sufficient.")
    return invalid(_NO_VALUE)
