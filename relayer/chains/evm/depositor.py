"""Depositor for EVM chains: a user with a key."""

from __future__ import annotations

from typing import Final

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.sender import EvmSender
from relayer.chains.gateway.acts import deposit_calldata
from relayer.chains.gateway.configure import Call, approval
from relayer.chains.gateway.words import number_at, padded, selector
from relayer.domain.address import Account, ChainId, account_from_evm, chain_key, word_of
from relayer.domain.amount import WAD, Shares
from relayer.ports.chain import Begun
from relayer.ports.signer import Signer

_GAS: Final = 600_000
"""Enough for an approval or a deposit; what is not used is not charged."""

_DESTINATIONS: Final = selector("destinations(bytes32)")
_MULTIPLIER: Final = selector("getCurrentMultiplier()")
_SHARES_OF: Final = selector("sharesOf(address)")


class EvmDepositor:
    """Deposits of one account; several may be under way at once."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc, user: Signer) -> None:
        """Deposit as ``user`` (a secp256k1 key) at the gateway that ``config`` names."""
        self._place = config.place
        self._sender = EvmSender(rpc, user)

    @property
    def account(self) -> Account:
        """The user's own account."""
        return account_from_evm(self._sender.address)

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Approve exactly the amount, deposit with the fee, wait until mined; the hash."""
        return await self.finish(await self.begin(asset, shares, destination, recipient))

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """Sign approval and deposit, and send both once.

        They have consecutive nonces, so that no other deposit of this account comes between.
        """
        token = self._place.token(asset)
        amount = shares * await self._number(token, _MULTIPLIER) // WAD
        fee = await self._number(self._place.address, _DESTINATIONS + chain_key(destination), 1)
        data = deposit_calldata(
            token=token,
            shares=shares,
            destination=chain_key(destination),
            recipient=recipient,
            refund_to=self._sender.address,
        )
        sent = await self._sender.begin(
            approval(token, self._place.address, amount),
            Call(to=self._place.address, data=data),
            gas=_GAS,
            wei=fee,
        )
        return Begun(tx=sent[-1].tx, raws=tuple(one.raw for one in sent))

    async def finish(self, begun: Begun) -> str:
        """Wait until the deposit is mined; Rejected with the contract's word if it failed."""
        await self._sender.again(begun.raws)
        await self._sender.mined(begun.tx)
        return begun.tx

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds at the newest block."""
        data = _SHARES_OF + padded(word_of(account))
        return Shares(await self._number(self._place.token(asset), data))

    async def _number(self, contract: bytes, data: bytes, place: int = 0) -> int:
        return number_at(await self._sender.ask(Call(to=contract, data=data)), place)
