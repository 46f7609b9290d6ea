"""Proof that an endpoint serves the cluster it is configured for."""

from __future__ import annotations

from typing import Final

from relayer.chains.solana.rpc import SolanaRpc
from relayer.domain.address import ChainId
from relayer.domain.errors import WrongChain

_GENESIS_CHARACTERS: Final = 32
"""Of a genesis hash that CAIP-2 takes as the cluster's name."""


async def chain_id(rpc: SolanaRpc) -> ChainId:
    """The CAIP-2 name of the cluster behind an endpoint."""
    return ChainId(f"solana:{str(await rpc.call('getGenesisHash'))[:_GENESIS_CHARACTERS]}")


async def prove(rpc: SolanaRpc, chain: ChainId) -> None:
    """Raise WrongChain if the endpoint's genesis hash is not that of ``chain``."""
    told = await chain_id(rpc)
    if told != chain:
        raise WrongChain(f"the endpoint serves {told}, not {chain}")
