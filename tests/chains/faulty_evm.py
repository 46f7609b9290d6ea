"""A little EVM chain in memory, behind an endpoint that fails as a script says."""

from __future__ import annotations

from typing import Any

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.domain.address import word_of
from tests.chains.faulty import Fault, Script, World
from tests.chains.gateway_samples import AAPLX, BNB, GATEWAY, SOLANA, TSLAX, from_here
from tests.chains.test_gateway_events import deposited

LAST = 60
CONFIG = EvmConfig(
    chain=BNB,
    url="http://nowhere.invalid",
    gateway=GATEWAY,
    tokens=(TSLAX, AAPLX),
    peers=(SOLANA,),
    attesters=(),
    quorum=0,
    first_height=1,
    range_blocks=25,
)


class Chain(EvmRpc):
    """A true little chain with a deposit at each of ``heights``, behind a script of faults."""

    def __init__(self, heights: list[int], script: Script, *, most_blocks: int) -> None:
        """Connect to nothing; the plan allows ``most_blocks`` per question for logs."""
        super().__init__(CONFIG.url)
        self.script, self._most = script, most_blocks
        self.logs = [_log(place, height) for place, height in enumerate(sorted(heights))]

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        return self.script.answer(body, self._reply)

    def _reply(self, call: Any, fault: Fault, place: int) -> Any:
        head = LAST - 7 if fault is Fault.LAGS else LAST
        oldest = LAST // 2 if fault is Fault.PURGED else 0
        answer = {"jsonrpc": "2.0", "id": call["id"]}
        if fault is Fault.BUSY and place % 2:
            return answer | {"error": {"code": -32603, "message": "Internal error"}}
        if call["method"] == "eth_getBlockByNumber":
            return answer | {"result": _block(call["params"][0], head, oldest)}
        [wanted] = call["params"]
        first, last = (int(wanted[end], 16) for end in ("fromBlock", "toBlock"))
        if last - first + 1 > self._most or (fault is Fault.TOO_MUCH and last > first):
            return answer | {"error": {"code": -32005, "message": "limit exceeded"}}
        held = range(max(first, oldest), min(last, head) + 1)
        logs = [log for log in self.logs if int(log["blockNumber"], 16) in held]
        return answer | {"result": logs}


def _block(name: str, head: int, oldest: int) -> Any:
    number = head if name == "finalized" else int(name, 16)
    if not oldest <= number <= head:
        return None
    return {"number": hex(number), "hash": f"0x{number:064x}", "timestamp": hex(1_000 + number)}


def _log(place: int, height: int) -> dict[str, Any]:
    event = deposited(from_here(nonce=place))
    return {
        "address": "0x" + word_of(GATEWAY).hex(),
        "topics": ["0x" + topic.hex() for topic in event.topics],
        "data": "0x" + event.data.hex(),
        "transactionHash": f"0x{place:064x}",
        "logIndex": hex(place),
        "blockNumber": hex(height),
        "blockHash": f"0x{height:064x}",
        "removed": False,
    }


EVM_WORLD = World(
    name="evm",
    last=LAST,
    open=lambda heights, script, narrow: EvmReader(
        CONFIG, Chain(heights, script, most_blocks=3 + narrow)
    ),
    listed=lambda heights: [(height, place) for place, height in enumerate(sorted(heights))],
    named=lambda deposit: (deposit.height, deposit.nonce),
)
