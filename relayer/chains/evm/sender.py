"""Sends plain transactions of one key and waits until they are mined: users and set-up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak
from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception
from web3.types import BlockIdentifier, TxParams, Wei

from relayer.chains.evm.codec import hex_of
from relayer.chains.evm.rpc import EvmRpc, NodeRefused
from relayer.chains.evm.transaction import Signed, Transaction, rlp, sign
from relayer.chains.evm.web3py import web3_over
from relayer.chains.gateway.configure import Call
from relayer.chains.gateway.revert import revert_text
from relayer.domain.errors import Rejected, Unavailable
from relayer.ports.signer import Signer

_PATIENCE: Final = 120.0
"""Seconds until an unmined transaction is given up."""
_PRICE_PERCENT: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """A transaction that succeeded, and the height of its block (which need not be final)."""

    tx: str
    height: int


class EvmSender:
    """One key's transactions, in the order of the calls."""

    def __init__(self, rpc: EvmRpc, signer: Signer, *, poll_seconds: float = 0.1) -> None:
        """Sign with ``signer``, a secp256k1 key that pays the gas."""
        self._rpc = rpc
        self._web3 = web3_over(rpc)
        self._signer = signer
        self._poll_seconds = poll_seconds
        self._order = asyncio.Lock()

    @property
    def address(self) -> bytes:
        """The sender's 20 bytes."""
        return self._signer.public

    async def send(self, *calls: Call, gas: int, wei: int = 0) -> list[str]:
        """Send calls with consecutive nonces; the last one carries ``wei``. Their hashes.

        ``gas`` is what each may use. Nothing is awaited; see `mined`.
        """
        async with self._order:
            signed = await self._signed(*calls, gas=gas, wei=wei)
            await self._push(signed)
        return [one.tx for one in signed]

    async def begin(self, *calls: Call, gas: int, wei: int = 0) -> list[Signed]:
        """As ``send``, but with the bytes, even where the node falls silent while they are sent.

        Rejected where it refuses them: they are not sent again then, nor others in their place.
        """
        async with self._order:
            signed = await self._signed(*calls, gas=gas, wei=wei)
            try:
                await self._push(signed)
            except NodeRefused as refusal:
                raise Rejected(refusal.words) from refusal
            except Unavailable:
                pass  # they may have been taken
        return signed

    async def again(self, raws: Sequence[bytes]) -> None:
        """Send bytes that may have been sent before: known and mined ones are refused by nodes."""
        for raw in raws:
            with contextlib.suppress(NodeRefused):
                await self._rpc.call("eth_sendRawTransaction", [hex_of(raw)])

    async def create(self, code: bytes, *, gas: int) -> tuple[str, bytes]:
        """Send a deployment; its hash and the 20-byte address of the contract to be."""
        async with self._order:
            nonce, price, chain_id = await self._frame()
            creation = Transaction(
                chain_id=chain_id,
                nonce=nonce,
                gas_price=price,
                gas=gas,
                to=b"",
                value=0,
                data=code,
            )
            signed = await sign(creation, self._signer)
            await self._rpc.call("eth_sendRawTransaction", [hex_of(signed.raw)])
        return signed.tx, keccak(rlp([self.address, nonce]))[12:]

    async def mined(self, tx: str) -> Mined:
        """Wait until a transaction stands in a block.

        Rejected with the contract's word if it failed, Unavailable if it is not mined in time.
        """
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            try:
                receipt = await self._web3.eth.get_transaction_receipt(HexStr(tx))
            except TransactionNotFound:
                await asyncio.sleep(self._poll_seconds)
                continue
            if receipt["status"] != 1:
                raise Rejected(f"{tx}: {await self._why(tx, receipt['blockNumber'])}")
            return Mined(tx=tx, height=receipt["blockNumber"])
        raise Unavailable(f"{tx} was not mined in {_PATIENCE:.0f} s")

    async def all_mined(self, txs: Sequence[str]) -> None:
        """Wait for several transactions."""
        for tx in txs:
            await self.mined(tx)

    async def ask(self, call: Call, *, wei: int = 0, block: BlockIdentifier = "latest") -> bytes:
        """What a call of this key would answer; Rejected with the contract's word if it reverts."""
        asked: TxParams = {
            "from": to_checksum_address(self.address),
            "to": to_checksum_address(call.to),
            "data": HexStr(hex_of(call.data)),
            "value": Wei(wei),
        }
        try:
            return bytes(await self._web3.eth.call(asked, block))
        except ContractLogicError as error:
            data = error.data if isinstance(error.data, str) else "0x"
            raise Rejected(revert_text(bytes.fromhex(data[2:]))) from error
        except Web3Exception as error:
            raise Unavailable(f"eth_call: {error}") from error

    async def _signed(self, *calls: Call, gas: int, wei: int) -> list[Signed]:
        nonce, price, chain_id = await self._frame()
        return [
            await sign(
                Transaction(
                    chain_id=chain_id,
                    nonce=nonce + place,
                    gas_price=price,
                    gas=gas,
                    to=call.to,
                    value=wei if place == len(calls) - 1 else 0,
                    data=call.data,
                ),
                self._signer,
            )
            for place, call in enumerate(calls)
        ]

    async def _push(self, signed: Sequence[Signed]) -> None:
        for one in signed:
            await self._rpc.call("eth_sendRawTransaction", [hex_of(one.raw)])

    async def _frame(self) -> tuple[int, int, int]:
        """The next nonce, the price of gas in wei, and the chain id that the node names."""
        address = to_checksum_address(self.address)
        nonce = await self._web3.eth.get_transaction_count(address, "pending")
        price = await self._web3.eth.gas_price * _PRICE_PERCENT // 100
        return nonce, price, await self._web3.eth.chain_id

    async def _why(self, tx: str, height: int) -> str:
        """The contract's word for a failed transaction, from running it again where it failed."""
        told = await self._web3.eth.get_transaction(HexStr(tx))
        call = Call(to=bytes.fromhex(str(told["to"])[2:]), data=bytes(told["input"]))
        try:
            await self.ask(call, wei=told["value"], block=height - 1)
        except Rejected as word:
            return str(word)
        except NodeRefused as fault:
            return fault.words
        return "reverted in its block, though not on the state before"
