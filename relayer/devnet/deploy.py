"""Deploy the bridge over three chains that answer, local imitations or real nodes alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.setup import EvmSetup
from relayer.chains.gateway.configure import BridgePlan, Deployment, PeerPlan, TokenPlan
from relayer.chains.solana import setup as solana
from relayer.chains.solana.identity import chain_id
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.setup import TronSetup
from relayer.devnet import keys
from relayer.domain.address import (
    Account,
    ChainId,
    account_from_evm,
    account_from_tron,
    account_from_word,
    format_account,
)
from relayer.domain.amount import WAD, Shares, format_shares
from relayer.domain.transfer import Mode
from relayer.signing.local import Ed25519Signer, Secp256k1Signer

ASSETS: Final = {
    "TSLAx": Mode.BURN_MINT,
    "NVDAx": Mode.BURN_MINT,
    "AAPLx": Mode.LOCK_RELEASE,
}
HOLDING: Final = Shares(1_000 * WAD)
"""Shares each user holds of each asset on each chain."""

INVENTORY: Final = Shares(50_000 * WAD)
"""Shares the operator seeds per chain of a lock-release asset."""

EVM_FEE_WEI: Final = 10**14
TRON_FEE_SUN: Final = 5_000_000
SOLANA_FEE_LAMPORTS: Final = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Where the three chains answer, and the funded keys (32 bytes) that may deploy on them.

    ``evm_ws`` and ``solana_ws`` may be empty. ``ring`` makes the keys of services and users.
    """

    evm_url: str
    evm_ws: str
    evm_chain: ChainId
    evm_key: bytes
    solana_url: str
    solana_ws: str
    solana_key: bytes
    tron_url: str
    tron_solidity: str
    tron_chain: ChainId
    tron_key: bytes
    users: int = 4
    ring: keys.Keyring = keys.PUBLISHED
    slot_seconds: float = 0.4
    tron_block_seconds: float = 3.0
    evm_block_seconds: float = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What stands on the three chains after a deployment."""

    nodes: Nodes
    evm: Deployment
    tron: Deployment
    solana: solana.Deployment
    users: tuple[keys.User, ...] = field(default=())


async def deploy_bridge(nodes: Nodes) -> Bridge:
    """Tokens, gateways, mints, quorum and holdings on all three chains, and their lists of peers.

    Rejected or Unavailable with the chain's word if a step fails.
    """
    users = tuple(nodes.ring.user(number) for number in range(nodes.users))
    solana_rpc = SolanaRpc(nodes.solana_url)
    evm_rpc, tron_rpc = EvmRpc(nodes.evm_url), TronRpc(nodes.tron_url, nodes.tron_solidity)
    try:
        solana_chain = await chain_id(solana_rpc)
        evm = EvmSetup(evm_rpc, Secp256k1Signer(nodes.evm_key))
        tron = TronSetup(tron_rpc, Secp256k1Signer(nodes.tron_key), poll_seconds=0.2)
        async with asyncio.TaskGroup() as group:
            on_evm = group.create_task(evm.deploy(_plan(nodes.evm_chain, nodes.ring, users)))
            on_tron = group.create_task(tron.deploy(_plan(nodes.tron_chain, nodes.ring, users)))
            on_solana = group.create_task(_deploy_solana(solana_rpc, nodes, users))
        bridge = Bridge(
            nodes=nodes,
            evm=on_evm.result(),
            tron=on_tron.result(),
            solana=on_solana.result(),
            users=users,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(
                evm.connect(
                    bridge.evm,
                    _plan(nodes.evm_chain, nodes.ring, users).tokens,
                    [
                        _peer(bridge.tron, EVM_FEE_WEI),
                        PeerPlan(chain=solana_chain, fee=EVM_FEE_WEI),
                    ],
                )
            )
            group.create_task(
                tron.connect(
                    bridge.tron,
                    _plan(nodes.tron_chain, nodes.ring, users).tokens,
                    [
                        _peer(bridge.evm, TRON_FEE_SUN),
                        PeerPlan(chain=solana_chain, fee=TRON_FEE_SUN),
                    ],
                )
            )
    finally:
        for rpc in (solana_rpc, evm_rpc, tron_rpc):
            await rpc.close()
    return bridge


async def _deploy_solana(
    rpc: SolanaRpc, nodes: Nodes, users: Sequence[keys.User]
) -> solana.Deployment:
    accounts = [Account(Ed25519Signer(user.solana_secret).public) for user in users]
    return await solana.deploy(
        rpc,
        url=nodes.solana_url,
        ws_url=nodes.solana_ws or None,
        funder_seed=nodes.solana_key,
        plans=[
            solana.AssetPlan(
                asset=asset,
                mode=mode,
                holdings=dict.fromkeys(accounts, HOLDING),
                seed=INVENTORY if mode is Mode.LOCK_RELEASE else Shares(0),
            )
            for asset, mode in ASSETS.items()
        ],
        peers=[nodes.evm_chain, nodes.tron_chain],
        attesters=[nodes.ring.ed25519(f"attester {n} solana").public for n in keys.ATTESTERS],
        quorum=keys.QUORUM,
        payer=Account(nodes.ring.ed25519("payer solana").public),
        fee_lamports=SOLANA_FEE_LAMPORTS,
        slot_seconds=nodes.slot_seconds,
    )


def _plan(chain: ChainId, ring: keys.Keyring, users: Sequence[keys.User]) -> BridgePlan:
    holders = [account_from_word(chain, u.evm_signer.public) for u in users]
    tokens = [
        TokenPlan(
            asset=asset,
            name=f"{asset} (devnet)",
            mode=mode,
            inventory=INVENTORY if mode is Mode.LOCK_RELEASE else Shares(0),
            issued=dict.fromkeys(holders, HOLDING),
        )
        for asset, mode in ASSETS.items()
    ]
    return BridgePlan(
        chain=chain,
        guardian=account_from_word(chain, ring.evm("guardian").public),
        attesters=evm_attesters(ring),
        quorum=keys.QUORUM,
        tokens=tokens,
    )


def _peer(other: Deployment, fee: int) -> PeerPlan:
    denied = [other.gateway, *(place.token for place in other.tokens)]
    return PeerPlan(chain=other.chain, fee=fee, gateway=other.gateway, denied=denied)


def evm_attesters(ring: keys.Keyring) -> list[bytes]:
    """The attesters' 20-byte addresses, ascending as gateways want them."""
    return sorted(ring.evm(f"attester {name} evm").public for name in keys.ATTESTERS)


def config_of(bridge: Bridge) -> dict[str, Any]:
    """The relayer's settings for a deployed bridge, as TOML tables with no None in them."""
    return {
        "state_secret": "file:keys/state",
        "log": {"format": "console", "level": "info"},
        "http": {"port": 0},
        "monitor": {
            "key": "file:keys/monitor",
            "keys": [bridge.nodes.ring.ed25519("monitor").public.hex()],
            "every_seconds": 1.0,
            "lease_seconds": 30,
        },
        "operator": {"keys": [bridge.nodes.ring.ed25519("operator").public.hex()]},
        "reserves": {"file": "reserves.json"},
        "pace": {"sweep_seconds": 20.0, "quarantine_seconds": 0.0},
        "attesters": [
            {
                "name": name,
                "evm_key": f"file:keys/attester-{name}-evm",
                "solana_key": f"file:keys/attester-{name}-solana",
            }
            for name in keys.ATTESTERS
        ],
        "assets": [{"symbol": asset} for asset in ASSETS],
        "chains": [_solana_config(bridge), _evm_config(bridge), _tron_config(bridge)],
    }


def _solana_config(bridge: Bridge) -> dict[str, Any]:
    deployed, chain, nodes = bridge.solana.config, bridge.solana.chain, bridge.nodes

    def text(account: bytes) -> str:
        return format_account(chain, account)

    tokens = []
    for place in deployed.tokens:
        token = {"asset": place.asset, "address": text(place.token), "mode": str(place.mode)}
        token["issuer"] = text(deployed.issuers[0])
        if place.asset in deployed.vaults:
            token["vault"] = text(deployed.vaults[place.asset])
            token["vault_owner"] = text(deployed.vault_owners[place.asset])
            token["inventory"] = format_shares(deployed.inventory[place.asset])
        tokens.append(token)
    return {
        "chain": str(chain),
        "endpoints": [{"url": nodes.solana_url} | _ws(nodes.solana_ws)],
        "first_height": deployed.first_height,
        "attesters": [text(key) for key in deployed.attesters],
        "quorum": deployed.quorum,
        "payers": ["file:keys/payer-solana"],
        "beacon": text(deployed.beacon),
        "fee_collector": text(deployed.fee_collector),
        "fees": {str(fee.destination): fee.lamports for fee in deployed.fees},
        "receipt_mint": text(deployed.receipt_mint),
        "multisig": text(deployed.multisig),
        "extra": {"slot_seconds": nodes.slot_seconds},
        "poll_seconds": nodes.slot_seconds,
        "tokens": tokens,
    }


def _ws(url: str) -> dict[str, str]:
    return {"ws": url} if url else {}


def _evm_config(bridge: Bridge) -> dict[str, Any]:
    nodes = bridge.nodes
    return {
        **_gateway_config(bridge.evm, nodes.ring, account_from_evm),
        "endpoints": [{"url": nodes.evm_url} | _ws(nodes.evm_ws)],
        "poll_seconds": nodes.evm_block_seconds / 2,
        "payers": ["file:keys/payer-evm"],
    }


def _tron_config(bridge: Bridge) -> dict[str, Any]:
    nodes = bridge.nodes
    return {
        **_gateway_config(bridge.tron, nodes.ring, account_from_tron),
        "endpoints": [{"url": nodes.tron_url, "solidity": nodes.tron_solidity}],
        "poll_seconds": nodes.tron_block_seconds / 2,
        "payers": ["file:keys/payer-tron"],
    }


def _gateway_config(deployed: Deployment, ring: keys.Keyring, widen: Any) -> dict[str, Any]:
    def text(account: bytes) -> str:
        return format_account(deployed.chain, account)

    return {
        "chain": str(deployed.chain),
        "gateway": text(deployed.gateway),
        "first_height": deployed.first_height,
        "attesters": [text(widen(address)) for address in evm_attesters(ring)],
        "quorum": keys.QUORUM,
        "tokens": [
            {"asset": place.asset, "address": text(place.token), "mode": str(place.mode)}
            for place in deployed.tokens
        ],
    }


def reserves_of(bridge: Bridge) -> dict[str, Mapping[str, str]]:
    """Stock held for exactly what was issued on the three chains, at multiplier 1."""
    per_chain = len(bridge.users) * HOLDING
    total = {
        asset: 3 * (per_chain + (INVENTORY if mode is Mode.LOCK_RELEASE else 0))
        for asset, mode in ASSETS.items()
    }
    return {
        asset: {"stock": format_shares(amount), "at": "now", "source": "devnet custodian"}
        for asset, amount in total.items()
    }
