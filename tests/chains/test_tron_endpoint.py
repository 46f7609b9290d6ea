"""What the Tron adapter makes of a node's moods: an endpoint that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.reader import TronReader
from relayer.chains.tron.rpc import CallTimedOut, TronRpc
from relayer.chains.tron.writer import TronWriter
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.draft import Act, Attestation, Draft, LandingKind, Submission, Unwanted
from relayer.domain.errors import FeeCapped, HistoryPruned, PayerEmpty, Refused, Unavailable
from relayer.domain.transfer import (
    ActKind,
    Deposit,
    Location,
    Mode,
    TokenPlace,
    TransferId,
    counted_id,
)
from relayer.signing.local import Secp256k1Signer
from tests.chains.harness import landing_of

RECORDINGS = Path(__file__).parents[1] / "recordings"
GATEWAY: dict[str, Any] = json.loads((RECORDINGS / "tron-codec" / "gateway.json").read_text())
CHAIN = ChainId(GATEWAY["chain"])
BNB = ChainId("eip155:56")
PEER_GATEWAY = bytes.fromhex(GATEWAY["peer_gateway"])
KEYS = [Secp256k1Signer(bytes([17 + number]) * 32) for number in range(3)]
PAYER = Secp256k1Signer(b"\x31" * 32)
HEAD_MS = 1_795_368_900_000
BUSY = "class org.tron.core.exception.NonUniqueObjectException : lack of computing resources"


class Node:
    """Answers each path with what stands in its list, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[object]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    def says(self, path: str, *answers: object) -> None:
        """Set the answers of a path: JSON values, or bytes and a web.Response as they are."""
        self.answers[path] = list(answers)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer the next one."""
        self.asked.append((request.path, json.loads(await request.read())))
        waiting = self.answers[request.path]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, int):
            return web.Response(status=answer, text="<html>no</html>")
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body)


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Node]:
    """An endpoint on a free port whose chain stands at block 10, solid at 8."""
    told = Node()
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_post("/{path:.*}", told.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        told.says("/walletsolidity/getblock", block(8, HEAD_MS - 6000))
        told.says("/wallet/getblock", block(10, HEAD_MS))
        prices = {"getEnergyFee": 100, "getTransactionFee": 1000}
        parameters = [{"key": key, "value": value} for key, value in prices.items()]
        told.says("/wallet/getchainparameters", {"chainParameter": parameters})
        told.says("/wallet/getaccount", {"balance": 10**12})
        told.says("/wallet/getaccountresource", {"freeNetLimit": 600})
        yield told


@pytest_asyncio.fixture
async def rpc(node: Node) -> AsyncIterator[TronRpc]:
    """The edge to the node, with little patience."""
    edge = TronRpc(node.url, node.url, timeout_seconds=2)
    yield edge
    await edge.close()


def config_of(node: Node) -> TronConfig:
    """The recorded gateway behind the node."""
    tokens = {asset: Account(bytes.fromhex(token)) for asset, token in GATEWAY["tokens"].items()}
    return TronConfig(
        chain=CHAIN,
        url=node.url,
        solidity_url=node.url,
        gateway=Account(bytes.fromhex(GATEWAY["gateway"])),
        tokens=(
            TokenPlace(asset="TSLAx", token=tokens["TSLAx"], mode=Mode.BURN_MINT),
            TokenPlace(asset="AAPLx", token=tokens["AAPLx"], mode=Mode.LOCK_RELEASE),
        ),
        peers=(BNB,),
        attesters=tuple(key.public for key in KEYS),
        quorum=2,
        reads_at_once=3,
        poll_seconds=0.01,
    )


def block(number: int, time_ms: int, *, root: str = "00" * 32) -> Mapping[str, Any]:
    """A header as the node writes it."""
    identity = number.to_bytes(8, "big").hex() + "ab" * 24
    raw = {"number": number, "timestamp": time_ms, "txTrieRoot": root}
    return {"blockID": identity, "block_header": {"raw_data": raw}}


def constant(data: str = "", **more: object) -> Mapping[str, Any]:
    """An answered constant call."""
    return {
        "result": {"result": True},
        "energy_used": 150_000,
        "constant_result": [data],
        **more,
    }


def submission() -> Submission:
    """A submission that expires at the head's time."""
    return Submission(
        tx=GATEWAY["deliver_again"]["id"],
        chain=CHAIN,
        ids=(TransferId(bytes(32)),),
        raw=b"\x0a\x00",
        bounds=HEAD_MS,
        made_at=0.0,
    )


async def act() -> Act:
    """An act that two of three keys signed, over nothing in particular."""
    deposit = Deposit(
        id=counted_id(BNB, PEER_GATEWAY, CHAIN, 7),
        source=BNB,
        destination=CHAIN,
        asset="TSLAx",
        shares=Shares(10**16),
        sender=Account(PEER_GATEWAY),
        refund_to=Account(PEER_GATEWAY),
        recipient=Account(bytes(11) + b"\x41" + b"\x44" * 20),
        gateway=Account(PEER_GATEWAY),
        nonce=7,
        location=Location(tx="0x" + "ab" * 32, index=0),
        height=1,
        time=1,
    )
    draft = Draft(
        kind=ActKind.DELIVER,
        id=deposit.id,
        chain=CHAIN,
        terms={"deadline": "1", "epoch": "1"},
        digest=bytes(32),
        dies_at=HEAD_MS // 1000 + 30,
    )
    signed = [
        Attestation(
            id=deposit.id,
            digest=draft.digest,
            attester=key.public,
            signature=await key.sign(b"nothing"),
        )
        for key in KEYS[:2]
    ]
    return Act(deposit=deposit, draft=draft, attestations=tuple(signed))


@pytest.mark.parametrize(
    "answer",
    [
        {"Error": BUSY},
        429,
        503,
        b"<html>rate limited</html>",
        b'{"blockID": "00',
        b"[" * 100_000,
        b"null",
        {},
        {"blockID": "zz", "block_header": {"raw_data": {"number": 8, "txTrieRoot": ""}}},
        [],
    ],
)
async def test_an_answer_outside_the_protocol_is_no_answer(
    node: Node, rpc: TronRpc, answer: object
) -> None:
    """The node's own error, a limiter, HTML, cut JSON and nonsense all mean: ask again."""
    node.says("/walletsolidity/getblock", answer)
    with pytest.raises(Unavailable):
        await TronReader(config_of(node), rpc).final_head()


async def test_a_dead_endpoint_is_unavailable_and_observed() -> None:
    """No connection is Unavailable, and the hook hears of the failed call."""
    heard: list[tuple[str, bool]] = []
    edge = TronRpc(
        "http://127.0.0.1:1",
        "http://127.0.0.1:1",
        observe=lambda method, _seconds, answered: heard.append((method, answered)),
    )
    with pytest.raises(Unavailable):
        await edge.head()
    assert heard == [("wallet/getblock", False)]
    await edge.close()


async def test_a_block_that_the_view_lacks_is_not_an_empty_one(node: Node, rpc: TronRpc) -> None:
    """``[]`` is said of both; the header tells which, and a missing one stops the range."""
    node.says("/walletsolidity/gettransactioninfobyblocknum", [])
    node.says("/walletsolidity/getblock", block(8, HEAD_MS), {})
    with pytest.raises(Unavailable, match="no block"):
        await TronReader(config_of(node), rpc).history(8, 8)


async def test_a_block_without_its_outcomes_is_pruned_history(node: Node, rpc: TronRpc) -> None:
    """A header that commits to transactions contradicts an empty list of outcomes."""
    node.says("/walletsolidity/gettransactioninfobyblocknum", [])
    node.says("/walletsolidity/getblock", block(8, HEAD_MS), block(8, HEAD_MS, root="cd" * 32))
    with pytest.raises(HistoryPruned):
        await TronReader(config_of(node), rpc).history(8, 8)


async def test_an_empty_block_is_believed_when_its_header_says_so(node: Node, rpc: TronRpc) -> None:
    """The header of a block without transactions has an empty root."""
    node.says("/walletsolidity/gettransactioninfobyblocknum", [])
    assert list(await TronReader(config_of(node), rpc).history(7, 8)) == []
    assert sorted(params["num"] for _, params in node.asked if "num" in params) == [7, 8]


async def test_a_failed_call_is_no_deposit(node: Node, rpc: TronRpc) -> None:
    """Logs under a receipt that is not SUCCESS are not believed, wherever they come from."""
    answer = json.loads(json.dumps(GATEWAY["deposit_burn"]))
    place = Location(tx=answer["id"], index=4)
    node.says("/walletsolidity/gettransactioninfobyid", answer)
    reader = TronReader(config_of(node), rpc)
    assert len(await reader.deposit_at(place, 8)) == 1
    answer["receipt"]["result"] = "REVERT"
    node.says("/walletsolidity/gettransactioninfobyid", answer)
    assert list(await reader.deposit_at(place, 8)) == []


async def test_a_look_up_that_finds_nothing_proves_nothing(node: Node, rpc: TronRpc) -> None:
    """The view forgets ids for a moment: the block where the deposit is said to be decides."""
    answer = GATEWAY["deposit_burn"]
    place, height = Location(tx=answer["id"], index=4), answer["blockNumber"]
    reader = TronReader(config_of(node), rpc)
    node.says("/walletsolidity/gettransactioninfobyid", {})
    node.says("/walletsolidity/getblock", block(height - 1, HEAD_MS))
    with pytest.raises(Unavailable):
        await reader.deposit_at(place, height)
    node.says("/walletsolidity/getblock", block(height, HEAD_MS))
    for tx, deposits in ((answer["id"], 1), ("ab" * 32, 0)):
        infos = [{**answer, "id": tx}]
        node.says("/walletsolidity/gettransactioninfobyblocknum", infos)
        assert len(await reader.deposit_at(place, height)) == deposits


async def test_another_transactions_outcome_is_refused(node: Node, rpc: TronRpc) -> None:
    """A node that answers with a transaction that was not asked for is not believed."""
    node.says("/walletsolidity/gettransactioninfobyid", GATEWAY["deposit_burn"])
    with pytest.raises(Unavailable):
        await TronReader(config_of(node), rpc).deposit_at(Location(tx="ab" * 32, index=4), 8)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("SUCCESS", None),
        ("DUP_TRANSACTION_ERROR", None),
        ("TRANSACTION_EXPIRATION_ERROR", None),
        ("SIGERROR", Refused),
        ("CONTRACT_VALIDATE_ERROR", Refused),
        ("TOO_BIG_TRANSACTION_ERROR", Refused),
        ("BANDWITH_ERROR", PayerEmpty),
        ("TAPOS_ERROR", Unavailable),
        ("SERVER_BUSY", Unavailable),
        ("NO_CONNECTION", Unavailable),
        ("UNHEARD_OF", Unavailable),
    ],
)
async def test_a_broadcast_code_is_judged(
    node: Node, rpc: TronRpc, code: str, error: type[Exception] | None
) -> None:
    """Known and mined bytes are fine; only what no node can ever take is refused for good."""
    node.says("/wallet/broadcasthex", {"result": code == "SUCCESS", "code": code})
    writer = TronWriter(config_of(node), rpc, PAYER)
    if error is None:
        await writer.broadcast(submission())
    else:
        with pytest.raises(error, match=code):
            await writer.broadcast(submission())


async def test_an_absent_transaction_is_pending_until_solid_time_is_past(
    node: Node, rpc: TronRpc
) -> None:
    """At the expiration itself a block may still carry it; one slot later none can."""
    node.says("/walletsolidity/gettransactioninfobyid", {})
    writer = TronWriter(config_of(node), rpc, PAYER)
    node.says("/walletsolidity/getblock", block(9, HEAD_MS))
    assert (await landing_of(writer, submission())).kind is LandingKind.PENDING
    node.says("/walletsolidity/getblock", block(10, HEAD_MS + 3000))
    assert (await landing_of(writer, submission())).kind is LandingKind.DEAD


async def test_the_last_look_finds_what_became_solid_meanwhile(node: Node, rpc: TronRpc) -> None:
    """The look comes after the time was read: solid in between is landed, not dead."""
    node.says("/walletsolidity/gettransactioninfobyid", GATEWAY["deliver_again"])
    node.says("/walletsolidity/getblock", block(10, HEAD_MS + 3000))
    landing = await landing_of(TronWriter(config_of(node), rpc, PAYER), submission())
    assert (landing.kind, landing.height) == (
        LandingKind.LANDED,
        GATEWAY["deliver_again"]["blockNumber"],
    )
    assert dict(landing.skipped) == {counted_id(BNB, PEER_GATEWAY, CHAIN, 7): "AlreadyDone"}


async def test_a_sealed_submission_stands_on_the_solid_view(node: Node, rpc: TronRpc) -> None:
    """Reference from the solid block, expiration with the acts, a fee limit with room."""
    node.says("/wallet/triggerconstantcontract", constant(), constant(f"{600_000:064x}"))
    writer = TronWriter(config_of(node), rpc, PAYER)
    sealed = await writer.seal([await act()], nonce=None)
    assert sealed.bounds == HEAD_MS + 30_000
    assert bytes.fromhex("0008") + bytes.fromhex("22") + b"\x08" + b"\xab" * 8 in sealed.raw
    again = await writer.seal([await act()], nonce=None)
    assert again.tx != sealed.tx


async def test_a_poor_payer_is_told_how_much_is_missing(node: Node, rpc: TronRpc) -> None:
    """The energy that may burn and every byte must be affordable; staked energy counts."""
    node.says("/wallet/triggerconstantcontract", constant(), constant(f"{600_000:064x}"))
    node.says("/wallet/getaccount", {"balance": 1})
    writer = TronWriter(config_of(node), rpc, PAYER)
    with pytest.raises(PayerEmpty, match=r"short of \d+ sun"):
        await writer.seal([await act()], nonce=None)
    node.says("/wallet/getaccount", {"balance": 2_000_000})
    node.says("/wallet/getaccountresource", {"EnergyLimit": 10**7, "EnergyUsed": 5})
    assert (await writer.seal([await act()], nonce=None)).tx


async def test_a_call_above_the_cap_waits(node: Node, rpc: TronRpc) -> None:
    """No fee limit beyond the configured one is ever signed."""
    dear = {**constant(), "energy_used": 10**8}
    node.says("/wallet/triggerconstantcontract", dear, constant(f"{600_000:064x}"))
    with pytest.raises(FeeCapped, match="fee_limit_cap"):
        await TronWriter(config_of(node), rpc, PAYER).seal([await act()], nonce=None)


async def test_a_revert_and_a_skip_of_all_are_unwanted(node: Node, rpc: TronRpc) -> None:
    """What would execute nothing is not signed; the gateway's word comes along."""
    reverted = {"result": True, "message": "524556455254"}
    paused = "9e87fac8" + "00" * 32
    node.says("/wallet/triggerconstantcontract", {**constant(paused), "result": reverted})
    writer = TronWriter(config_of(node), rpc, PAYER)
    with pytest.raises(Unwanted):
        await writer.seal([await act()], nonce=None)
    skip = next(
        log
        for log in GATEWAY["deliver_again"]["log"]
        if log["address"] == GATEWAY["gateway"][-40:] and len(log["topics"]) == 2
    )
    node.says("/wallet/triggerconstantcontract", constant(logs=[skip]))
    with pytest.raises(Unwanted, match="AlreadyDone"):
        await writer.seal([await act()], nonce=None)


async def test_a_batch_that_takes_too_long_shrinks(node: Node, rpc: TronRpc) -> None:
    """Out of time burns a whole fee limit, so the next batch is half as large."""
    words = b"Program$OutOfTimeException : CPU timeout".hex()
    late = {"result": {"code": "OTHER_ERROR", "message": words}}
    node.says("/wallet/triggerconstantcontract", late)
    writer = TronWriter(config_of(node), rpc, PAYER)
    assert writer.batch == 4
    for wanted in (2, 1, 1):
        with pytest.raises(CallTimedOut):
            await writer.seal([await act()] * writer.batch, nonce=None)
        assert writer.batch == wanted
