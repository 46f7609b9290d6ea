"""A bridge on a real validator, as its transactions and accounts were recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from relayer.chains.solana.config import Fee, SolanaConfig
from relayer.chains.solana.transaction import Executed, read_transaction
from relayer.domain.address import Account, ChainId
from relayer.domain.transfer import Mode, TokenPlace

RECORDED = json.loads(
    (Path(__file__).parent.parent / "recordings/solana-codec/bridge.json").read_text()
)
TRANSACTIONS: dict[str, dict[str, Any]] = RECORDED["transactions"]


def recorded_config() -> SolanaConfig:
    """The bridge that the recorded transactions were made on."""
    bridge = RECORDED["bridge"]
    return SolanaConfig(
        chain=ChainId(bridge["chain"]),
        url="http://localhost",
        tokens=tuple(
            TokenPlace(asset=one["asset"], token=_key(one["token"]), mode=Mode(one["mode"]))
            for one in bridge["tokens"]
        ),
        vaults={asset: _key(vault) for asset, vault in bridge["vaults"].items()},
        issuers=tuple(_key(one) for one in bridge["issuers"]),
        peers=tuple(ChainId(peer) for peer in bridge["peers"]),
        beacon=_key(bridge["beacon"]),
        fee_collector=_key(bridge["fee_collector"]),
        fees=tuple(
            Fee(destination=ChainId(peer), lamports=bridge["fee"]) for peer in bridge["peers"]
        ),
        receipt_mint=_key(bridge["receipt_mint"]),
        multisig=_key(bridge["multisig"]),
        attesters=tuple(map(bytes.fromhex, bridge["attesters"])),
        quorum=bridge["quorum"],
        payer=_key(bridge["payer"]),
    )


def _key(text: str) -> Account:
    return Account(bytes.fromhex(text))


CONFIG = recorded_config()
USER = Account(bytes.fromhex(RECORDED["bridge"]["user"]))
BNB = CONFIG.peers[0]
EVM_RECIPIENT = Account(bytes(12) + b"\xab" * 20)
TOKENS = {place.asset: place for place in CONFIG.tokens}


def executed(name: str) -> Executed:
    """A recorded transaction."""
    answer = TRANSACTIONS[name]
    read = read_transaction(answer["signature"], answer)
    assert read is not None
    return read
