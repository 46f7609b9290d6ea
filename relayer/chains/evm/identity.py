"""Proof that an endpoint serves the chain it is configured for."""

from __future__ import annotations

from relayer.chains.evm.codec import read_quantity
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.gateway.place import evm_chain_id
from relayer.domain.address import ChainId
from relayer.domain.errors import WrongChain


async def prove(rpc: EvmRpc, chain: ChainId) -> None:
    """Raise WrongChain if the endpoint's chain id is not the CAIP-2 reference of ``chain``."""
    told = read_quantity(await rpc.call("eth_chainId", []), "chain id")
    if told != evm_chain_id(chain):
        raise WrongChain(f"the endpoint serves eip155:{told}, not {chain}")
