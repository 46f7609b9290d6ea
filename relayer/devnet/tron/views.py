"""How the node shows blocks, transactions in blocks, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_hash.auto import keccak

from relayer.devnet.tron.addresses import PREFIX
from relayer.devnet.tron.rendering import render, render_address, render_transaction

if TYPE_CHECKING:
    from relayer.devnet.tron.chain import Block, Included
    from relayer.devnet.tron.evm import Log


def show_block(block: Block, *, visible: bool, detail: bool = True) -> dict[str, Any]:
    """Return a block; without transactions when there are none or `detail` is off."""
    answer: dict[str, Any] = {
        "blockID": block.id.hex(),
        "block_header": render(block.header, visible=visible),
    }
    raw = block.header.raw_data
    answer["block_header"]["raw_data"]["txTrieRoot"] = raw.txTrieRoot.hex()
    if block.included and detail:
        answer["transactions"] = [
            render_transaction(one.transaction, visible=visible) for one in block.included
        ]
    return answer


def show_info(one: Included, *, visible: bool) -> dict[str, Any]:
    """Return the transaction info: fees, result, logs; zero fields left out."""
    execution, bandwidth = one.execution, one.bandwidth
    answer: dict[str, Any] = {"id": one.txid.hex()}
    _put(answer, "fee", bandwidth.total + one.energy_fee)
    answer["blockNumber"] = one.number
    answer["blockTimeStamp"] = one.timestamp
    answer["contractResult"] = [execution.output.hex()]
    if one.contract is not None:
        answer["contract_address"] = render_address(one.contract, visible=visible)
    answer["receipt"] = _receipt(one)
    if execution.logs:
        answer["log"] = [show_log(log, visible=visible) for log in execution.logs]
    if not execution.succeeded:
        answer["result"] = "FAILED"
        answer["resMessage"] = execution.words.encode().hex()
    if execution.internal:
        answer["internal_transactions"] = _internal(one, visible=visible)
    return answer


def _receipt(one: Included) -> dict[str, Any]:
    receipt: dict[str, Any] = {}
    _put(receipt, "energy_fee", one.energy_fee)
    _put(receipt, "energy_usage_total", one.execution.energy)
    _put(receipt, "net_usage", one.bandwidth.usage)
    _put(receipt, "net_fee", one.bandwidth.fee)
    if one.is_vm:
        receipt["result"] = one.execution.result
    return receipt


def _put(answer: dict[str, Any], key: str, value: int) -> None:
    if value:
        answer[key] = value


def show_log(log: Log, *, visible: bool) -> dict[str, Any]:
    """Return a log: its address has 20 bytes without 41, unless visible."""
    address = render_address(PREFIX + log.address, visible=True) if visible else log.address.hex()
    shown: dict[str, Any] = {"address": address}
    if log.topics:
        shown["topics"] = [topic.hex() for topic in log.topics]
    if log.data:
        shown["data"] = log.data.hex()
    return shown


def _internal(one: Included, *, visible: bool) -> list[dict[str, Any]]:
    return [
        {
            "hash": keccak(one.txid + index.to_bytes(4, "big")).hex(),
            "caller_address": render_address(PREFIX + call.sender, visible=visible),
            "transferTo_address": render_address(PREFIX + call.to, visible=visible),
            "callValueInfo": [{"callValue": call.value} if call.value else {}],
            "note": call.note.encode().hex(),
        }
        for index, call in enumerate(one.execution.internal)
    ]
