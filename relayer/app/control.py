"""The way in for halts and signed commands, and the way to see which halts are in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from relayer.domain.authority import SIGNED
from relayer.domain.command import Command, ordered
from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused, Transient
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.halt import Halt
from relayer.domain.records import CONTROL, inbox
from relayer.domain.transfer import lane_of
from relayer.ports.bus import Bus, Out, Record, Undeclared
from relayer.services.gatekeeper import Gatekeeper

Refused = Callable[[Record, RecordRefused], None]
"""Told of a record that was refused, and why."""

_NOT_KEPT: Final = -1


def control_routes(bus: Bus, gatekeeper: Gatekeeper, refused: Refused) -> Sequence[web.RouteDef]:
    """``GET /halts``, ``POST /control`` and ``POST /commands``.

    Nothing here is trusted: a halt may come from anybody, a resume and a command count by their
    signature alone. Lanes and attesters judge a command again; here its sender learns at once what
    is wrong with it. Only a web page sends an Origin: none may halt through its reader's browser.
    """

    async def halts(_: web.Request) -> web.Response:
        found = gatekeeper.gate.halts.items()
        return web.json_response([{"digest": d.hex(), **_plain(halt)} for d, halt in found])

    async def control(request: web.Request) -> web.Response:
        if "Origin" in request.headers:
            return web.Response(status=403, text="not from a web page\n")
        data = await request.read()
        try:
            CONTROL_RECORDS.decode(data)
        except RecordRefused as error:
            return web.Response(status=400, text=f"{error}\n")
        return await _published(bus, Out(topic=CONTROL, partition=0, key="", value=data))

    async def commands(request: web.Request) -> web.Response:
        data = await request.read()
        try:
            signed = SIGNED.decode(data)
            command = ordered(signed, gatekeeper.gate.policy.operators, time.time())
            out = _out(bus, command, data)
        except RecordRefused as error:
            refused(_record(data), error)
            return web.Response(status=403, text=f"{error}\n")
        return await _published(bus, out)

    return [
        web.get("/halts", halts),
        web.post("/control", control),
        web.post("/commands", commands),
    ]


async def _published(bus: Bus, out: Out) -> web.Response:
    """Publish, and say whether that is known to have happened."""
    try:
        await bus.publish([out])
    except Transient as error:
        return web.Response(status=503, text=f"{error}\n")
    return web.Response(status=202, text="published\n")


def _out(bus: Bus, command: Command, data: bytes) -> Out:
    """The record for the lane that owns the Transfer; RecordRefused for a chain without lanes."""
    topic = inbox(command.chain)
    try:
        partition = lane_of(command.transfer, bus.partitions(topic))
    except Undeclared as error:
        raise RecordRefused(str(error), Distrust.NOT_SERVED) from error
    return Out(topic=topic, partition=partition, key=command.transfer.hex(), value=data)


def _record(data: bytes) -> Record:
    """What was refused, counted with what comes in by the control topic."""
    return Record(
        topic=CONTROL, partition=0, offset=_NOT_KEPT, key="", value=data, time=time.time()
    )


def _plain(halt: Halt) -> dict[str, object]:
    return {
        "scope": halt.scope.kind,
        "name": halt.scope.name,
        "reason": halt.reason,
        "evidence": halt.evidence,
        "raised_at": halt.raised_at,
        "raised_by": halt.raised_by,
    }
