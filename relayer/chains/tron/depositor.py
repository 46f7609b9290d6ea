"""Depositor for Tron: a user with a key."""

from __future__ import annotations

import asyncio
import contextlib

from relayer.chains.gateway.acts import deposit_calldata
from relayer.chains.gateway.configure import Call, approval
from relayer.chains.gateway.words import number_at, padded, selector
from relayer.chains.tron.codec import tron_address
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.sender import TronSender
from relayer.chains.tron.transaction import Sealed
from relayer.domain.address import Account, ChainId, account_from_tron, chain_key, word_of
from relayer.domain.amount import WAD, Shares
from relayer.domain.errors import Refused, Rejected, Unavailable
from relayer.ports.chain import Begun
from relayer.ports.signer import Signer

_HEADROOM = 2
"""A deposit's energy depends on who deposited before: what is not used is not charged."""


class TronDepositor:
    """Deposits of one account, one at a time."""

    def __init__(self, config: TronConfig, rpc: TronRpc, user: Signer) -> None:
        """Deposit as ``user`` at the gateway that ``config`` names."""
        self._place = config.place
        self._rpc = rpc
        self._sender = TronSender(
            rpc,
            user,
            expiration_seconds=config.expiration_seconds,
            poll_seconds=config.poll_seconds / 2,
        )
        self._user = user.public
        self._one_at_a_time = asyncio.Lock()

    @property
    def account(self) -> Account:
        """The user's own account."""
        return account_from_tron(self._user)

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Approve if needed, deposit with the fee, wait until it is in a block; its txid."""
        async with self._one_at_a_time:
            return await self.finish(await self.begin(asset, shares, destination, recipient))

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """Approve if needed and wait for that, sign the deposit, and send it once."""
        token = self._place.token(asset)
        data = deposit_calldata(
            token=token,
            shares=shares,
            destination=chain_key(destination),
            recipient=recipient,
            refund_to=self._user,
        )
        await self._approve(token, shares)
        fee = await self._number(
            self._place.address, selector("destinations(bytes32)") + chain_key(destination), 1
        )
        sealed = await self._sealed(Call(to=self._place.address, data=data), sun=fee)
        with contextlib.suppress(Unavailable):  # it may have been taken
            await self._sender.push(sealed.raw)
        return Begun(tx=sealed.tx, raws=(sealed.raw,))

    async def finish(self, begun: Begun) -> str:
        """Wait until the deposit stands in a block; Rejected with the chain's word if it failed."""
        for raw in begun.raws:
            with contextlib.suppress(Refused):  # what a block has can be called expired
                await self._sender.push(raw)
        return (await self._sender.included(begun.tx)).tx

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds at the newest block."""
        data = selector("sharesOf(address)") + padded(word_of(account))
        return Shares(await self._number(self._place.token(asset), data))

    async def _approve(self, token: bytes, shares: int) -> None:
        multiplier = await self._number(token, selector("getCurrentMultiplier()"))
        amount = shares * multiplier // WAD
        parties = padded(self._user) + padded(self._place.address)
        allowed = await self._number(token, selector("allowance(address,address)") + parties)
        if allowed < amount:
            sealed = await self._sealed(approval(token, self._place.address, amount))
            await self._sender.push(sealed.raw)
            await self._sender.included(sealed.tx)

    async def _sealed(self, call: Call, *, sun: int = 0) -> Sealed:
        energy = await self._sender.estimate(call, sun=sun)
        fee_limit = energy * _HEADROOM * await self._sender.energy_price()
        return await self._sender.seal(call, fee_limit=fee_limit, sun=sun)

    async def _number(self, contract: bytes, data: bytes, place: int = 0) -> int:
        answer = await self._rpc.call(tron_address(contract), data)
        if answer.reverted is not None:
            raise Rejected(answer.reverted)
        return number_at(answer.data, place)
