"""Methods about the node and its cluster of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.methods.method import API_VERSION, Method, at_slot
from relayer.devnet.solana.params import as_list, as_pubkey
from relayer.devnet.solana.rpcerror import RpcError

if TYPE_CHECKING:
    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_FEATURE_SET = 565236538
_STAKE = 999_999_997_717_120
_SLOTS_IN_EPOCH = 432_000
_ROOT_DEPTH = 31


def _version(_node: Node, _params: Params) -> Any:
    return {"feature-set": _FEATURE_SET, "solana-core": API_VERSION}


def _health(_node: Node, _params: Params) -> Any:
    return "ok"


def _identity(node: Node, _params: Params) -> Any:
    return {"identity": str(node.identity.pubkey())}


def _genesis_hash(node: Node, _params: Params) -> Any:
    return str(node.chain.genesis_hash)


def _slot_leader(node: Node, _params: Params) -> Any:
    return str(node.identity.pubkey())


def _epoch_info(node: Node, params: Params) -> Any:
    height = params.options(0, "RpcContextConfig").height(node)
    slot = node.chain.slot_of(height)
    return {
        "absoluteSlot": slot,
        "blockHeight": height,
        "epoch": slot // _SLOTS_IN_EPOCH,
        "slotIndex": slot % _SLOTS_IN_EPOCH,
        "slotsInEpoch": _SLOTS_IN_EPOCH,
        "transactionCount": node.ledger.count_at(height),
    }


def _epoch_schedule(_node: Node, _params: Params) -> Any:
    return {
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
        "leaderScheduleSlotOffset": _SLOTS_IN_EPOCH,
        "slotsPerEpoch": _SLOTS_IN_EPOCH,
        "warmup": False,
    }


def _cluster_nodes(node: Node, _params: Params) -> Any:
    host, port = node.config.host, node.port
    return [
        {
            "clientId": "Agave",
            "featureSet": _FEATURE_SET,
            "gossip": f"{host}:{port + 2}",
            "pubkey": str(node.identity.pubkey()),
            "pubsub": f"{host}:{port + 1}",
            "rpc": f"{host}:{port}",
            "serveRepair": f"{host}:{port + 13}",
            "shredVersion": 1,
            "tpu": None,
            "tpuForwards": None,
            "tpuForwardsQuic": f"{host}:{port + 8}",
            "tpuQuic": f"{host}:{port + 7}",
            "tpuVote": f"{host}:{port + 9}",
            "tvu": f"{host}:{port + 6}",
            "version": API_VERSION,
        }
    ]


def _vote_accounts(node: Node, _params: Params) -> Any:
    vote = {
        "activatedStake": _STAKE,
        "commission": 0,
        "epochCredits": [],
        "epochVoteAccount": True,
        "inflationRewardsCommissionBps": 0,
        "lastVote": node.chain.tip_slot(Commitment.PROCESSED),
        "nodePubkey": str(node.identity.pubkey()),
        "rootSlot": node.chain.tip_slot(Commitment.FINALIZED),
        "votePubkey": str(node.vote_account),
    }
    return {"current": [vote], "delinquent": []}


def _supply(node: Node, params: Params) -> Any:
    height = params.options(0, "RpcSupplyConfig").height(node)
    total = node.config.faucet_lamports
    value = {
        "circulating": total,
        "nonCirculating": 0,
        "nonCirculatingAccounts": [],
        "total": total,
    }
    return at_slot(node, height, value)


def _inflation_governor(_node: Node, _params: Params) -> Any:
    return {
        "foundation": 0.05,
        "foundationTerm": 7.0,
        "initial": 0.08,
        "taper": 0.15,
        "terminal": 0.015,
    }


def _inflation_rate(_node: Node, _params: Params) -> Any:
    return {"epoch": 0, "foundation": 0.004, "total": 0.08, "validator": 0.076}


def _inflation_reward(_node: Node, params: Params) -> Any:
    return [None for _ in map(as_pubkey, as_list(params.get(0)))]


def _minimum_delegation(node: Node, params: Params) -> Any:
    height = params.options(0, "CommitmentConfig").height(node)
    return at_slot(node, height, 1_000_000_000)


def _no_snapshot(_node: Node, _params: Params) -> Any:
    raise RpcError(-32008, "No snapshot")


def _newest_slot(node: Node, _params: Params) -> Any:
    return node.chain.slot_of(node.chain.height)


def _performance_samples(_node: Node, _params: Params) -> Any:
    return []


def _block_commitment(node: Node, params: Params) -> Any:
    height = node.chain.height_at(params.u64(0))
    commitment: list[int] | None = None
    if height is not None:
        depth = node.chain.height - height
        commitment = [0] * (_ROOT_DEPTH + 1)
        commitment[min(depth, _ROOT_DEPTH)] = _STAKE
    return {"commitment": commitment, "totalStake": _STAKE}


METHODS = {
    "getVersion": Method(_version, 0, 0),
    "getHealth": Method(_health, 0, 0),
    "getIdentity": Method(_identity, 0, 0),
    "getGenesisHash": Method(_genesis_hash, 0, 0),
    "getSlotLeader": Method(_slot_leader),
    "getEpochInfo": Method(_epoch_info),
    "getEpochSchedule": Method(_epoch_schedule, 0, 0),
    "getClusterNodes": Method(_cluster_nodes, 0, 0),
    "getVoteAccounts": Method(_vote_accounts),
    "getSupply": Method(_supply),
    "getInflationGovernor": Method(_inflation_governor),
    "getInflationRate": Method(_inflation_rate, 0, 0),
    "getInflationReward": Method(_inflation_reward, 1, 2),
    "getStakeMinimumDelegation": Method(_minimum_delegation),
    "getHighestSnapshotSlot": Method(_no_snapshot, 0, 0),
    "getMaxRetransmitSlot": Method(_newest_slot, 0, 0),
    "getMaxShredInsertSlot": Method(_newest_slot, 0, 0),
    "getRecentPerformanceSamples": Method(_performance_samples),
    "getBlockCommitment": Method(_block_commitment, 1, 1),
}
