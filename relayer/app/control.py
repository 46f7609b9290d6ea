"""The way in for halts and signed commands, and the way to see which halts are in force."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS, Halt
from relayer.domain.records import CONTROL
from relayer.ports.bus import Bus, Out
from relayer.services.gatekeeper import Gatekeeper


def control_routes(bus: Bus, gatekeeper: Gatekeeper) -> Sequence[web.RouteDef]:
    """``GET /halts`` and ``POST /control``.

    Nothing here is trusted: a halt may come from anybody, a resume counts by its signature alone.
    """

    async def halts(_: web.Request) -> web.Response:
        found = gatekeeper.gate.halts.items()
        return web.json_response([{"digest": d.hex(), **_plain(halt)} for d, halt in found])

    async def control(request: web.Request) -> web.Response:
        data = await request.read()
        try:
            CONTROL_RECORDS.decode(data)
        except RecordRefused as error:
            return web.Response(status=400, text=f"{error}\n")
        await bus.publish([Out(topic=CONTROL, partition=0, key="", value=data)])
        return web.Response(status=202, text="published\n")

    return [web.get("/halts", halts), web.post("/control", control)]


def _plain(halt: Halt) -> dict[str, object]:
    return {
        "scope": halt.scope.kind,
        "name": halt.scope.name,
        "reason": halt.reason,
        "evidence": halt.evidence,
        "raised_at": halt.raised_at,
        "raised_by": halt.raised_by,
    }
