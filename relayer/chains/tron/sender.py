"""Sends single calls of one account and waits until they stand in a block: users and setup."""

from __future__ import annotations

import asyncio

from relayer.chains.gateway.configure import Call
from relayer.chains.tron.codec import OUT_OF_TIME, TxInfo, tron_address
from relayer.chains.tron.frames import Frames
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.tron.transaction import Sealed, seal_call, seal_create, seal_gift
from relayer.domain.errors import Refused, Rejected, Unavailable
from relayer.ports.signer import Signer

_TAKEN = {"SUCCESS", "DUP_TRANSACTION_ERROR"}


class OutOfTime(Rejected):
    """A busy witness gave the call up: nothing was done, and the next one may be quicker."""


class TronSender:
    """One account's calls. Included means in a block, which need not be solid yet."""

    def __init__(
        self,
        rpc: TronRpc,
        signer: Signer,
        *,
        expiration_seconds: int = 60,
        poll_seconds: float = 1.0,
    ) -> None:
        """Sign with ``signer``, whose account must exist."""
        self._rpc = rpc
        self._signer = signer
        self._poll_seconds = poll_seconds
        self._frames = Frames(rpc, expiration_seconds)
        self._lifetime = expiration_seconds

    @property
    def address(self) -> bytes:
        """The sender's 21 bytes."""
        return tron_address(self._signer.public)

    async def ready(self) -> int:
        """Wait for the first block of a chain that has just begun; the head's height.

        The genesis block's time is no chain time: what is sent then would be expired at once.
        """
        while (head := await self._rpc.head()).number == 0:
            await asyncio.sleep(self._poll_seconds)
        return head.number

    async def send(self, call: Call, *, fee_limit: int, sun: int = 0) -> str:
        """Send a call with ``sun`` attached and no more than ``fee_limit`` sun burnt; its txid."""
        return await self._push(await self.seal(call, fee_limit=fee_limit, sun=sun))

    async def seal(self, call: Call, *, fee_limit: int, sun: int = 0) -> Sealed:
        """A signed call; nothing is sent."""
        frame = await self._frames.frame(fee_limit)
        return await seal_call(self._signer, tron_address(call.to), call.data, frame, sun=sun)

    async def push(self, raw: bytes) -> None:
        """Send signed bytes, again is harmless; Refused with the node's word for what it refuses."""
        code, message = await self._rpc.broadcast(raw)
        if code not in _TAKEN:
            raise Refused(f"{code}: {message[:200]}")

    async def give(self, to: bytes, sun: int) -> str:
        """Send sun to an account (20 bytes), which begins to exist with it; the txid."""
        frame = await self._frames.frame(0)
        return await self._push(await seal_gift(self._signer, tron_address(to), sun, frame))

    async def create(
        self, name: str, bytecode: bytes, *, fee_limit: int, origin_energy: int = 10_000_000
    ) -> tuple[str, bytes]:
        """Send a deployment; its txid and the 20-byte address of the contract to be."""
        frame = await self._frames.frame(fee_limit)
        sealed, address = await seal_create(
            self._signer, name, bytecode, frame, origin_energy=origin_energy
        )
        return await self._push(sealed), address[1:]

    async def included(self, tx: str, *, contract: bool = True) -> TxInfo:
        """Wait until a transaction stands in a block; only a ``contract`` call has an outcome.

        Rejected with the chain's word if the call failed, OutOfTime if it may be made again,
        Unavailable if it was not mined in time.
        """
        deadline = asyncio.get_running_loop().time() + self._lifetime
        while (info := await self._rpc.tx_info(tx)) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"{tx} was not mined in {self._lifetime} s")
            await asyncio.sleep(self._poll_seconds)
        if contract and info.outcome.startswith(OUT_OF_TIME):
            raise OutOfTime(f"{tx}: {info.outcome}")
        if contract and not info.succeeded:
            raise Rejected(f"{tx}: {info.outcome}")
        return info

    async def estimate(self, call: Call, *, sun: int = 0) -> int:
        """Energy of a call on the newest state; Rejected with the reason if it would revert."""
        answer = await self._rpc.call(tron_address(call.to), call.data, owner=self.address, sun=sun)
        if answer.reverted is not None:
            raise Rejected(answer.reverted)
        return answer.energy

    async def energy_price(self) -> int:
        """Sun that a unit of energy costs."""
        return (await self._frames.prices())[0]

    async def _push(self, sealed: Sealed) -> str:
        await self.push(sealed.raw)
        return sealed.tx
