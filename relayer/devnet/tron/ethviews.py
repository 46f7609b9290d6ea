"""How the node shows its chain in Ethereum's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.tron import messages
from relayer.devnet.tron.addresses import LENGTH, PREFIX
from relayer.devnet.tron.jsonrpcfaults import RpcError
from relayer.devnet.tron.rendering import txid

if TYPE_CHECKING:
    from relayer.devnet.tron.chain import Block, Included

_NO_BLOOM = "0x" + "00" * 256
_NO_HASH = "0x" + "00" * 32
_NO_NONCE = "0x" + "00" * 8
_ENERGY_PRICE = "0x64"
_ERROR_SELECTOR = bytes.fromhex("08c379a0")


def address_of(text: Any) -> bytes:
    """Return 21 bytes of an address of 20 or 21; raises `RpcError`."""
    try:
        raw = bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) == LENGTH - 1:
        return PREFIX + raw
    if len(raw) == LENGTH and raw.startswith(PREFIX):
        return raw
    raise RpcError(-32602, "invalid address hash value")


def hash_of(text: Any) -> bytes:
    """Return the 32 bytes of a hash, 0x or not; raises `RpcError`."""
    try:
        raw = bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise RpcError(-32602, "invalid hash value")
    return raw


def reason_of(output: bytes) -> str:
    """Return `: reason` when revert data holds Error(string), else nothing."""
    if output[:4] != _ERROR_SELECTOR:
        return ""
    length = int.from_bytes(output[36:68], "big")
    return ": " + output[68 : 68 + length].decode(errors="replace")


def show_block(block: Block, *, full: bool) -> dict[str, Any]:
    """Return a block; transactions whole or by id."""
    raw = block.header.raw_data
    listed: list[Any] = [
        show_transaction(one, block) if full else "0x" + one.txid.hex() for one in block.included
    ]
    limits = sum(one.transaction.raw_data.fee_limit for one in block.included)
    return {
        "baseFeePerGas": "0x0",
        "difficulty": "0x0",
        "extraData": "0x",
        "gasLimit": hex(limits),
        "gasUsed": hex(sum(one.execution.energy for one in block.included)),
        "hash": "0x" + block.id.hex(),
        "logsBloom": _NO_BLOOM,
        "miner": "0x" + raw.witness_address[1:21].hex(),
        "mixHash": _NO_HASH,
        "nonce": _NO_NONCE,
        "number": hex(block.number),
        "parentHash": "0x" + raw.parentHash.hex(),
        "receiptsRoot": _NO_HASH,
        "sha3Uncles": _NO_HASH,
        "size": hex(
            block.header.ByteSize() + sum(i.transaction.ByteSize() for i in block.included)
        ),
        "stateRoot": "0x",
        "timestamp": hex(block.timestamp // 1000),
        "totalDifficulty": "0x0",
        "transactions": listed,
        "transactionsRoot": "0x" + raw.txTrieRoot.hex(),
        "uncles": [],
    }


def show_transaction(one: Included, block: Block) -> dict[str, Any]:
    """Return a transaction in a block."""
    return {
        **_placeless(one.transaction),
        "blockHash": "0x" + block.id.hex(),
        "blockNumber": hex(block.number),
        "gas": hex(one.execution.energy),
        "gasPrice": _ENERGY_PRICE,
        "transactionIndex": hex(one.index),
    }


def show_pooled(transaction: Any) -> dict[str, Any]:
    """Return a transaction in the pool: what is not known yet is a bare 0x."""
    nowhere = {"blockHash": "0x", "blockNumber": "0x", "gasPrice": "0x", "transactionIndex": "0x"}
    return {**_placeless(transaction), "gas": "0x0", **nowhere}


def _placeless(transaction: Any) -> dict[str, Any]:
    inner = messages.unpack(transaction.raw_data.contract[0])
    kind = messages.contract_name(transaction.raw_data.contract[0].type)
    signature = transaction.signature[0]
    value = {"TransferContract": "amount", "TriggerSmartContract": "call_value"}.get(kind or "")
    data = inner.data if kind == "TriggerSmartContract" else b""
    return {
        "from": "0x" + inner.owner_address[1:].hex(),
        "hash": "0x" + txid(transaction).hex(),
        "input": "0x" + data.hex(),
        "nonce": _NO_NONCE,
        "r": "0x" + signature[:32].hex(),
        "s": "0x" + signature[32:64].hex(),
        "to": _to(kind, inner),
        "type": "0x0",
        "v": hex(signature[64] % 27 + 27),
        "value": hex(getattr(inner, value)) if value else "0x0",
    }


def _to(kind: str | None, inner: Any) -> str | None:
    if kind == "CreateSmartContract":
        return None
    callee: bytes = inner.to_address if kind == "TransferContract" else inner.contract_address
    return "0x" + callee[1:].hex()


def show_receipt(one: Included, block: Block) -> dict[str, Any]:
    """Return the receipt of a transaction in a block."""
    base = _placeless(one.transaction)
    before = sum(it.execution.energy for it in block.included[: one.index + 1])
    created = one.contract if base["to"] is None else None
    return {
        "blockHash": "0x" + block.id.hex(),
        "blockNumber": hex(block.number),
        "contractAddress": None if created is None else "0x" + created[1:].hex(),
        "cumulativeGasUsed": hex(before),
        "effectiveGasPrice": _ENERGY_PRICE,
        "from": base["from"],
        "gasUsed": hex(one.execution.energy),
        "logs": show_logs(one, block),
        "logsBloom": _NO_BLOOM,
        "status": "0x1" if one.execution.succeeded else "0x0",
        "to": base["to"],
        "transactionHash": base["hash"],
        "transactionIndex": hex(one.index),
        "type": "0x0",
    }


def show_logs(one: Included, block: Block) -> list[dict[str, Any]]:
    """Return the logs of a transaction with their places in the block."""
    return [
        {
            "address": "0x" + log.address.hex(),
            "blockHash": "0x" + block.id.hex(),
            "blockNumber": hex(block.number),
            "data": "0x" + log.data.hex(),
            "logIndex": hex(one.first_log + at),
            "removed": False,
            "topics": ["0x" + topic.hex() for topic in log.topics],
            "transactionHash": "0x" + one.txid.hex(),
            "transactionIndex": hex(one.index),
        }
        for at, log in enumerate(one.execution.logs)
    ]
