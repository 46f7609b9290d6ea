"""Proof that both views of an endpoint serve the chain it is configured for."""

from __future__ import annotations

from relayer.chains.tron.rpc import TronRpc
from relayer.domain.address import ChainId
from relayer.domain.errors import WrongChain


async def prove(rpc: TronRpc, chain: ChainId) -> None:
    """Raise WrongChain if either view's genesis block is not that of ``chain``.

    The chain's name is the last 4 bytes of that block's id.
    """
    for view, genesis in (("node", await rpc.genesis()), ("view", await rpc.solid_genesis())):
        told = f"tron:0x{genesis.id[-4:].hex()}"
        if told != chain:
            raise WrongChain(f"the endpoint's {view} serves {told}, not {chain}")
