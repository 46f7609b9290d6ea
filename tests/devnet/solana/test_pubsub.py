"""Subscriptions over the raw WebSocket, held to the recorded frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from solders.keypair import Keypair

from tests.devnet.solana.instructions import memo, pay
from tests.devnet.solana.recorded import answer_shape, frames, shape
from tests.devnet.solana.stage import Stage

ANY_KEY = "4wZUCDKmKfpmA1i37hQAWpFVXBkJtTJd5Kx4hSNdL5j6"


class Wire:
    """One WebSocket connection: calls, and what came in between."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.notifications: list[dict[str, Any]] = []

    async def raw(self, text: str) -> Any:
        """Send `text` and return the next frame that is no notification."""
        await self._socket.send_str(text)
        while True:
            frame = json.loads(await asyncio.wait_for(self._socket.receive_str(), 5))
            if isinstance(frame, list) or "method" not in frame:
                return frame
            self.notifications.append(frame)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the answer to one call."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return await self.raw(json.dumps(request))

    async def told(self) -> list[dict[str, Any]]:
        """Return all notifications so far: whatever was queued before the answer to a call."""
        await self.call("slotUnsubscribe", 10**9)
        told, self.notifications = self.notifications, []
        return told


@pytest_asyncio.fixture
async def wire(stage: Stage) -> AsyncIterator[Wire]:
    """A connection to the devnet."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stage.net.ws_url) as socket,
    ):
        yield Wire(socket)


def _pairs(case: str) -> list[tuple[Any, Any]]:
    answers = {
        frame["frame"]["id"]: frame["frame"]
        for frame in frames(case)
        if frame.get("dir") == "in"
        and isinstance(frame["frame"], dict)
        and "method" not in frame["frame"]
    }
    return [
        (frame["frame"], answers[frame["frame"]["id"]])
        for frame in frames(case)
        if frame.get("dir") == "out"
        and isinstance(frame["frame"], dict)
        and "id" in frame["frame"]
        and "error" in answers.get(frame["frame"]["id"], {})
    ]


@pytest.mark.parametrize(
    ("request_frame", "recorded"),
    [
        pytest.param(*pair, id=f"{case}-{pair[0]['id']}")
        for case in ("ws-errors", "ws-logs", "ws-signature", "ws-slot-root")
        for pair in _pairs(case)
    ],
)
async def test_bad_calls_get_the_recorded_errors(
    wire: Wire, request_frame: dict[str, Any], recorded: dict[str, Any]
) -> None:
    """Unknown methods, bad parameters and unknown subscriptions."""
    answer = await wire.raw(json.dumps(request_frame))

    assert answer_shape(answer) == answer_shape(recorded)


async def test_what_is_no_json_and_batches_are_answered_as_recorded(wire: Wire) -> None:
    """A parse error has the id null; a batch is answered as one array."""
    broken = await wire.raw("not json")
    batch = await wire.raw(
        '[{"jsonrpc":"2.0","id":70,"method":"slotSubscribe"},'
        '{"jsonrpc":"2.0","id":71,"method":"rootSubscribe"}]'
    )

    assert (broken["error"]["code"], broken["id"]) == (-32700, None)
    assert [one["id"] for one in batch] == [70, 71]


async def test_identical_subscriptions_share_an_id(wire: Wire) -> None:
    """The second has the number of the first, and one unsubscribe ends both."""
    first, second = await wire.call("slotSubscribe"), await wire.call("slotSubscribe")
    gone = await wire.call("slotUnsubscribe", first["result"])
    again = await wire.call("slotUnsubscribe", second["result"])

    assert first["result"] == second["result"]
    assert gone["result"] is True
    assert again["error"]["message"] == "Invalid subscription id."


async def test_slots_and_roots_are_told_as_recorded(stage: Stage, wire: Wire) -> None:
    """One slot, and the root before together with the new one."""
    stage.blocks(40)
    await wire.call("slotSubscribe")
    await wire.call("rootSubscribe")

    stage.blocks(1)
    told = await wire.told()

    assert [one["method"] for one in told] == [
        "slotNotification",
        "rootNotification",
        "rootNotification",
    ]
    assert told[0]["params"]["result"] == {"slot": 41, "parent": 40, "root": 10}
    assert [one["params"]["result"] for one in told[1:]] == [9, 10]


async def test_logs_are_told_at_each_commitment_and_simulations_at_finalized(
    stage: Stage, wire: Wire
) -> None:
    """A landed transaction comes once a level; a mere simulation comes as finalized, as recorded."""
    payer = Keypair()
    stage.fund(payer.pubkey())
    numbers = {}
    for commitment in ("processed", "confirmed", "finalized"):
        rule, options = {"mentions": [str(payer.pubkey())]}, {"commitment": commitment}
        answer = await wire.call("logsSubscribe", rule, options)
        numbers[answer["result"]] = commitment
    unsigned = stage.encode(stage.build([memo("forged", payer.pubkey())], [payer]))
    options = {"encoding": "base64", "commitment": "processed"}
    await stage.result("simulateTransaction", unsigned, options)
    step = memo("real", payer.pubkey())
    await stage.send(stage.build([step], [payer]), skip_preflight=True)

    stage.blocks(40)
    told = await wire.told()

    heard = [
        (numbers[one["params"]["subscription"]], one["params"]["result"]["value"]["logs"][2])
        for one in told
    ]
    real, forged = (f'Program log: Memo (len {len(t)}): "{t}"' for t in ("real", "forged"))
    assert heard == [
        ("processed", real),
        ("confirmed", real),
        ("finalized", forged),
        ("finalized", real),
    ]
    recorded = next(
        one["frame"]["params"]["result"]
        for one in frames("ws-logs")
        if isinstance(one.get("frame"), dict) and one["frame"].get("method") == "logsNotification"
    )
    mine = told[0]["params"]["result"]
    assert mine.keys() == recorded.keys()
    assert mine["value"].keys() == recorded["value"].keys()


async def test_a_signature_is_told_once_and_then_forgotten(stage: Stage, wire: Wire) -> None:
    """Also for one that is final already; the subscription is gone afterwards."""
    payer = Keypair()
    stage.fund(payer.pubkey())
    transaction = stage.build([memo("signed", payer.pubkey())], [payer])
    signature = str(transaction.signatures[0])
    early = await wire.call("signatureSubscribe", signature, {"commitment": "confirmed"})
    await stage.send(transaction)
    stage.blocks(40)
    late = await wire.call("signatureSubscribe", signature)
    stage.blocks(1)
    told = await wire.told()
    gone = await wire.call("signatureUnsubscribe", late["result"])

    told_numbers = [one["params"]["subscription"] for one in told]
    assert told_numbers == [early["result"], late["result"]]
    assert [one["params"]["result"]["value"] for one in told] == [{"err": None}] * 2
    assert gone["error"]["code"] == -32602


async def test_an_account_is_told_once_a_block_and_when_it_ceases(stage: Stage, wire: Wire) -> None:
    """Two changes in one block are one notification; an emptied account comes as recorded."""
    payer, other = Keypair(), Keypair()
    stage.fund(payer.pubkey())
    options = {"encoding": "base64", "commitment": "confirmed"}
    await wire.call("accountSubscribe", str(other.pubkey()), options)
    for lamports in (10**7, 10**7 + 1):
        await stage.send(
            stage.build([pay(payer.pubkey(), other.pubkey(), lamports)], [payer]),
            skip_preflight=True,
        )
    stage.blocks(1)
    emptied = [pay(other.pubkey(), payer.pubkey(), 2 * 10**7 + 1)]
    await stage.send(stage.build(emptied, [payer, other]))
    stage.blocks(1)

    told = await wire.told()

    values = [one["params"]["result"]["value"] for one in told]
    assert [one["lamports"] for one in values] == [2 * 10**7 + 1, 0]
    recorded = [
        one["frame"]["params"]["result"]["value"]
        for one in frames("ws-account-program")
        if isinstance(one.get("frame"), dict)
        and one["frame"].get("method") == "accountNotification"
    ]
    gone = next(one for one in recorded if one["lamports"] == 0)
    assert shape(values[1]) == shape(gone)


async def test_a_program_tells_of_its_accounts(stage: Stage, wire: Wire) -> None:
    """Filters choose among the accounts that a program owns."""
    payer, other = Keypair(), Keypair()
    stage.fund(payer.pubkey())
    options = {"encoding": "base64", "commitment": "processed", "filters": [{"dataSize": 0}]}
    await wire.call("programSubscribe", "11111111111111111111111111111111", options)

    await stage.land([pay(payer.pubkey(), other.pubkey(), 10**7)], payer)
    told = await wire.told()

    keys = {one["params"]["result"]["value"]["pubkey"] for one in told}
    assert keys == {str(payer.pubkey()), str(other.pubkey())}
