"""The JSON-RPC methods of the imitated node, by name."""

from __future__ import annotations

from relayer.devnet.solana.methods import accounts, blocks, cluster, history, sending, tokens
from relayer.devnet.solana.methods.method import Method

METHODS: dict[str, Method] = {
    **cluster.METHODS,
    **blocks.METHODS,
    **accounts.METHODS,
    **tokens.METHODS,
    **history.METHODS,
    **sending.METHODS,
}
"""Every method that the node answers over HTTP."""
