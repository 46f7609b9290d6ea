"""The history of an EVM chain, read through an endpoint that fails at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.reader import EvmReader
from relayer.chains.evm.rpc import EvmRpc
from relayer.domain.address import word_of
from relayer.domain.transfer import Deposit
from tests.chains.faulty import (
    SCRIPTS,
    Fault,
    Script,
    cuts,
    heights_up_to,
    one_at_each_request,
    told_in,
)
from tests.chains.gateway_samples import AAPLX, BNB, GATEWAY, SOLANA, TSLAX, from_here
from tests.chains.test_gateway_events import deposited
from tests.ports.virtual import run

FIRST, LAST = 1, 60
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


@pytest.mark.parametrize("fault", Fault)
def test_one_failure_at_any_request_loses_nothing(fault: Fault) -> None:
    """Also where the answers before and after it come from sound backends."""
    for faults in one_at_each_request(fault):
        chain = Chain(list(range(FIRST, LAST + 1)), Script(faults), most_blocks=8)
        told = run(told_in(EvmReader(CONFIG, chain), [(FIRST, LAST)]))
        assert [fact.height for fact in told] == list(range(FIRST, LAST + 1))


@settings(max_examples=250, deadline=None)
@given(
    heights=heights_up_to(LAST),
    ranges=cuts(1, LAST),
    faults=SCRIPTS,
    most_blocks=st.integers(4, 30),
    most_calls=st.integers(3, 30),
)
def test_every_fact_is_told_once_and_in_order(
    heights: list[int],
    ranges: list[tuple[int, int]],
    faults: list[Fault],
    most_blocks: int,
    most_calls: int,
) -> None:
    """Whatever fails, and however the range is cut: nothing is missed, and nothing comes twice."""
    chain = Chain(heights, Script(faults, most_calls), most_blocks=most_blocks)

    told = run(told_in(EvmReader(CONFIG, chain), ranges))

    assert [(fact.height, fact.nonce) for fact in told if isinstance(fact, Deposit)] == [
        (height, place) for place, height in enumerate(sorted(heights))
    ]
    assert len(told) == len(heights)


def test_a_plans_limits_are_learned() -> None:
    """After a first round of refusals hardly any request is too large."""
    script = Script(most_calls=5)
    reader = EvmReader(CONFIG, Chain(list(range(1, LAST + 1)), script, most_blocks=25))
    run(told_in(reader, [(1, LAST)]))
    assert sum(calls > 5 for calls in script.calls) < len(script.calls) // 2
