"""A little Tron chain in memory, behind an endpoint that fails as a script says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from relayer.chains.gateway.events import GatewayLog
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.reader import TronReader
from relayer.chains.tron.rpc import TronRpc
from relayer.domain.address import ChainId, account_from_tron, word_of
from relayer.domain.transfer import Mode, TokenPlace, counted_id
from tests.chains.faulty import Fault, Script, World
from tests.chains.gateway_samples import SOLANA, TRON, TRON_GATEWAY, from_here
from tests.chains.test_gateway_events import deposited

LAST = 40
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


TRON_WORLD = World(
    name="tron",
    last=LAST,
    open=lambda heights, script, _narrow: TronReader(CONFIG, Chain(heights, script)),
    listed=lambda heights: [(height, place) for place, height in enumerate(sorted(heights))],
    named=lambda deposit: (deposit.height, deposit.nonce),
)
