"""What the recipient of a delivery is on chain: a wallet, a token account, or nobody to pay.

Shares paid to the associated account of a mint, a program or somebody's token account would be out
of reach for ever. An account that does not exist, or belongs to any other program, is a wallet:
smart wallets are off the curve, and their associated accounts are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.pubkey import Pubkey

from relayer.chains.solana.accounts import account_data, read_token_account
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.programs import TOKEN
from relayer.chains.solana.rpc import SolanaRpc, understood
from relayer.chains.solana.terms import Pays
from relayer.domain.errors import DraftRefused
from relayer.domain.transfer import Deposit
from relayer.sharing.gather import Gathered

_CONFIRMED: Final = {"commitment": "confirmed", "encoding": "base64"}
_AT_ONCE: Final = 100
_OTHER_TOKENS: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


class Recipients:
    """Looks recipients up on one node."""

    def __init__(self, config: SolanaConfig, rpc: SolanaRpc) -> None:
        """Look them up through ``rpc``."""
        self._mints = {place.asset: bytes(place.token) for place in config.tokens}
        self._own = config.own
        self._rpc = rpc
        self._accounts: Gathered[str, Mapping[str, Any]] = Gathered(self._read, at_once=_AT_ONCE)

    async def pays(self, deposit: Deposit) -> Pays:
        """How the recipient is paid; DraftRefused with the reason if it must not be."""
        name = str(Pubkey(deposit.recipient))
        if deposit.recipient in self._own:
            raise DraftRefused(f"the recipient {name} is an account of the bridge")
        value = (await self._accounts.ask([name])).get(name)
        if value is None:
            return Pays.WALLET
        with understood("getMultipleAccounts"):
            program, executable, data = value["owner"], value["executable"], account_data(value)
        if executable:
            raise DraftRefused(f"the recipient {name} is a program")
        if program not in {str(TOKEN), _OTHER_TOKENS}:
            return Pays.WALLET
        account = read_token_account(data)
        if account is None or account.mint != self._mints.get(deposit.asset):
            raise DraftRefused(f"the recipient {name} is a token account or mint of another asset")
        return Pays.ACCOUNT

    async def _read(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Those of the accounts that exist; drafts of one moment are looked up together."""
        answer = await self._rpc.call("getMultipleAccounts", list(names), _CONFIRMED)
        with understood("getMultipleAccounts"):
            found = zip(names, answer["value"], strict=True)
            return {name: value for name, value in found if value is not None}
