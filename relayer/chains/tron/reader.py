"""ChainReader for Tron: the solid view and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from relayer.chains.gateway.events import GatewayLog, fact_of
from relayer.chains.gateway.reads import (
    read_receipts,
    read_refunds,
    read_snapshots,
    receipts_call,
    refunds_call,
    snapshot_call,
)
from relayer.chains.tron.codec import TxInfo, is_txid, logs_at, tron_address
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.rpc import TronRpc
from relayer.chains.width import Width
from relayer.domain.address import ChainId
from relayer.domain.errors import Transient, Unavailable
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import (
    FAR_AHEAD,
    ChainFact,
    Deposit,
    Location,
    Receipt,
    TransferId,
)
from relayer.ports.chain import Head

_KEPT_BLOCKS: Final = 10_000


class TronReader:
    """Final facts of one Tron chain from one endpoint."""

    def __init__(self, config: TronConfig, rpc: TronRpc) -> None:
        """Read the gateway that ``config`` names through ``rpc``."""
        self._config = config
        self._rpc = rpc
        self._place = config.place
        self._gateway = tron_address(config.gateway)
        self._known_final = 0
        self._width = Width(config.reads_at_once)
        self._kept: dict[int, tuple[ChainFact, ...]] = {}

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._config.chain

    @property
    def first_height(self) -> int:
        """The height before which the gateway did not exist."""
        return self._config.first_height

    async def final_head(self) -> Head:
        """The solid view's newest block; Unavailable without an answer."""
        block = await self._rpc.solid_head()
        self._known_final = max(self._known_final, block.number)
        return Head(height=block.number, time=block.time)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every fact of the gateway in blocks [first, last], in chain order.

        Unavailable if ``last`` is not solid or any block could not be read; HistoryPruned if the
        endpoint has a block but no longer its outcomes.
        """
        await self._require_final(last)
        blocks = await self._read_blocks(first, last)
        return tuple(fact for facts in blocks for fact in facts)

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The solid deposit at a place in a transaction's logs; empty if there is none.

        A look-up by id that finds nothing proves nothing: the block where the transaction is said
        to stand is read too, which must be solid and held.
        """
        if location.inner != -1 or not is_txid(location.tx):
            return ()
        info = await self._rpc.solid_tx_info(location.tx)
        if info is None:
            info = await self._in_block(location.tx, max(height, self.first_height))
        if info is None:
            return ()
        deposits = (fact for fact in self._facts(info) if isinstance(fact, Deposit))
        return tuple(one for one in deposits if one.location == location)

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The solid receipts of those ids that have one, in one call."""
        if not ids:
            return {}
        return read_receipts(ids, await self._call(receipts_call(ids)))

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made here that are refunded in the solid view, in one call."""
        if not ids:
            return frozenset()
        return read_refunds(ids, await self._call(refunds_call(ids)))

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:  # noqa: ARG002 - a node answers for its newest height alone
        """The books of all tokens at the one solid height that the gateway names."""
        answer = await self._call(snapshot_call(self._place.tokens))
        return read_snapshots(self._place, answer)

    async def wakeups(self) -> AsyncIterator[None]:
        """A tick for every new solid block, and when the view does not answer.

        A failed poll wakes too, so that whoever waits meets the error in a read of its own.
        """
        seen = -1
        while True:
            try:
                number = (await self._rpc.solid_head()).number
            except Transient:
                number = -1
            if number != seen or number < 0:
                seen = number
                yield
            await asyncio.sleep(self._config.poll_seconds)

    async def close(self) -> None:
        """Release connections."""
        await self._rpc.close()

    async def _require_final(self, height: int) -> None:
        if height > self._known_final:
            head = await self.final_head()
            if height > head.height:
                msg = f"block {height} is not solid: the solid view is at {head.height}"
                raise Unavailable(msg)

    async def _in_block(self, tx: str, number: int) -> TxInfo | None:
        if number > self._known_final:
            head = await self.final_head()
            if number > head.height + FAR_AHEAD:
                return None
        await self._require_final(number)
        infos = await self._rpc.solid_block_infos(number)
        return next((info for info in infos if info.tx == tx), None)

    async def _read_blocks(self, first: int, last: int) -> list[tuple[ChainFact, ...]]:
        """The facts of each block, so many at once as the node answers.

        What was read of a range that failed is kept until the range is whole, so that a node that
        rations its answers is read to the end all the same.
        """
        numbers = range(first, last + 1)
        found = {number: self._kept[number] for number in numbers if number in self._kept}
        await self._read_missing([number for number in numbers if number not in found], found)
        for number in numbers:
            self._kept.pop(number, None)
        return [found[number] for number in numbers]

    async def _read_missing(
        self, missing: Sequence[int], found: dict[int, tuple[ChainFact, ...]]
    ) -> None:
        waiting, width = iter(missing), self._width.now

        async def read() -> None:
            for number in waiting:
                infos = await self._rpc.solid_block_infos(number)
                found[number] = tuple(fact for info in infos for fact in self._facts(info))
                self._keep(number, found[number])

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(width, len(missing))):
                    group.create_task(read())
        except ExceptionGroup as errors:
            self._width.refused(width)
            raise errors.exceptions[0] from errors
        self._width.took(len(missing))

    def _keep(self, number: int, facts: tuple[ChainFact, ...]) -> None:
        self._kept[number] = facts
        while len(self._kept) > _KEPT_BLOCKS:
            self._kept.pop(next(iter(self._kept)))

    def _facts(self, info: TxInfo) -> list[ChainFact]:
        if not info.succeeded:
            return []
        facts = (fact_of(self._place, log) for log in self._logs(info))
        return [fact for fact in facts if fact is not None]

    def _logs(self, info: TxInfo) -> list[GatewayLog]:
        return gateway_logs(info, self._place.address)

    async def _call(self, data: bytes) -> bytes:
        answer = await self._rpc.solid_call(self._gateway, data)
        if answer.reverted is not None:
            msg = f"the gateway reverted a read: {answer.reverted}"
            raise Unavailable(msg)
        return answer.data


def gateway_logs(info: TxInfo, address: bytes) -> list[GatewayLog]:
    """The logs of a gateway (20 bytes) in a transaction, at their places among all its logs."""
    return [
        GatewayLog(
            topics=topics,
            data=data,
            tx=info.tx,
            index=place,
            height=info.height,
            time=info.time,
        )
        for place, topics, data in logs_at(info.logs, address)
    ]
