"""Methods about slots, blocks and blockhashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solders.hash import Hash, ParseHashError

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.methods.method import Method, at_slot
from relayer.devnet.solana.params import Options, as_u64, wrong_type
from relayer.devnet.solana.rpcerror import (
    RpcError,
    below_confirmed,
    block_cleaned_up,
    block_not_available,
    invalid_params,
    slot_skipped,
)
from relayer.devnet.solana.views.transactions import DETAILS, ENCODINGS, Wanted, block_entry

if TYPE_CHECKING:
    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_MAX_RANGE = 500_000
_CONTEXT = "RpcContextConfig"
WRAPPER = (
    "Invalid params: data did not match any variant of untagged enum RpcEncodingConfigWrapper."
)


def history_options(params: Params, index: int) -> Options:
    """Return the configuration of a method on history; refuses commitment `processed`."""
    options = params.options(index, _CONTEXT)
    if options.commitment() is Commitment.PROCESSED:
        raise below_confirmed()
    return options


def wanted_of(value: Any) -> tuple[Options, Wanted]:
    """Return the configuration of getTransaction or getBlock: an encoding, or an object."""
    if isinstance(value, str):
        value = {"encoding": value}
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise invalid_params(WRAPPER)
    options = Options(value)
    encoding, details = value.get("encoding") or "json", value.get("transactionDetails") or "full"
    version, rewards = value.get("maxSupportedTransactionVersion"), value.get("rewards")
    odd = version is not None and (isinstance(version, bool) or not isinstance(version, int))
    if encoding not in ENCODINGS or details not in DETAILS or odd:
        raise invalid_params(WRAPPER)
    if options.commitment() is Commitment.PROCESSED:
        raise below_confirmed()
    return options, Wanted(
        encoding=encoding, details=details, version=version, rewards=rewards is not False
    )


def oldest_slot(node: Node) -> int:
    """Return the slot of the oldest block whose transactions are all still kept."""
    purged = node.ledger.purged_height
    first = node.chain.oldest_slot
    return first if purged < 0 else max(first, node.chain.slot_of(purged + 1))


def _slot(node: Node, params: Params) -> Any:
    return node.chain.slot_of(params.options(0, _CONTEXT).height(node))


def _block_height(node: Node, params: Params) -> Any:
    return params.options(0, _CONTEXT).height(node)


def _transaction_count(node: Node, params: Params) -> Any:
    return node.ledger.count_at(params.options(0, _CONTEXT).height(node))


def _latest_blockhash(node: Node, params: Params) -> Any:
    height = params.options(0, _CONTEXT).height(node)
    value = {
        "blockhash": str(node.chain.hash_of(height)),
        "lastValidBlockHeight": height + node.chain.lifetime,
    }
    return at_slot(node, height, value)


def _is_blockhash_valid(node: Node, params: Params) -> Any:
    try:
        blockhash = Hash.from_string(params.text(0))
    except ParseHashError as error:
        raise invalid_params("WrongSize") from error
    height = params.options(1, _CONTEXT).height(node)
    return at_slot(node, height, node.recent(blockhash, height, node.chain.lifetime))


def _first_available(node: Node, _params: Params) -> Any:
    return oldest_slot(node)


def _height_of(node: Node, slot: int, commitment: Commitment) -> int:
    first = oldest_slot(node)
    if slot < first:
        raise block_cleaned_up(slot, first)
    if slot > node.chain.tip_slot(commitment):
        raise block_not_available(slot)
    height = node.chain.height_at(slot)
    if height is None:
        raise slot_skipped(slot)
    return height


def _block(node: Node, params: Params) -> Any:
    slot = params.u64(0)
    options, wanted = wanted_of(params.get(1))
    block = node.chain.block(_height_of(node, slot, options.commitment()))
    answer: dict[str, Any] = {
        "blockHeight": block.height,
        "blockTime": block.time,
        "blockhash": str(block.blockhash),
        "parentSlot": block.parent_slot,
        "previousBlockhash": str(block.previous_blockhash),
    }
    if wanted.rewards:
        answer["rewards"] = []
    landed = node.ledger.in_block(block.height)
    match wanted.details:
        case "signatures":
            answer["signatures"] = [one.envelope.signature for one in landed]
        case "full" | "accounts":
            answer["transactions"] = [block_entry(one, wanted) for one in landed]
        case _:
            pass
    return answer


def _block_time(node: Node, params: Params) -> Any:
    slot = params.u64(0)
    if slot == 0:
        return node.chain.genesis_time
    return node.chain.time_of(_height_of(node, slot, Commitment.CONFIRMED))


def _blocks(node: Node, params: Params) -> Any:
    start, end = params.u64(0), params.get(1)
    options = history_options(params, 1 if isinstance(end, dict) else 2)
    tip = node.chain.tip_slot(options.commitment())
    last = tip if end is None or isinstance(end, dict) else min(as_u64(end), tip)
    if last - start > _MAX_RANGE:
        raise invalid_params(f"Slot range too large; max {_MAX_RANGE}")
    return node.chain.slots_between(max(start, oldest_slot(node)), last)


def _blocks_with_limit(node: Node, params: Params) -> Any:
    start, limit = params.u64(0), params.u64(1, "usize")
    options = history_options(params, 2)
    if limit > _MAX_RANGE:
        raise invalid_params(f"Limit too large; max {_MAX_RANGE}")
    tip = node.chain.tip_slot(options.commitment())
    return node.chain.slots_between(max(start, oldest_slot(node)), tip, limit)


def _block_production(node: Node, params: Params) -> Any:
    height = params.options(0, "RpcBlockProductionConfig").height(node)
    last = node.chain.slot_of(height)
    made = len(node.chain.slots_between(0, last))
    value = {
        "byIdentity": {str(node.identity.pubkey()): [last + 1, made]},
        "range": {"firstSlot": 0, "lastSlot": last},
    }
    return at_slot(node, height, value)


def _leader_schedule(node: Node, params: Params) -> Any:
    slot = params.get(0)
    if slot is not None and not isinstance(slot, int | dict):
        raise wrong_type(slot, "u64")
    return {str(node.identity.pubkey()): list(range(8))}


def _slot_leaders(node: Node, params: Params) -> Any:
    limit = params.u64(1)
    if not 1 <= limit <= 5000:
        raise RpcError(-32602, "Invalid limit; max 5000")
    return [str(node.identity.pubkey())] * limit


METHODS = {
    "getSlot": Method(_slot),
    "getBlockHeight": Method(_block_height),
    "getTransactionCount": Method(_transaction_count),
    "getLatestBlockhash": Method(_latest_blockhash),
    "isBlockhashValid": Method(_is_blockhash_valid, 1, 2),
    "getFirstAvailableBlock": Method(_first_available, 0, 0),
    "minimumLedgerSlot": Method(_first_available, 0, 0),
    "getBlock": Method(_block, 1, 2),
    "getBlockTime": Method(_block_time, 1, 1),
    "getBlocks": Method(_blocks, 1, 3),
    "getBlocksWithLimit": Method(_blocks_with_limit, 2, 3),
    "getBlockProduction": Method(_block_production),
    "getLeaderSchedule": Method(_leader_schedule, 0, 2),
    "getSlotLeaders": Method(_slot_leaders, 2, 2),
}
