"""`/jsonrpc`: what the node offers of Ethereum's interface, with its own gaps and words."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eth_hash.auto import keccak

from relayer.devnet.tron import ethviews, messages
from relayer.devnet.tron.calling import Calling
from relayer.devnet.tron.evm import TIME_LIMIT_ENERGY, Execution, Message
from relayer.devnet.tron.faultwords import Refused
from relayer.devnet.tron.jsonrpcfaults import RpcError, bad_parameters
from relayer.devnet.tron.logfilters import LogFilters
from relayer.devnet.tron.rendering import render_transaction

if TYPE_CHECKING:
    from relayer.devnet.tron.chain import Block
    from relayer.devnet.tron.node import TronNode
    from relayer.devnet.tron.reading import View

_CALL_FIELDS = frozenset({"from", "to", "gas", "gasPrice", "value", "data", "nonce"})
_ABSENT = (
    *("eth_getTransactionCount", "eth_sendRawTransaction", "eth_sendTransaction", "eth_sign"),
    *("eth_signTransaction", "eth_submitWork", "eth_submitHashrate", "parity_nextNonce"),
    *("eth_getUncleByBlockHashAndIndex", "eth_getUncleByBlockNumberAndIndex", "eth_compileLLL"),
    *("eth_getUncleCountByBlockHash", "eth_getUncleCountByBlockNumber", "eth_getCompilers"),
    *("eth_compileSolidity", "eth_compileSerpent"),
)
Method = Callable[..., Awaitable[Any]]


@dataclass(slots=True)
class JsonRpc:
    """The JSON-RPC face of one view."""

    view: View
    _methods: dict[str, Method] = field(init=False)
    _filters: LogFilters = field(init=False)

    def __post_init__(self) -> None:
        """Collect the methods by their names on the wire."""
        self._filters = LogFilters(self.view)
        self._methods = {
            **_constants(self.view),
            **self._filters.methods(),
            "eth_blockNumber": self.block_number,
            "eth_getBlockByNumber": self.block_by_number,
            "eth_getBlockByHash": self.block_by_hash,
            "eth_getBlockTransactionCountByNumber": self.count_by_number,
            "eth_getBlockTransactionCountByHash": self.count_by_hash,
            "eth_getTransactionByHash": self.transaction,
            "eth_getTransactionByBlockNumberAndIndex": self.transaction_at,
            "eth_getTransactionReceipt": self.receipt,
            "eth_call": self.call,
            "eth_estimateGas": self.estimate,
            "eth_getBalance": self.balance,
            "eth_getCode": self.code,
            "eth_getStorageAt": self.storage,
        }

    @property
    def _node(self) -> TronNode:
        return self.view.node

    async def answer(self, body: Any) -> Any:
        """Return the answer to a parsed body (None: it was no JSON); None means an empty one."""
        if isinstance(body, list):
            answers = [await self._one(one) for one in body]
            return [one for one in answers if one is not None]
        return await self._one(body)

    async def _one(self, body: Any) -> dict[str, Any] | None:
        if not isinstance(body, dict) or not isinstance(body.get("method"), str):
            return _unreadable()
        number, method, params = body.get("id"), body["method"], body.get("params") or []
        try:
            result = await self._run(method, params)
        except RpcError as error:
            if error.is_unreadable:
                return _unreadable()
            answer = {"jsonrpc": "2.0", "id": number, "error": error.shown()}
        else:
            answer = {"jsonrpc": "2.0", "id": number, "result": result}
        return None if number is None else answer

    async def _run(self, method: str, params: Any) -> Any:
        if method in _ABSENT:
            raise RpcError(-32601, f"the method {method} does not exist/is not available")
        found = self._methods.get(method)
        if found is None:
            raise RpcError(-32601, "method not found", data=None)
        try:
            inspect.signature(found).bind(*params)
        except TypeError as error:
            raise bad_parameters() from error
        return await found(*params)

    async def block_number(self) -> str:
        """The newest block's number."""
        return hex(self.view.top.number)

    async def block_by_number(self, which: Any, full: Any) -> Any:
        """A block by number or tag."""
        return self._show(self._filters.block_at(which), full=full)

    async def block_by_hash(self, block_id: str, full: Any) -> Any:
        """A block by id."""
        return self._show(self.view.block_of_id(ethviews.hash_of(block_id)), full=full)

    def _show(self, block: Block | None, *, full: Any) -> Any:
        if block is None:
            return None
        return ethviews.show_block(block, full=bool(full))

    async def count_by_number(self, which: Any) -> Any:
        """How many transactions a block has."""
        block = self._filters.block_at(which)
        return None if block is None else hex(len(block.included))

    async def count_by_hash(self, block_id: str) -> Any:
        """The same by id."""
        block = self.view.block_of_id(ethviews.hash_of(block_id))
        return None if block is None else hex(len(block.included))

    async def transaction(self, identity: str) -> Any:
        """A transaction in a block, on the full view in the pool too."""
        txid = ethviews.hash_of(identity)
        included = self.view.included(txid)
        if included is not None:
            block = self._node.chain.blocks[included.number]
            return ethviews.show_transaction(included, block)
        pooled = None if self.view.solid else self._node.chain.pooled(txid)
        return None if pooled is None else ethviews.show_pooled(pooled)

    async def transaction_at(self, which: Any, index: str) -> Any:
        """A transaction by its place."""
        block, at = self._filters.block_at(which), int(index, 16)
        if block is None or at >= len(block.included):
            return None
        return ethviews.show_transaction(block.included[at], block)

    async def receipt(self, identity: str) -> Any:
        """The receipt of a transaction in a block."""
        included = self.view.included(ethviews.hash_of(identity))
        if included is None:
            return None
        return ethviews.show_receipt(included, self._node.chain.blocks[included.number])

    async def call(self, request: Any, which: Any) -> str:
        """Run a call on the newest block; revert data is lost."""
        if not isinstance(request, dict) or set(request) - _CALL_FIELDS:
            raise RpcError(-32700, "JSON parse error", is_unreadable=True)
        self._check_place(which)
        execution = await self._execute(request)
        return "0x" + execution.output.hex()

    def _check_place(self, which: Any) -> None:
        """Check where a call is to run: at the newest block, or at one that an object names.

        The node runs the latter at its newest block all the same.
        """
        if not isinstance(which, dict):
            _only_latest(which)
        elif self._filters.block_at(which.get("blockNumber")) is None:
            raise RpcError(-32000, "header not found")

    async def estimate(self, request: Any) -> str:
        """Return the energy of a call; a plain transfer needs none."""
        if not isinstance(request, dict) or set(request) - _CALL_FIELDS:
            raise RpcError(-32700, "JSON parse error", is_unreadable=True)
        to = ethviews.address_of(request.get("to"))
        if to not in self.view.top.world.contracts:
            return "0x0"
        return hex((await self._execute(request)).energy)

    async def _execute(self, request: dict[str, Any]) -> Execution:
        to = ethviews.address_of(request.get("to"))
        sender = ethviews.address_of(request.get("from") or "0x" + "00" * 20)
        if to not in self.view.top.world.contracts:
            raise RpcError(-32600, "Smart contract is not exist.")
        message = Message(
            sender=sender[1:],
            to=to[1:],
            data=bytes.fromhex(str(request.get("data", "0x"))[2:]),
            value=int(str(request.get("value", "0x0")), 16),
            energy=TIME_LIMIT_ENERGY,
        )
        try:
            execution = await self._node.call(message, self.view.top)
        except Refused as refused:
            raise RpcError(-32600, refused.words) from refused
        if execution.result == "OUT_OF_ENERGY":
            raise RpcError(-32000, "CPU timeout for 'JUMP' operation executing")
        if not execution.succeeded:
            raise RpcError(-32000, execution.words + ethviews.reason_of(execution.output))
        return execution

    async def balance(self, address: str, which: Any) -> str:
        """The balance in sun."""
        _only_latest(which)
        owner = ethviews.address_of(address)
        (sun,) = await self._node.engine.balances([owner[1:]], self.view.top.number)
        return hex(sun)

    async def code(self, address: str, which: Any) -> str:
        """The code that runs at an address."""
        _only_latest(which)
        owner, top = ethviews.address_of(address), self.view.top
        if owner not in top.world.contracts:
            return "0x"
        return "0x" + (await self._node.engine.code(owner[1:], top.number)).hex()

    async def storage(self, address: str, slot: str, which: Any) -> str:
        """One word of a contract's storage."""
        _only_latest(which)
        owner = ethviews.address_of(address)
        word = await self._node.engine.storage(owner[1:], int(slot, 16), self.view.top.number)
        return "0x" + word.hex()


def _only_latest(which: Any) -> None:
    if which == "latest":
        return
    if which in ("earliest", "pending", "finalized"):
        raise RpcError(-32602, "TAG [earliest | pending | finalized] not supported")
    try:
        int(str(which), 16)
    except ValueError as error:
        raise RpcError(-32602, "invalid block number") from error
    raise RpcError(-32602, "QUANTITY not supported, just support TAG as latest")


def _unreadable() -> dict[str, Any]:
    error = {"code": -32700, "message": "JSON parse error"}
    return {"jsonrpc": "2.0", "id": "null", "error": error}


def _constants(view: View) -> dict[str, Method]:
    """Return the methods that have little to say."""
    node = view.node

    def fixed(value: Any) -> Method:
        async def answer() -> Any:
            return value

        return answer

    async def version() -> Any:
        words = "No match found"
        data = {"exceptionTypeName": "java.lang.IllegalStateException", "message": words}
        raise RpcError(-32001, words, data=data)

    async def work() -> Any:
        return ["0x" + view.top.id.hex(), None, None]

    async def sha3(data: str) -> Any:
        return "0x" + keccak(bytes.fromhex(data[2:])).hex()

    async def build(request: dict[str, Any]) -> Any:
        return await _build(view, request)

    witness = "0x" + node.witness_address.hex()
    return {
        "eth_chainId": fixed(hex(node.chain_id)),
        "net_version": fixed(hex(node.chain_id)),
        "web3_clientVersion": version,
        "net_listening": fixed(value=False),
        "net_peerCount": fixed("0x0"),
        "eth_syncing": fixed(value=False),
        "eth_gasPrice": fixed(hex(node.prices.energy)),
        "eth_protocolVersion": fixed("0x20"),
        "eth_accounts": fixed([]),
        "eth_coinbase": fixed(witness),
        "eth_mining": fixed(value=True),
        "eth_hashrate": fixed("0x0"),
        "eth_getWork": work,
        "web3_sha3": sha3,
        "buildTransaction": build,
    }


async def _build(view: View, request: dict[str, Any]) -> Any:
    """Build a TRX transfer, on the full view only."""
    if view.solid:
        words = "the method buildTransaction does not exist/is not available in SOLIDITY"
        raise RpcError(-32601, words)
    inner = messages.new(
        "TransferContract",
        owner_address=ethviews.address_of(request.get("from")),
        to_address=ethviews.address_of(request.get("to")),
        amount=int(str(request.get("value", "0x0")), 16),
    )
    transaction = Calling(view).built("TransferContract", inner, {})
    return {"transaction": render_transaction(transaction, visible=False, marked=True)}
