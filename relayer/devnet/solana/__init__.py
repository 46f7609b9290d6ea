"""An imitation of a Solana node: JSON-RPC and WebSocket around LiteSVM.

What is simpler than the truth stands in `docs/devnet.md`.
"""

from __future__ import annotations

from relayer.devnet.solana.config import SolanaDevnetConfig
from relayer.devnet.solana.faults import Faults
from relayer.devnet.solana.rpcerror import RpcError
from relayer.devnet.solana.server import SolanaDevnet

__all__ = ["Faults", "RpcError", "SolanaDevnet", "SolanaDevnetConfig"]
