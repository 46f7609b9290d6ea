"""Blocks, transactions, accounts, contracts: what is read has the shape of the real node's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.devnet.tron.recorded import Exchange, differences, exchanges
from tests.devnet.tron.stage import OWNER, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

_NUMBERS = {27: "past", 48: "transfer", 32: "head", 1032: "future", 86: "outcomes"}
# Its genesis moves the first balances by transactions, and its accounts have names.
GENESIS = ("transactions",)


def by_case(*cases: str) -> list[Any]:
    return [
        pytest.param(case, one, id=f"{case}: {one.port} {one.note}")
        for case in cases
        for one in exchanges(case)
    ]


def at_our_heights(stage: Stage, request: Any) -> Any:
    """Return a recorded request with heights of the same meaning on this chain."""
    chain = stage.net.node.chain
    (transfer,) = [b for b in chain.blocks.values() if _holds_transfer(stage, b)]
    (outcomes,) = [b for b in chain.blocks.values() if len(b.included) > 10]
    heights = {
        "past": chain.solid.number,
        "head": chain.head.number,
        "future": chain.head.number + 1000,
        "transfer": transfer.number,
        "outcomes": outcomes.number,
    }
    request = stage.translated(request)
    if isinstance(request, dict):
        for key in ("num", "id_or_num"):
            value: Any = request.get(key)
            if str(value).isdigit() and int(value) in _NUMBERS:
                ours = heights[_NUMBERS[int(value)]]
                request[key] = str(ours) if isinstance(value, str) else ours
    return _with_ids(stage, request)


def _holds_transfer(stage: Stage, block: Any) -> bool:
    ours = stage.known["6effcc9e28474eebe8357c85a2af0cb4f64c117c6c61c4904636b9011888fa1e"]
    return any(one.txid.hex() == ours for one in block.included)


def _with_ids(stage: Stage, request: Any) -> Any:
    """Let the recorded past block's id be that of a block here."""
    recorded = exchanges("block_bynum")[0].answer["blockID"]
    past = stage.net.node.chain.solid
    return json.loads(json.dumps(request).replace(recorded, past.id.hex()))


BLOCKS = by_case(
    "block_now",
    "block_bynum",
    "block_byid",
    "block_get",
    "block_latestnum",
    "block_limitnext",
    "txinfo_byblocknum",
    "tx_count",
)


@pytest.mark.parametrize(("case", "one"), BLOCKS)
async def test_blocks_look_as_recorded(stage: Stage, case: str, one: Exchange) -> None:
    """Each way to ask for blocks on both ports: present, future, negative, absent, malformed."""
    request = at_our_heights(stage, one.request)
    if one.method == "GET" and "bynum" in one.path:
        request = {"num": stage.net.node.chain.solid.number}
    answer = await stage.ask(one, request)
    assert answer.status == one.status
    recorded = one.answer
    if recorded and "transactions" not in json.dumps(recorded):
        answer.body = _without_transactions(answer.body)
    assert differences(recorded, answer.body, ignored=GENESIS) == []


def _without_transactions(body: Any) -> Any:
    """Leave transactions out: blocks of the recording were empty, those here are not."""
    blocks = body.get("block", [body]) if isinstance(body, dict) else []
    for block in blocks:
        if "block_header" not in block:
            continue
        block.pop("transactions", None)
        block["block_header"]["raw_data"]["txTrieRoot"] = "00" * 32
    return body


# Which of these an account has depends on how it came to be and what it did.
OF_HISTORY = (
    "account_name",
    "create_time",
    "latest_opration_time",
    "free_net_usage",
    "latest_consume_free_time",
)


UNCHANGED = by_case(
    "tx_unknown",
    "validateaddress",
    "contract_get",
    "account_resource",
    "node_prices",
    "node_pending",
    "walletsolidity_on_full_port",
)


@pytest.mark.parametrize(("case", "one"), UNCHANGED)
async def test_other_reads_look_as_recorded(stage: Stage, case: str, one: Exchange) -> None:
    """Unknown ids, addresses, contracts, resources, prices, the empty pool, the wrong port."""
    answer = await stage.ask(one)
    assert answer.status == one.status
    if answer.status == 200:
        ignored = (*OF_HISTORY, "freeNetUsed", "energy_usage")
        assert differences(one.answer, answer.body, ignored=ignored) == []
    else:
        assert f"<title>Error {one.status} " in answer.body


ACCOUNTS = [one for one in exchanges("account_get") if one.note != "witness" and one.status == 200]


@pytest.mark.parametrize("one", ACCOUNTS, ids=lambda one: f"{one.port} {one.note}")
async def test_accounts_look_as_recorded(stage: Stage, one: Exchange) -> None:
    """Accounts on both ports: present, absent, visible, in a wrong form."""
    answer = await stage.ask(one)
    assert differences(one.answer, answer.body, ignored=OF_HISTORY) == []


async def test_an_account_activated_by_a_transfer_has_permissions(stage: Stage) -> None:
    """A new account shows its creation and the permissions of its key."""
    recorded = [one for one in exchanges("broadcast_bandwidth") if one.path.endswith("getaccount")]
    answer = await stage.ask(recorded[0])
    assert differences(recorded[0].answer, answer.body, ignored=OF_HISTORY) == []


@pytest.mark.parametrize("one", exchanges("misc_bad_requests"), ids=lambda one: one.note)
async def test_bad_requests_are_answered_as_recorded(stage: Stage, one: Exchange) -> None:
    """Unknown paths, bad JSON, other methods; the parser's own words about bad JSON aside."""
    answer = await stage.ask(one)
    assert answer.status == one.status
    if one.note == "bad json":
        assert answer.body["Error"].startswith("class com.alibaba.fastjson.JSONException : ")
    elif one.status == 200:
        assert differences(one.answer, answer.body, ignored=OF_HISTORY) == []


@pytest.mark.parametrize("one", exchanges("visible_txinfo"), ids=lambda one: one.path)
async def test_visible_answers_look_as_recorded(stage: Stage, one: Exchange) -> None:
    """With visible, addresses in transactions, logs and contracts are base58.

    A refusal quotes the first character that is not base58, so it is asked for word for word: an
    address of this chain in hex may have none.
    """
    is_refused = isinstance(one.answer, dict) and "Error" in one.answer
    request = one.request if is_refused else at_our_heights(stage, one.request)
    answer = await stage.ask(one, request)
    ignored = ("net_fee", "net_usage", "fee", "resMessage")
    assert differences(_some(one.answer), _some(answer.body), ignored=ignored) == []


def _some(answer: Any) -> Any:
    """Take one comparable row of a list: the first transfer of tokens."""
    return answer[:1] if isinstance(answer, list) else answer


LIFE = [
    one
    for one in exchanges("tx_lifecycle_transfer")[12:]
    if "solid" not in one.note and "pending" not in one.path
]


@pytest.mark.parametrize("one", LIFE, ids=lambda one: f"{one.path} {one.note}")
async def test_a_mined_transfer_looks_as_recorded(stage: Stage, one: Exchange) -> None:
    """A transfer of TRX in a block by all look-ups: no result in its receipt, no fee when free."""
    request = at_our_heights(stage, one.request)
    if one.method == "GET":
        ours = "6effcc9e28474eebe8357c85a2af0cb4f64c117c6c61c4904636b9011888fa1e"
        request = {"value": stage.translated(ours)}
    answer = await stage.ask(one, request)
    ignored = ("net_fee", "net_usage", "fee", "transactionIndex", "cumulativeGasUsed")
    assert differences(one.answer, answer.body, ignored=ignored) == []


@pytest.mark.parametrize("case", ["node_info", "node_chainparameters"])
async def test_node_facts_are_a_part_of_the_recorded_ones(stage: Stage, case: str) -> None:
    """The devnet tells less about itself than a node, nothing else and with the same values."""
    one = exchanges(case)[0]
    answer = (await stage.ask(one)).body
    if case == "node_info":
        assert set(answer) <= set(one.answer)
        assert answer["block"].startswith("Num:")
        return
    recorded = {row["key"]: row.get("value") for row in one.answer["chainParameter"]}
    ours = {row["key"]: row.get("value") for row in answer["chainParameter"]}
    assert {key: recorded[key] for key in ours} == ours


async def test_the_owner_is_known_by_its_form_only(stage: Stage) -> None:
    """An address of 20 bytes silently finds nothing."""
    address = stage.translated(OWNER)
    assert await stage.post("/wallet/getaccount", address=address) == {}
    assert (await stage.post("/wallet/getaccount", address="41" + address))["balance"] > 0
