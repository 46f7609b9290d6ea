"""Tops accounts up from a funded key: whoever holds enough already gets nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import base58

from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.evm.sender import EvmSender
from relayer.chains.gateway.configure import Call
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.setup import Wallet, fund
from relayer.chains.tron.codec import tron_address
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.sender import TronSender
from relayer.domain.address import Account
from relayer.ports.signer import Signer

_TRANSFER_GAS = 21_000
_FINAL = {"commitment": "finalized"}
_ACCOUNTS_AT_ONCE = 15
"""Transfers that fit into one Solana transaction."""


async def top_up_evm(url: str, funder: Signer, wanted: Mapping[bytes, int]) -> None:
    """Bring addresses (20 bytes) up to so many wei; Unavailable with the node's word otherwise."""
    rpc = EvmRpc(url)
    sender = EvmSender(rpc, funder)
    try:
        for address, wei in wanted.items():
            held = int(await rpc.call("eth_getBalance", ["0x" + address.hex(), "latest"]), 16)
            if held < wei:
                gift = Call(to=address, data=b"")
                txs = await sender.send(gift, gas=_TRANSFER_GAS, wei=wei - held)
                await sender.all_mined(txs)
    finally:
        await rpc.close()


async def top_up_tron(url: str, solidity: str, funder: Signer, wanted: Mapping[bytes, int]) -> None:
    """Bring addresses (20 bytes) up to so many sun; Rejected with the node's word otherwise."""
    rpc = TronRpc(url, solidity)
    sender = TronSender(rpc, funder, poll_seconds=0.2)
    try:
        await sender.ready()
        gifts = []
        for address, sun in wanted.items():
            held = await rpc.balance(tron_address(address))
            if held < sun:
                gifts.append(await sender.give(address, sun - held))
        for gift in gifts:
            await sender.included(gift, contract=False)
    finally:
        await rpc.close()


async def top_up_solana(url: str, funder: bytes, wanted: Mapping[Account, int]) -> None:
    """Bring accounts up to so many lamports; Rejected with the node's word otherwise."""
    rpc = SolanaRpc(url)
    try:
        short = {
            account: lamports - held
            for account, lamports in wanted.items()
            if (held := await _lamports(rpc, account)) < lamports
        }
        accounts = list(short)
        for at in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
            part = {account: short[account] for account in accounts[at : at + _ACCOUNTS_AT_ONCE]}
            await fund(Wallet(rpc, funder), part)
    finally:
        await rpc.close()


async def airdrop(url: str, account: bytes, lamports: int) -> None:
    """Ask a cluster's faucet for lamports and wait until they are final."""
    rpc = SolanaRpc(url)
    try:
        had = await _lamports(rpc, Account(account))
        await rpc.call("requestAirdrop", _name(account), lamports)
        while await _lamports(rpc, Account(account)) <= had:
            await asyncio.sleep(0.1)
    finally:
        await rpc.close()


async def _lamports(rpc: SolanaRpc, account: Account) -> int:
    return int((await rpc.call("getBalance", _name(account), _FINAL))["value"])


def _name(account: bytes) -> str:
    return base58.b58encode(account).decode()
