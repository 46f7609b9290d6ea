"""Depositor of Solana: a user with a key."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.accounts import account_data, read_token_account
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.deposits import deposit_instructions
from relayer.chains.solana.programs import token_account
from relayer.chains.solana.rpc import NodeError, SolanaRpc
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares, shares_from_raw
from relayer.domain.errors import Rejected, Unavailable
from relayer.ports.chain import Begun

_CONFIRMED: Final = {"commitment": "confirmed"}
_SEND: Final = {"encoding": "base64", "preflightCommitment": "confirmed"}
_PREFLIGHT: Final = -32002
_LOOK_SECONDS: Final = 0.05


class SolanaDepositor:
    """Makes deposits from the associated token accounts of one key."""

    def __init__(self, config: SolanaConfig, rpc: SolanaRpc, seed: bytes) -> None:
        """Act for the Ed25519 key with this 32-byte seed."""
        self._config = config
        self._rpc = rpc
        self._key = Keypair.from_seed(seed)

    @property
    def account(self) -> Account:
        """The user's key."""
        return Account(bytes(self._key.pubkey()))

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Burn or lock shares towards a recipient; the confirmed transaction's signature."""
        return await self.finish(await self.begin(asset, shares, destination, recipient))

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """Sign a burn or a lock, and send it once."""
        blockhash, slot, last_valid = await newest_blockhash(self._rpc)
        instructions = deposit_instructions(
            self._config,
            asset=asset,
            shares=shares,
            owner=self.account,
            destination=destination,
            recipient=recipient,
            slot=slot,
        )
        raw = signed(instructions, [self._key], blockhash)
        with contextlib.suppress(Unavailable):  # it may have been taken
            await push(self._rpc, raw)
        return Begun(tx=str(Signature(raw[1:65])), raws=(raw,), last_valid=last_valid)

    async def finish(self, begun: Begun) -> str:
        """Wait until the deposit is confirmed; Rejected if it failed, Unavailable if it died."""
        for raw in begun.raws:
            with contextlib.suppress(NodeError, Rejected):  # so is called what has landed already
                await push(self._rpc, raw)
        return await confirmed(self._rpc, begun.tx, begun.last_valid)

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares in the account's associated token account at the newest confirmed slot."""
        mint = next(place.token for place in self._config.tokens if place.asset == asset)
        key = str(token_account(account, mint))
        options = {**_CONFIRMED, "encoding": "base64"}
        answer = await self._rpc.call("getAccountInfo", key, options)
        held = read_token_account(account_data(answer["value"]))
        return shares_from_raw(held.amount) if held else Shares(0)


def signed(instructions: Sequence[Instruction], keys: Sequence[Keypair], blockhash: Hash) -> bytes:
    """A transaction of ``instructions``, paid by the first key."""
    message = MessageV0.try_compile(keys[0].pubkey(), instructions, [], blockhash)
    return bytes(VersionedTransaction(message, list(keys)))


async def newest_blockhash(rpc: SolanaRpc) -> tuple[Hash, int, int]:
    """The newest confirmed blockhash, its slot, and its last valid block height."""
    answer = await rpc.call("getLatestBlockhash", _CONFIRMED)
    value = answer["value"]
    blockhash = Hash.from_string(value["blockhash"])
    return blockhash, answer["context"]["slot"], value["lastValidBlockHeight"]


async def send(rpc: SolanaRpc, raw: bytes, last_valid: int) -> str:
    """Send a signed transaction and wait until it is confirmed; its signature.

    Rejected with the node's word if it fails; Unavailable if it was not seen until it expired.
    """
    return await confirmed(rpc, await push(rpc, raw), last_valid)


async def push(rpc: SolanaRpc, raw: bytes) -> str:
    """Send a signed transaction; its signature. Rejected with the node's word if it would fail."""
    try:
        return str(await rpc.call("sendTransaction", b64encode(raw).decode(), _SEND))
    except NodeError as error:
        if error.code == _PREFLIGHT:
            raise Rejected(_why(error)) from error
        raise


async def confirmed(rpc: SolanaRpc, tx: str, last_valid: int) -> str:
    """Wait until a transaction is confirmed; its signature.

    Rejected if it failed, Unavailable if it was not seen until it expired.
    """
    while True:
        height = await rpc.call("getBlockHeight", _CONFIRMED)
        status = (await rpc.call("getSignatureStatuses", [tx]))["value"][0]
        if status is not None and status["err"] is not None:
            raise Rejected(f"{tx} failed: {status['err']}")
        if status is not None and status["confirmationStatus"] != "processed":
            return tx
        if height > last_valid + 1 and status is None:
            raise Unavailable(f"{tx} was not included before its blockhash expired")
        await asyncio.sleep(_LOOK_SECONDS)


def _why(error: NodeError) -> str:
    data: Any = error.data
    return f"{error}: {data.get('err')}" if isinstance(data, dict) else str(error)
