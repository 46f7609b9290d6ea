"""What must not have happened in a demo although everything was delivered: a halt, a parking.

A halt that was raised and lifted, or forgotten, leaves no trace in the books.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing

from relayer.app.bus import bus_of
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.halt import Halt
from relayer.domain.records import CONTROL
from relayer.domain.stage import Stage
from relayer.ports.bus import Bus, Follower
from relayer.services.tracks import Story
from relayer.settings import Settings


async def stops(settings: Settings, stories: Sequence[Story]) -> list[str]:
    """Every halt on the bus of these settings, and every transfer that was parked, in words."""
    async with bus_of(settings, settings.path(settings.state_dir)) as bus:
        return [*await halts(bus), *parked(stories)]


async def halts(bus: Bus) -> list[str]:
    """Every halt that was ever raised there, lifted or not; and what says nothing that can be read."""
    async with asyncio.TaskGroup() as group, aclosing(bus.follow(CONTROL, None)) as follower:
        ending = group.create_task(_end(follower))
        told = [_words(record.value or b"") async for record in follower]
        await ending
    return [words for words in told if words]


async def _end(follower: Follower) -> None:
    """Close the follower when it has read all that was there."""
    await follower.caught_up.wait()
    await follower.aclose()


def _words(data: bytes) -> str:
    try:
        record = CONTROL_RECORDS.decode(data)
    except RecordRefused as error:
        return f"a record of {CONTROL} cannot be read: {error}"
    if not isinstance(record, Halt):
        return ""
    where = f"{record.scope.kind} {record.scope.name}".strip()
    return f"a halt was raised ({where}) by {record.raised_by}: {record.reason}; {record.evidence}"


def parked(stories: Sequence[Story]) -> Iterator[str]:
    """Every transfer that was set aside on its way."""
    for story in stories:
        if any(fact.stage is Stage.PARKED for fact in story.facts):
            yield f"{story.track.told.id.hex()} was parked on its way"
