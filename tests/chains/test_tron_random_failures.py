"""The history of a Tron chain, read through an endpoint that fails at random."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from relayer.chains.gateway.events import GatewayLog
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.reader import TronReader
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.address import ChainId, account_from_tron, word_of
from relayer.domain.transfer import Deposit, Mode, TokenPlace, counted_id
from tests.chains.faulty import (
    SCRIPTS,
    Fault,
    Script,
    cuts,
    heights_up_to,
    one_at_each_request,
    told_in,
)
from tests.chains.gateway_samples import SOLANA, TRON, TRON_GATEWAY, from_here
from tests.chains.test_gateway_events import deposited
from tests.ports.virtual import run

FIRST, LAST = 1, 40
TOKEN = account_from_tron(b"\x01" * 20)
CONFIG = TronConfig(
    chain=ChainId(TRON),
    url="http://nowhere.invalid",
    solidity_url="http://nowhere.invalid",
    gateway=TRON_GATEWAY,
    tokens=(TokenPlace(asset="TSLAx", token=TOKEN, mode=Mode.BURN_MINT),),
    peers=(SOLANA,),
    attesters=(),
    quorum=0,
    reads_at_once=8,
)


class Chain(TronRpc):
    """A true little chain with a deposit in each of ``heights``, behind a script of faults."""

    def __init__(self, heights: list[int], script: Script) -> None:
        """Connect to nothing."""
        super().__init__(CONFIG.url, CONFIG.solidity_url)
        self.script = script
        self.under_way = self.most_under_way = 0
        self._infos: dict[int, list[Any]] = {}
        for place, height in enumerate(sorted(heights)):
            self._infos.setdefault(height, []).append(_info(place, height))

    async def _send(self, url: str, body: bytes) -> tuple[int, bytes]:
        fault, asked = self.script.next(), json.loads(body)
        if fault is Fault.SLOW:
            raise TimeoutError
        if fault in {Fault.RATIONED, Fault.TOO_MUCH}:
            return int(fault.value), b"slow down"
        if fault is Fault.HTML:
            return 200, b"<html>Just a moment...</html>"
        if fault is Fault.BUSY:
            return (
                200,
                b'{"Error":"class java.lang.RuntimeException : lack of computing resources"}',
            )
        text = json.dumps(self._reply(url.rpartition("/")[2], asked, fault)).encode()
        return 200, text[: len(text) // 2] if fault is Fault.CUT else text

    def _reply(self, method: str, asked: Any, fault: Fault) -> Any:
        head = LAST - 7 if fault is Fault.LAGS else LAST
        oldest = LAST // 2 if fault is Fault.PURGED else 0
        if method == "getblock":
            number = int(asked["id_or_num"]) if "id_or_num" in asked else head
            return self._block(number) if number <= head else {}
        number = asked["num"]
        return self._infos.get(number, []) if oldest <= number <= head else []

    def _block(self, number: int) -> Any:
        root = ("11" if number in self._infos else "00") * 32
        raw = {"number": number, "timestamp": number * 3_000, "txTrieRoot": root}
        return {
            "blockID": number.to_bytes(8, "big").hex() + "ab" * 24,
            "block_header": {"raw_data": raw},
        }


def _info(place: int, height: int) -> Any:
    event = _event(place)
    log = {
        "address": word_of(TRON_GATEWAY).hex(),
        "topics": [topic.hex() for topic in event.topics],
        "data": event.data.hex(),
    }
    return {
        "id": f"{place:064x}",
        "blockNumber": height,
        "blockTimeStamp": height * 3_000,
        "receipt": {"result": "SUCCESS"},
        "log": [log],
    }


def _event(nonce: int) -> GatewayLog:
    transfer = counted_id(CONFIG.chain, TRON_GATEWAY, SOLANA, nonce)
    return deposited(replace(from_here(nonce=nonce), id=transfer))


@pytest.mark.parametrize("fault", Fault)
def test_one_failure_at_any_request_loses_nothing(fault: Fault) -> None:
    """Also where the answers before and after it come from sound backends."""
    for faults in one_at_each_request(fault):
        chain = Chain(list(range(FIRST, LAST + 1)), Script(faults))
        told = run(told_in(TronReader(CONFIG, chain), [(FIRST, LAST)]))
        assert [fact.height for fact in told] == list(range(FIRST, LAST + 1))


@settings(max_examples=150, deadline=None)
@given(
    heights=heights_up_to(LAST),
    ranges=cuts(FIRST, LAST),
    faults=SCRIPTS,
)
def test_every_fact_is_told_once_and_in_order(
    heights: list[int], ranges: list[tuple[int, int]], faults: list[Fault]
) -> None:
    """Whatever fails, and however the range is cut: nothing is missed, and nothing comes twice."""
    told = run(told_in(TronReader(CONFIG, Chain(heights, Script(faults))), ranges))

    assert [(fact.height, fact.nonce) for fact in told if isinstance(fact, Deposit)] == [
        (height, place) for place, height in enumerate(sorted(heights))
    ]
    assert len(told) == len(heights)


class Rationed(Chain):
    """Refuses what is asked while two other questions are under way."""

    async def _send(self, url: str, body: bytes) -> tuple[int, bytes]:
        self.under_way += 1
        try:
            await asyncio.sleep(0.1)
            self.most_under_way = max(self.most_under_way, self.under_way)
            if self.under_way > 2:
                return 429, b"slow down"
            return await super()._send(url, body)
        finally:
            self.under_way -= 1


def test_fewer_blocks_are_asked_for_at_once_where_so_many_are_refused() -> None:
    """A range wider than what is answered at once is read in some tries, and less is asked then."""
    chain = Rationed([3, 30], Script())
    reader = TronReader(CONFIG, chain)
    assert len(run(told_in(reader, [(FIRST, LAST)]))) == 2
    assert chain.most_under_way > 2
    chain.most_under_way = 0
    assert len(run(told_in(reader, [(FIRST, 20)]))) == 1
    assert chain.most_under_way <= 3
