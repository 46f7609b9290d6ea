"""The Tron of the devnet: a full node's HTTP API over an EVM engine, held to recorded answers."""

from relayer.devnet.tron.devnet import TronDevnet, TronDevnetConfig
from relayer.devnet.tron.faults import Faults

__all__ = ["Faults", "TronDevnet", "TronDevnetConfig"]
