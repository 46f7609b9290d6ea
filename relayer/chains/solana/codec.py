"""Facts of the bridge in one executed transaction. Pure: no node is asked."""

from __future__ import annotations

from relayer.chains.solana.acts import ActReader
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.deposits import DepositReader
from relayer.chains.solana.transaction import Executed
from relayer.domain.transfer import ChainFact


class Codec:
    """Reads facts off executed transactions under one configuration."""

    def __init__(self, config: SolanaConfig) -> None:
        """Prepare the readers of deposits and of acts."""
        self._deposits = DepositReader(config)
        self._acts = ActReader(config)

    def facts(self, executed: Executed) -> tuple[ChainFact, ...]:
        """Every deposit, delivery, void and refund of a transaction, deposits first."""
        return (*self._deposits.deposits(executed), *self._acts.acts(executed))
