"""A JSON-RPC endpoint on a free port that answers as a test wants, or as a real node behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

Answer = dict[str, Any]
Rule = Callable[[Answer, Answer], Answer]
"""Turns a request and the node's true answer into the answer given."""


@dataclass(slots=True)
class Endpoint:
    """Counts what it is asked; ``rule`` may change answers, ``raw`` replaces whole bodies."""

    behind: str | None = None
    rule: Rule | None = None
    raw: Callable[[Any], web.StreamResponse] | None = None
    url: str = ""
    requests: int = 0
    methods: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        body = json.loads(await request.read())
        self.requests += 1
        calls = body if isinstance(body, list) else [body]
        self.methods += [call["method"] for call in calls]
        if self.raw is not None:
            return self.raw(body)
        answers = await self._true(body)
        listed = answers if isinstance(answers, list) else [answers]
        by_id = {call["id"]: call for call in calls}
        told = [self.rule(by_id[one["id"]], one) if self.rule else one for one in listed]
        return web.json_response(told if isinstance(answers, list) else told[0])

    async def _true(self, body: Any) -> Any:
        if self.behind is None:
            calls = body if isinstance(body, list) else [body]
            answers = [{"jsonrpc": "2.0", "id": call["id"], "result": "0x1"} for call in calls]
            return answers if isinstance(body, list) else answers[0]
        async with aiohttp.ClientSession() as session, session.post(self.behind, json=body) as told:
            return await told.json()


@asynccontextmanager
async def endpoint(
    *,
    behind: str | None = None,
    rule: Rule | None = None,
    raw: Callable[[Any], web.StreamResponse] | None = None,
) -> AsyncIterator[Endpoint]:
    """Run an endpoint for the time of a test."""
    made = Endpoint(behind=behind, rule=rule, raw=raw)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield made
    finally:
        await runner.cleanup()
