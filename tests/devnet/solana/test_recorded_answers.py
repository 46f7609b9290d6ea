"""The devnet answers what a real validator answered: the recordings are asked again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from tests.devnet.solana.conftest import ChainTime
from tests.devnet.solana.recorded import answer_shape, exchanges
from tests.devnet.solana.stage import TOKEN_2022, Rewriting, Stage

PAYER, OTHER, HOLDER, USER, MINT, SHARED_MINT = (
    Pubkey.from_string(text)
    for text in (
        "4wZUCDKmKfpmA1i37hQAWpFVXBkJtTJd5Kx4hSNdL5j6",
        "GocLB14UJY1Y4FNzz6rjnRsbRHisv3MNmNWNyr3rqUQ1",
        "3LE4Agz6C794KkT1dqwzbYU3NTXWyYpqSptELKUdGCvt",
        "8NQyeSauKNksGfZ52GQmgicNvWcajZLKXh5gRuAvL5X7",
        "9qpx3zLEV4HmaaxpmXjaEUqWg483gqkGW1Bqi99WLW6e",
        "8xqBGnXwBzrZs6cB9g4WkFgNSJATQrPGzmfuGARK2THB",
    )
)
TOKEN_CASES = (
    "token-mint-create",
    "token-mintTo",
    "token-burn-transfer",
    "token-permanent-delegate-burn",
    "token-scaled-ui",
    "token-paused",
    "token-frozen",
    "token-multisig-2of3",
    "token-queries",
)
SEND_CASES = (
    "send-success",
    "send-twice-quickly",
    "send-preflight-failures",
    "send-skipPreflight-failing",
    "simulate",
    "fees",
    "get-transaction",
    "errors-lenient-config",
)
UNRECORDED = (
    "4pgu3UnSvDksyGZ8AyowGM16tMuvxQkBts3SC66x4TjFUk75wzDRAyQaRweKPeJhU3yJaW1kYR1PhXMzrFG8fcwX"
)
DIFFERENT = {
    ("send-preflight-failures", 22): "names the first bad character of another transaction",
    ("errors-lenient-config", 23): "only the number of results was recorded",
    ("get-transaction", 17): "made by a test of tokens",
    ("basic-version-health", 14): "the recorded node had not voted yet",
}


@dataclass
class Replay:
    """Asks the exchanges of cases one after the other and notes how the answers differ."""

    stage: Stage
    time: ChainTime
    rewriting: Rewriting
    asked: int = 0
    findings: list[str] = field(default_factory=list)

    async def case(self, case: str) -> None:
        """Ask all of one case."""
        for index, recorded in enumerate(exchanges(case)):
            if not isinstance(recorded.get("request"), dict) or "response" not in recorded:
                continue
            self._prepare(recorded)
            answer = await self._ask(recorded["request"])
            self._follow(case, index, recorded, answer)
            if (case, index) not in DIFFERENT:
                self._compare(case, index, recorded, answer)

    def _prepare(self, recorded: dict[str, Any]) -> None:
        note = str(recorded.get("note"))
        self.time.now = max(self.time.now + 0.4, _chain_time(recorded["response"]))
        if note.startswith("status changed"):
            status = recorded["response"]["result"]["value"][0]
            depths = {"confirmed": 1, "finalized": 31}
            self.stage.blocks(depths[status["confirmationStatus"]] if status else 0)
        if note.startswith("after the effective time"):
            self.time.now += 25
            self.stage.blocks(1)
        if note.startswith("default commitment = finalized: still 0"):
            self.stage.blocks(1)

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], self.rewriting.value(request.get("params") or [])
        chain = self.stage.net.node.chain
        blockhash = chain.hash_of(chain.height)
        if params and method in ("sendTransaction", "simulateTransaction"):
            text = self.rewriting.transaction(request["params"][0], blockhash)
            params = [text, *params[1:]]
        if method == "getFeeForMessage" and len(params[0]) > 4:
            params = [self.rewriting.message(params[0], blockhash), *params[1:]]
        return await self.stage.call(method, *params)

    def _follow(
        self, case: str, index: int, recorded: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        sent = recorded["request"]["method"] == "sendTransaction" and "result" in answer
        if sent and "result" in recorded["response"]:
            self.rewriting.learn(recorded["response"]["result"], answer["result"])
        if sent and (case, index) not in {("send-success", 1), ("send-twice-quickly", 0)}:
            self.stage.blocks(1)

    def _compare(
        self, case: str, index: int, recorded: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        self.asked += 1
        real, mine = answer_shape(recorded["response"]), answer_shape(answer)
        if real != mine:
            method, note = recorded["request"]["method"], recorded.get("note")
            self.findings.append(
                f"{case} {index} {method} ({note})\n real {json.dumps(real)}\n mine "
                f"{json.dumps(mine)}"
            )


def _chain_time(value: Any) -> float:
    match value:
        case dict():
            own = value.get("blockTime") or value.get("unixTimestamp") or 0
            return max([own, *map(_chain_time, value.values())])
        case list():
            return max([0, *map(_chain_time, value)])
        case _:
            return 0


def replay(
    stage: Stage, time: ChainTime, cases: tuple[str, ...], mints: tuple[Pubkey, ...] = ()
) -> Replay:
    """Return a replay of `cases` for `stage`."""
    return Replay(stage, time, Rewriting(cases, mints))


async def test_a_fresh_node_answers_as_recorded(stage: Stage, chain_time: ChainTime) -> None:
    """Version, health, slots, blockhashes and accounts have the recorded shapes and errors."""
    cases = ("basic-version-health", "basic-slots-by-commitment", "accounts")
    told = replay(stage, chain_time, cases)
    stage.blocks(1)

    for case in cases:
        await told.case(case)

    assert told.findings == []
    assert told.asked > 70


async def test_blockhashes_are_valid_where_recorded(stage: Stage, chain_time: ChainTime) -> None:
    """A hash is known at the commitments that have reached its block, and junk is refused."""
    told = replay(stage, chain_time, ("basic-isBlockhashValid",))
    stage.blocks(1)
    chain = stage.net.node.chain
    processed = exchanges("basic-isBlockhashValid")[0]["request"]["params"][0]
    finalized = exchanges("basic-isBlockhashValid")[6]["request"]["params"][0]
    told.rewriting.learn(processed, str(chain.hash_of(1)))
    told.rewriting.learn(finalized, str(chain.genesis_hash))

    await told.case("basic-isBlockhashValid")

    assert told.findings == []
    assert told.asked == 21


async def test_transactions_meet_the_recorded_fate(stage: Stage, chain_time: ChainTime) -> None:
    """Preflight, landing, failing, simulating and reading back go as on the real node."""
    told = replay(stage, chain_time, SEND_CASES)
    key = told.rewriting.key
    for one in (PAYER, PAYER, OTHER, USER, HOLDER):
        stage.net.node.airdrop(key(one), 500 * 10**9)
        stage.blocks(1)

    for case in SEND_CASES:
        if case == "errors-lenient-config":
            stage.fund(key(PAYER), lamports=1_000_000)
            told.rewriting.learn(UNRECORDED, stage.net.node.airdrop(key(PAYER), 2_000_000))
            stage.blocks(1)
        await told.case(case)

    assert told.findings == []
    assert told.asked > 140


async def test_tokens_live_as_recorded(stage: Stage, chain_time: ChainTime) -> None:
    """Mints with all extensions, burns, pauses, freezes, multisigs and queries, log by log."""
    told = replay(stage, chain_time, TOKEN_CASES, mints=(SHARED_MINT,))
    key = told.rewriting.key
    for one in told.rewriting.payers:
        stage.net.node.airdrop(key(one), 1_000 * 10**9)
    stage.blocks(1)

    for case in TOKEN_CASES:
        if case == "token-multisig-2of3":
            _copy_mint(stage, key(MINT), key(SHARED_MINT))
        await told.case(case)

    assert told.findings == []
    assert told.asked > 160


def _copy_mint(stage: Stage, source: Pubkey, target: Pubkey) -> None:
    # The recorder made this mint off the record: the same as the first, with nothing supplied.
    bank, height = stage.net.node.bank, stage.net.node.chain.height
    mint = bank.read(source, height)
    assert mint is not None
    data = mint.data[:36] + bytes(8) + mint.data[44:]
    bank.place(target, Account(lamports=mint.lamports, data=data, owner=TOKEN_2022))


@pytest.mark.parametrize("index", range(len(exchanges("errors-malformed"))))
async def test_malformed_requests_are_answered_as_recorded(stage: Stage, index: int) -> None:
    """Bad JSON, bad parameters, batches, wrong types and methods get the recorded answer."""
    recorded = exchanges("errors-malformed")[index]
    body, options = _recorded_body(recorded)

    status, text = await stage.post(body, **options)

    assert status == recorded.get("http_status", 200)
    if "response" not in recorded:
        assert text == recorded["response_raw"]
        return
    mine = json.loads(text)
    if isinstance(mine, list):
        assert mine == recorded["response"]
        return
    assert answer_shape(mine) == answer_shape(recorded["response"])
    assert mine["id"] == recorded["response"]["id"]


def _recorded_body(recorded: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    note = str(recorded.get("note"))
    options: dict[str, Any] = {}
    if note in ("PUT", "OPTIONS"):
        options["method"] = note
    if note == "content-type text/plain":
        options["headers"] = {"content-type": "text/plain"}
    if note == "no content-type":
        options["headers"] = {}
    if note == "content-type with charset":
        options["headers"] = {"content-type": "application/json; charset=utf-8"}
    if note == "60 kB body":
        return json.dumps({"params": ["x" * 60_000]}), options
    if "request" in recorded:
        return json.dumps(recorded["request"]), options
    return str(recorded["request_raw"]), options
