"""The edge to a node: what it sends, and that every odd answer becomes a domain error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from relayer.chains.evm.rpc import EvmRpc, NodeRefused
from relayer.domain.errors import Transient, Unavailable
from tests.chains.evm_proxy import endpoint

Raw = Callable[[Any], web.StreamResponse]


class Closing(EvmRpc):
    """An EvmRpc that `aclosing` closes."""

    async def aclose(self) -> None:
        await self.close()


async def test_calls_of_one_turn_travel_together() -> None:
    """Forty callers at once cost one request, and each gets its own answer."""

    def echo(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": request["params"][0]}

    async with endpoint(rule=echo) as node, aclosing(Closing(node.url)) as rpc:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rpc.call("eth_call", [number])) for number in range(40)]
        assert [task.result() for task in tasks] == list(range(40))
        assert node.requests == 1


async def test_a_batch_is_cut_where_the_node_wants_it() -> None:
    """No request carries more calls than the endpoint takes; answers keep their order."""

    def echo(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": request["params"][0]}

    async with endpoint(rule=echo) as node, aclosing(Closing(node.url, max_batch=1)) as rpc:
        assert await rpc.batch([("eth_call", [number]) for number in range(5)]) == list(range(5))
        assert node.requests == 5


async def test_calls_that_belong_together_are_never_cut() -> None:
    """Two backends behind one address may differ: what proves an answer comes along with it."""

    def count(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": node.requests}

    async with endpoint(rule=count) as node, aclosing(Closing(node.url, max_batch=5)) as rpc:
        async with asyncio.TaskGroup() as group:
            three = [("eth_call", [number]) for number in range(3)]
            tasks = [group.create_task(rpc.batch(three, together=True)) for _ in range(9)]
        assert all(len(set(task.result())) == 1 for task in tasks)
        assert node.requests == 9


@pytest.mark.parametrize("status", [200, 413])
async def test_a_batch_that_is_refused_for_its_length_is_asked_in_parts(status: int) -> None:
    """The caller does not notice, and the next batch is small from the start."""

    def plan(body: Any) -> web.StreamResponse:
        calls = body if isinstance(body, list) else [body]
        if len(calls) > 4:
            error = {"code": -32600, "message": "batch limit exceeded"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error}, status=status)
        answers = [{"id": call["id"], "result": call["params"][0]} for call in calls]
        return web.json_response(answers if isinstance(body, list) else answers[0])

    async with endpoint(raw=plan) as node, aclosing(Closing(node.url)) as rpc:
        assert await rpc.batch([("eth_call", [n]) for n in range(20)]) == list(range(20))
        before = node.requests
        assert await rpc.batch([("eth_call", [n]) for n in range(4)]) == list(range(4))
        assert node.requests - before <= 2


async def test_one_refused_call_does_not_spoil_its_neighbours() -> None:
    """A JSON-RPC error stands in its own place, with the node's code, words and data."""

    def refuse(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if request["method"] != "eth_bad":
            return answer
        error = {"code": 3, "message": "execution reverted", "data": "0x0102"}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}

    async with endpoint(rule=refuse) as node, aclosing(Closing(node.url)) as rpc:
        good, bad = await rpc.batch([("eth_good", []), ("eth_bad", [])])
        assert good == "0x1"
        assert isinstance(bad, NodeRefused)
        assert (bad.code, bad.words, bad.data) == (3, "execution reverted", b"\x01\x02")
        with pytest.raises(NodeRefused):
            await rpc.call("eth_bad", [])


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda _: web.Response(text="<html>busy</html>"), id="html"),
        pytest.param(lambda _: web.Response(text='{"jsonrpc":"2.0","id":0,"res'), id="cut"),
        pytest.param(lambda _: web.Response(status=429, text="slow down"), id="429"),
        pytest.param(lambda _: web.Response(status=502, text=""), id="502"),
        pytest.param(lambda _: web.json_response([]), id="empty list"),
        pytest.param(lambda _: web.json_response(None), id="null"),
        pytest.param(lambda _: web.json_response({"id": 0}), id="no result"),
        pytest.param(lambda _: web.json_response({"id": 77, "result": 1}), id="another id"),
        pytest.param(lambda _: web.json_response([1, "x", None]), id="no objects"),
        pytest.param(lambda _: web.Response(body=b"\xff\xfe"), id="no text"),
        pytest.param(lambda _: web.json_response([{"id": [0]}]), id="id that is a list"),
        pytest.param(lambda _: web.Response(text="[" * 100_000), id="too deep"),
    ],
)
@pytest.mark.parametrize("calls", [1, 2])
async def test_nonsense_is_unavailable(raw: Raw, calls: int) -> None:
    """Whatever a broken endpoint answers, the relayer tries again later."""
    async with endpoint(raw=raw) as node, aclosing(Closing(node.url)) as rpc:
        with pytest.raises(Unavailable):
            await rpc.batch([("eth_blockNumber", [])] * calls)


async def test_a_silent_node_is_given_up_in_time() -> None:
    """A call has a timeout."""

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", never)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with aclosing(Closing(url, timeout_seconds=0.2)) as rpc, asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await rpc.call("eth_blockNumber", [])
    finally:
        await runner.cleanup()


async def test_no_node_is_unavailable() -> None:
    """A refused connection is Transient like all the rest."""
    async with aclosing(Closing("http://127.0.0.1:1/")) as rpc:
        with pytest.raises(Transient):
            await rpc.call("eth_blockNumber", [])


async def test_the_observer_is_told_of_each_call() -> None:
    """Metrics see method, time, and whether the node answered."""
    seen: list[tuple[str, bool]] = []

    def observe(method: str, seconds: float, ok: bool) -> None:  # noqa: FBT001 - the hook's form
        assert seconds >= 0
        seen.append((method, ok))

    async with endpoint() as node, aclosing(Closing(node.url, observe=observe)) as rpc:
        await rpc.batch([("eth_chainId", []), ("eth_gasPrice", [])])
    async with aclosing(Closing("http://127.0.0.1:1/", observe=observe)) as rpc:
        with pytest.raises(Unavailable):
            await rpc.call("eth_chainId", [])
    assert seen == [("eth_chainId", True), ("eth_gasPrice", True), ("eth_chainId", False)]


async def test_a_cancelled_caller_leaves_the_others_their_answers() -> None:
    """One caller's end does not end a request that is shared."""
    async with endpoint() as node, aclosing(Closing(node.url)) as rpc:
        gone = asyncio.create_task(rpc.call("eth_chainId", []))
        stays = asyncio.create_task(rpc.call("eth_chainId", []))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == "0x1"
        assert gone.cancelled() or gone.cancelling()
