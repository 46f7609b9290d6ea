"""Turns pooled transactions into the next block: runs them, charges fees, creates contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eth_hash.auto import keccak

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.chain import Included
from relayer.devnet.tron.evm import TIME_LIMIT_ENERGY, Execution, Message
from relayer.devnet.tron.rendering import txid
from relayer.devnet.tron.world import Account, Bandwidth, bandwidth_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relayer.devnet.tron.chain import Block
    from relayer.devnet.tron.evm import EvmEngine
    from relayer.devnet.tron.faults import Faults
    from relayer.devnet.tron.world import Prices, World

_ENERGY_PER_CODE_BYTE = 200
_OUT_OF_TIME = "Already Time Out"
_OUT_OF_ENERGY = "Not enough energy for 'save just created contract code' operation executing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A transaction that is about to run: its message, fees, and where it creates a contract."""

    transaction: Any
    kind: str
    inner: Any
    message: Message
    bandwidth: Bandwidth
    target: bytes | None
    energy_limit: int
    times_out: bool = False

    @property
    def owner(self) -> bytes:
        """The paying account."""
        owner: bytes = self.inner.owner_address
        return owner

    @property
    def is_vm(self) -> bool:
        """Tell whether the TVM runs it (and energy is charged)."""
        return self.kind != "TransferContract"


def prepare(
    *, transaction: Any, world: World, balance: int, now_ms: int, prices: Prices
) -> Prepared | None:
    """Return how a transaction would run with this balance (sun) of its owner.

    None when bandwidth and value together are more than the balance.
    """
    contract = transaction.raw_data.contract[0]
    kind, inner = messages.contract_name(contract.type), messages.unpack(contract)
    account = world.accounts.get(inner.owner_address, Account())
    creates = kind == "TransferContract" and inner.to_address not in world.accounts
    bandwidth = bandwidth_of(
        transaction=transaction, account=account, creates=creates, now_ms=now_ms, prices=prices
    )
    value, to, data, target = _parts(kind or "", inner, transaction)
    left = balance - bandwidth.total - value
    if left < 0:
        return None
    energy = min(transaction.raw_data.fee_limit, left) // prices.energy
    message = Message(
        sender=inner.owner_address[1:],
        to=to[1:],
        data=data,
        value=value,
        energy=0 if kind == "TransferContract" else min(energy, TIME_LIMIT_ENERGY),
    )
    return Prepared(
        transaction=transaction,
        kind=kind or "",
        inner=inner,
        message=message,
        bandwidth=bandwidth,
        target=target,
        energy_limit=energy,
    )


def _parts(kind: str, inner: Any, transaction: Any) -> tuple[int, bytes, bytes, bytes | None]:
    """Return value in sun, callee, call data, and the address of the contract it is about."""
    match kind:
        case "TransferContract":
            return inner.amount, inner.to_address, b"", None
        case "CreateSmartContract":
            target = addresses.of_contract(txid(transaction), inner.owner_address)
            return inner.new_contract.call_value, target, b"", target
        case _:
            return inner.call_value, inner.contract_address, inner.data, inner.contract_address


@dataclass(slots=True)
class BlockRun:
    """The making of one block's content at a timestamp (milliseconds)."""

    engine: EvmEngine
    prices: Prices
    faults: Faults
    parent: Block
    timestamp: int

    async def run(self, pool: Iterable[Any]) -> tuple[list[Included], World, list[bytes]]:
        """Mine what the pool gives; returns what is in, the world after it, and dropped ids."""
        transactions = list(pool)
        prepared, dropped = await self._prepare(transactions)
        await self.engine.set_codes(
            {one.target[1:]: _init_code(one) for one in _creations(prepared)}
        )
        executions = await self.engine.mine(
            [one.message for one in prepared], self.timestamp // 1000
        )
        done = []
        for one, execution in zip(prepared, executions, strict=True):
            if execution is None:
                dropped.append(txid(one.transaction))
            else:
                done.append((one, judge(one, execution)))
        # Anvil takes a batch at once: what came first there is first in the block.
        done.sort(key=lambda pair: pair[1].position)
        await self._place_code(done)
        await self._charge(done)
        return _included(self, done), self._world_after(done), dropped

    async def _prepare(self, transactions: Sequence[Any]) -> tuple[list[Prepared], list[bytes]]:
        """Prepare in order; an owner's later transactions see what the earlier ones reserve."""
        owners = list({owner_of(one) for one in transactions})
        sums = await self.engine.balances([one[1:] for one in owners])
        left = dict(zip(owners, sums, strict=True))
        world, prepared, dropped = self.parent.world, [], []
        for transaction in transactions:
            one = prepare(
                transaction=transaction,
                world=world,
                balance=left[owner_of(transaction)],
                now_ms=self.timestamp,
                prices=self.prices,
            )
            if one is None:
                dropped.append(txid(transaction))
                continue
            if one.is_vm and self.faults.take_out_of_time():
                one = replace(one, message=replace(one.message, energy=0), times_out=True)
            left[one.owner] -= one.bandwidth.total + one.message.value
            world = _touched(world, one, self.timestamp)
            prepared.append(one)
        return prepared, dropped

    async def _place_code(self, done: Sequence[tuple[Prepared, Execution]]) -> None:
        """Replace init code by what it returned, so that the contract lives at Tron's address."""
        await self.engine.set_codes(
            {
                one.target[1:]: execution.output if execution.succeeded else b""
                for one, execution in done
                if one.kind == "CreateSmartContract" and one.target is not None
            }
        )

    async def _charge(self, done: Sequence[tuple[Prepared, Execution]]) -> None:
        fees: dict[bytes, int] = {}
        for one, execution in done:
            fee = one.bandwidth.total + execution.energy * self.prices.energy
            fees[one.owner] = fees.get(one.owner, 0) + fee
        owners = list(fees)
        sums = await self.engine.balances([one[1:] for one in owners])
        await self.engine.set_balances(
            {
                owner[1:]: max(0, sun - fees[owner])
                for owner, sun in zip(owners, sums, strict=True)
                if fees[owner]
            }
        )

    def _world_after(self, done: Sequence[tuple[Prepared, Execution]]) -> World:
        world = self.parent.world
        for one, execution in done:
            world = _touched(world, one, self.timestamp)
            if one.kind == "CreateSmartContract" and execution.succeeded and one.target:
                world = _with_contract(world, one, execution, self.timestamp)
            world = _with_internal(world, execution, self.timestamp)
        return world


def judge(one: Prepared, execution: Execution) -> Execution:
    """Return the execution as the TVM would have it: its time limit, the price of stored code."""
    ran_out = execution.result == "OUT_OF_ENERGY"
    if one.times_out or (ran_out and one.energy_limit > one.message.energy):
        return replace(_failed(execution, one, "OUT_OF_TIME"), words=_OUT_OF_TIME)
    if one.kind != "CreateSmartContract" or not execution.succeeded:
        return execution
    energy = execution.energy + _ENERGY_PER_CODE_BYTE * len(execution.output)
    if energy > one.energy_limit:
        return replace(_failed(execution, one, "OUT_OF_ENERGY"), words=_OUT_OF_ENERGY)
    return replace(execution, energy=energy)


def _failed(execution: Execution, one: Prepared, result: str) -> Execution:
    """Return a failure that leaves no trace and costs the whole limit."""
    return Execution(result=result, energy=one.energy_limit, position=execution.position)


def owner_of(transaction: Any) -> bytes:
    """Return the account (21 bytes) that a checked transaction belongs to."""
    owner: bytes = messages.unpack(transaction.raw_data.contract[0]).owner_address
    return owner


def value_of(transaction: Any) -> int:
    """Return the sun that a transaction moves, fees aside."""
    contract = transaction.raw_data.contract[0]
    kind, inner = messages.contract_name(contract.type), messages.unpack(contract)
    return _parts(kind or "", inner, transaction)[0]


def _creations(prepared: Sequence[Prepared]) -> list[Any]:
    return [one for one in prepared if one.kind == "CreateSmartContract"]


def _init_code(one: Prepared) -> bytes:
    code: bytes = one.inner.new_contract.bytecode
    return code


def _touched(world: World, one: Prepared, now_ms: int) -> World:
    """Return the world with the owner's bandwidth used and a transfer's recipient activated."""
    account = world.accounts.get(one.owner, Account(created_ms=now_ms))
    used = account.using(one.bandwidth.usage, now_ms) if one.bandwidth.usage else account
    world = world.with_account(one.owner, replace(used, operated_ms=now_ms))
    if one.kind == "TransferContract":
        world = world.activated(one.inner.to_address, now_ms)
    return world


def _with_contract(world: World, one: Prepared, execution: Execution, now_ms: int) -> World:
    target = one.target or b""
    stored = messages.new("SmartContract")
    stored.CopyFrom(one.inner.new_contract)
    stored.contract_address = target
    stored.origin_address = one.owner
    stored.code_hash = keccak(execution.output)
    world = world.with_contract(target, stored)
    account = Account(created_ms=now_ms, name=stored.name, is_contract=True)
    return world.with_account(target, account)


def _with_internal(world: World, execution: Execution, now_ms: int) -> World:
    """Return the world with what contracts created and whom they paid."""
    for call in execution.internal:
        address = addresses.PREFIX + call.to
        if call.note == "create":
            creator = addresses.PREFIX + call.sender
            contract = messages.new(
                "SmartContract", contract_address=address, origin_address=creator
            )
            world = world.with_contract(address, contract)
            world = world.with_account(address, Account(created_ms=now_ms, is_contract=True))
        elif call.value:
            world = world.activated(address, now_ms)
    return world


def _included(run: BlockRun, done: Sequence[tuple[Prepared, Execution]]) -> list[Included]:
    included, first_log = [], 0
    for index, (one, execution) in enumerate(done):
        transaction = type(one.transaction)()
        transaction.CopyFrom(one.transaction)
        del transaction.ret[:]
        transaction.ret.add(contractRet=messages.result_number(execution.result))
        included.append(
            Included(
                transaction=transaction,
                txid=txid(transaction),
                number=run.parent.number + 1,
                index=index,
                timestamp=run.timestamp,
                execution=execution,
                bandwidth=one.bandwidth,
                energy_fee=execution.energy * run.prices.energy,
                contract=one.target,
                is_vm=one.is_vm,
                first_log=first_log,
            )
        )
        first_log += len(execution.logs)
    return included
