"""Final facts of an EVM chain. Final is what the node's ``finalized`` tag says, never a count."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from relayer.chains.evm.codec import (
    Header,
    MinedTx,
    RawLog,
    gateway_log,
    hex_of,
    in_form,
    is_hash,
    is_pruned,
    is_too_wide,
    read_data,
    read_header,
    read_log,
    read_receipt,
)
from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.ranges import Begun, RangePlan
from relayer.chains.evm.rpc import Call, EvmRpc, NodeRefused, good
from relayer.chains.gateway.events import FACT_TOPICS, fact_of
from relayer.chains.gateway.reads import (
    read_receipts,
    read_refunds,
    read_snapshots,
    receipts_call,
    refunds_call,
    snapshot_call,
)
from relayer.chains.wakeups import Broke, Paces, ticks, unheard
from relayer.chains.width import Width
from relayer.domain.address import ChainId
from relayer.domain.errors import HistoryPruned, Unavailable
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

FINALIZED: Final = "finalized"
_QUIET_POLLS: Final = 4
"""Polls that are left out after a block was announced, while the next one is waited for."""

_IDS_PER_CALL = 500
_HEADERS_KEPT = 1_000
_BEGUN_KEPT = 32
"""Ranges half read: each service that reads has one, and each lane's Sweep."""


class EvmReader:
    """ChainReader over one endpoint."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc, stream_broke: Broke = unheard) -> None:
        """Read the gateway of ``config`` through ``rpc``; ``stream_broke`` hears of its stream."""
        self._stream_broke = stream_broke
        self._config = config
        self._place = config.place
        self._rpc = rpc
        self._width = Width(config.range_blocks)
        self._head: Head | None = None
        self._known: dict[int, Header] = {}
        self._begun: dict[int, Begun] = {}
        self._filter = {
            "address": hex_of(self._place.address),
            "topics": [[hex_of(topic) for topic in FACT_TOPICS]],
        }

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""
        return self._config.chain

    @property
    def first_height(self) -> int:
        """The height before which the gateway did not exist."""
        return self._config.first_height

    async def final_head(self) -> Head:
        """The newest block that the node has called final.

        A lower answer than before comes from a backend that lags: what was final stays final.
        """
        return self._note(await self._rpc.call("eth_getBlockByNumber", [FINALIZED, False]))

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Deposits, deliveries, voids and refunds in [first, last] in chain order.

        Unavailable beyond the final head, for logs that contradict the headers, and for an
        endpoint that lags; HistoryPruned where it no longer holds the blocks. What was read of a
        range that failed is kept until it is asked for again: a long one is read to its end.
        """
        await self._require_final(last)
        begun = self._begun.pop(first, None) or Begun(RangePlan(first, last, self._width))
        begun.plan.last = last
        try:
            while (piece := begun.plan.piece) is not None:
                await self._read_piece(begun, piece)
        except BaseException:  # cancelled too: another endpoint was quicker this time
            self._keep(first, begun)
            raise
        return [fact for fact in begun.facts if fact.height <= last]

    async def _read_piece(self, begun: Begun, piece: tuple[int, int]) -> None:
        try:
            begun.facts += await self._facts(*piece)
        except NodeRefused as fault:
            if not is_too_wide(fault):
                raise
            begun.plan.refused()
        else:
            begun.plan.took()

    def _keep(self, first: int, begun: Begun) -> None:
        self._begun[first] = begun
        while len(self._begun) > _BEGUN_KEPT:
            self._begun.pop(next(iter(self._begun)))

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The deposit in the log that ``location`` names, if its transaction is final.

        Empty for an unknown or failed transaction and for any other log. Unavailable while the
        transaction is not final yet, or stands in another block than the canonical one.
        """
        if location.inner != -1 or not is_hash(location.tx):
            return ()
        claimed = max(height, self._config.first_height)
        receipt = await self._receipt_from(location.tx, claimed)
        if receipt is None:
            await self._require_absent(location.tx, claimed)
            return ()
        mined = read_receipt(receipt)
        if mined.tx != location.tx:
            raise Unavailable(f"the node answered {mined.tx} when asked for {location.tx}")
        await self._require_final(mined.height)
        return await self._deposits(mined, location)

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The final receipts of those ids that have one, read in one call per 500 ids."""
        found: dict[TransferId, Receipt] = {}
        for start in range(0, len(ids), _IDS_PER_CALL):
            some = ids[start : start + _IDS_PER_CALL]
            found |= read_receipts(some, await self._ask(receipts_call(some)))
        return found

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made here that are finally refunded, 500 ids per call."""
        found: frozenset[TransferId] = frozenset()
        for start in range(0, len(ids), _IDS_PER_CALL):
            some = ids[start : start + _IDS_PER_CALL]
            found |= read_refunds(some, await self._ask(refunds_call(some)))
        return found

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """One snapshot per token, all of the one final block that the gateway names."""
        call = snapshot_call(self._place.tokens)
        if height is None:
            return read_snapshots(self._place, await self._ask(call))
        await self._require_final(height)
        found = read_snapshots(self._place, await self._ask(call, hex(height)))
        if found[0].height != height:
            raise Unavailable(f"the node told of block {found[0].height} when asked for {height}")
        return found

    def wakeups(self) -> AsyncGenerator[None, None]:
        """A tick at each new block that the node announces, else every ``poll_seconds``."""
        poll = self._config.poll_seconds
        listen = self._rpc.new_heads if self._rpc.has_stream else None
        return ticks(listen, Paces(poll=poll, quiet=_QUIET_POLLS * poll), self._stream_broke)

    async def close(self) -> None:
        """Release connections."""
        await self._rpc.close()

    async def _ask(self, calldata: bytes, block: str = FINALIZED) -> bytes:
        call = {"to": hex_of(self._place.address), "data": hex_of(calldata)}
        return read_data(await self._rpc.call("eth_call", [call, block]), "call result")

    def _note(self, answer: Mapping[str, Any] | None) -> Head:
        if answer is None:
            raise Unavailable("the node knows no finalized block")
        header = read_header(answer)
        if self._head is None or header.height > self._head.height:
            self._head = Head(height=header.height, time=header.time)
        return self._head

    async def _require_final(self, height: int) -> None:
        if self._head is None or height > self._head.height:
            head = await self.final_head()
            if height > head.height:
                raise Unavailable(f"block {height} is not final: the final head is {head.height}")

    async def _facts(self, first: int, last: int) -> list[ChainFact]:
        logs = await self._logs(first, last)
        headers = await self._headers(sorted({log.height for log in logs}))
        found = []
        for log in logs:
            header = headers[log.height]
            if log.block_hash != header.hash:
                self._known.pop(log.height)
                raise Unavailable(f"log {log.index} of block {log.height} is of another block")
            found.append(fact_of(self._place, gateway_log(log, header.time)))
        return [fact for fact in found if fact is not None]

    async def _logs(self, first: int, last: int) -> list[RawLog]:
        """The gateway's logs of a final range.

        The headers at both ends travel in the same request: a backend that lags, or that no
        longer holds the blocks, answers an empty list of logs as if nothing had happened.
        """
        wanted = {**self._filter, "fromBlock": hex(first), "toBlock": hex(last)}
        ends = [("eth_getBlockByNumber", [hex(end), False]) for end in (first, last)]
        answers = await self._rpc.batch([("eth_getLogs", [wanted]), *ends], together=True)
        if isinstance(answers[0], NodeRefused) and is_pruned(answers[0]):
            raise HistoryPruned(str(answers[0])) from answers[0]
        raw, start, end = map(good, answers)
        if end is None:
            raise Unavailable(f"the endpoint does not have block {last} yet")
        if start is None:
            raise HistoryPruned(f"the endpoint no longer has block {first}")
        with in_form("list of logs"):
            logs = [read_log(log) for log in raw]
        return self._in_order(logs, first, last)

    def _in_order(self, logs: list[RawLog], first: int, last: int) -> list[RawLog]:
        ordered = sorted(logs, key=_place_in_chain)
        if len({_place_in_chain(log) for log in ordered}) != len(ordered):
            raise Unavailable(f"the node gave a log twice in [{first}, {last}]")
        for log in ordered:
            if log.address != self._place.address or not first <= log.height <= last:
                raise Unavailable(f"the node gave a log that was not asked for: {log.tx}")
        return ordered

    async def _headers(self, heights: Sequence[int]) -> dict[int, Header]:
        """Headers of final blocks, which never change: those read lately are remembered."""
        unknown = [height for height in heights if height not in self._known]
        calls = [("eth_getBlockByNumber", [hex(height), False]) for height in unknown]
        for height, answer in zip(unknown, await self._rpc.batch(calls), strict=True):
            self._known[height] = _header(good(answer), height)
        headers = {height: self._known[height] for height in heights}
        while len(self._known) > _HEADERS_KEPT:
            self._known.pop(next(iter(self._known)))
        return headers

    async def _receipt_from(self, tx: str, height: int) -> Any:
        """A receipt, and in the same request what it takes to believe it if it is of that block.

        The head is asked for before the block: what is final then is read as it will stay.
        """
        calls: list[Call] = [("eth_getTransactionReceipt", [tx])]
        if self._head is None or height > self._head.height:
            calls.append(("eth_getBlockByNumber", [FINALIZED, False]))
        if height not in self._known:
            calls.append(("eth_getBlockByNumber", [hex(height), False]))
        answers = await self._rpc.batch(calls, together=True)
        for (_, (tag, *_)), answer in zip(calls[1:], answers[1:], strict=True):
            if tag == FINALIZED:
                self._note(good(answer))
            elif isinstance(answer, Mapping) and self._head and height <= self._head.height:
                self._known[height] = _header(answer, height)
        return good(answers[0])

    async def _deposits(self, mined: MinedTx, location: Location) -> Sequence[Deposit]:
        header = (await self._headers([mined.height]))[mined.height]
        if header.hash != mined.block_hash:
            self._known.pop(mined.height)
            raise Unavailable(f"{mined.tx} stands in a block that is not canonical")
        if not mined.succeeded:
            return ()
        facts = [
            fact_of(self._place, gateway_log(log, header.time))
            for log in mined.logs
            if log.address == self._place.address and log.index == location.index
        ]
        return tuple(fact for fact in facts if isinstance(fact, Deposit))

    async def _require_absent(self, tx: str, height: int) -> None:
        """Raise unless it is sure that a transaction without a receipt is not in that block.

        The three answers travel in one request, so that they come from one backend. A node drops
        its index of transactions before it drops the blocks: the block itself must not list it.
        """
        answers = await self._rpc.batch(
            [
                ("eth_getBlockByNumber", [FINALIZED, False]),
                ("eth_getBlockByNumber", [hex(height), False]),
                ("eth_getTransactionReceipt", [tx]),
            ],
            together=True,
        )
        head, block, receipt = map(good, answers)
        final = self._final_of(head)
        if height > final + FAR_AHEAD:
            return
        if height > final:
            raise Unavailable(f"{tx} is said to be in block {height}, the final head is {final}")
        if block is None:
            raise HistoryPruned(f"the endpoint no longer has block {height}")
        with in_form("block"):
            listed = tx in block["transactions"]
        if listed or receipt is not None:
            raise HistoryPruned(f"the endpoint no longer has the receipt of {tx}")

    def _final_of(self, head: Mapping[str, Any] | None) -> int:
        """The height in this very answer, not the newest ever seen: backends differ."""
        self._note(head)
        return read_header(head or {}).height


def _place_in_chain(log: RawLog) -> tuple[int, int]:
    return log.height, log.index


def _header(answer: Mapping[str, Any] | None, height: int) -> Header:
    if answer is None:
        raise Unavailable(f"the endpoint does not have block {height}")
    header = read_header(answer)
    if header.height != height:
        raise Unavailable(f"the node answered block {header.height} when asked for {height}")
    return header
