"""web3.py over an endpoint's session, for users and set-up: running services never load it.

It takes 0.7 s of CPU and 40 MB, and leaves Python's recursion limit raised; see `relayer.chains`.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from web3 import AsyncWeb3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from relayer.chains import RECURSION_LIMIT
from relayer.chains.evm.rpc import EvmRpc

sys.setrecursionlimit(RECURSION_LIMIT)


class Provider(AsyncJSONBaseProvider):
    """web3.py's calls over an EvmRpc."""

    def __init__(self, rpc: EvmRpc) -> None:
        """Send through ``rpc``."""
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one call as web3.py encodes it."""
        answer = await self._rpc.post(self.encode_rpc_request(method, params))
        return cast("RPCResponse", answer)


def web3_over(rpc: EvmRpc) -> AsyncWeb3[Provider]:
    """web3.py over an endpoint, fit for chains whose headers carry more than 32 bytes."""
    web3 = AsyncWeb3(Provider(rpc))
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return web3
