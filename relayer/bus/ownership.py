"""How one owned partition lives: run its body, begin again when it is lost, let the rest out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relayer.ports.bus import Lost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager

    from relayer.ports.bus import Partition

FIRST_DELAY: Final = 0.05
"""Seconds before a lost partition is taken again for the first time."""

LONGEST_DELAY: Final = 5.0
"""Seconds that the growing delay never exceeds; a body that lived longer begins at the first."""

_log = structlog.get_logger("relayer.bus")


async def keep(
    own: Callable[[], AbstractAsyncContextManager[Partition]],
    body: Callable[[Partition], Awaitable[None]],
) -> None:
    """Own a partition and run `body` on it, again after each `Lost`, until it returns or raises."""
    loop = asyncio.get_running_loop()
    delay = FIRST_DELAY
    while True:
        began = loop.time()
        lost = await _once(own, body)
        if lost is None:
            return
        if (task := asyncio.current_task()) is not None and task.cancelling():
            # A TaskGroup that winds down after an error keeps a cancellation to itself.
            raise asyncio.CancelledError
        if loop.time() - began > LONGEST_DELAY:
            delay = FIRST_DELAY
        _log.warning("bus.partition_lost", reason=lost, again_in_seconds=delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)


async def _once(
    own: Callable[[], AbstractAsyncContextManager[Partition]],
    body: Callable[[Partition], Awaitable[None]],
) -> str | None:
    """Return why the partition was lost, or None when the body has returned."""
    try:
        async with own() as partition:
            await body(partition)
    except Lost as lost:
        return str(lost)
    except BaseExceptionGroup as group:
        # A body that runs its effects in a TaskGroup raises Lost wrapped in a group.
        lost_part, rest = group.split(Lost)
        if rest is not None:
            raise
        return str(_first(lost_part) if lost_part else group)
    return None


def _first(group: BaseExceptionGroup[Lost]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def together(owners: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all; when one raises, cancel and await the others, then raise what it raised, unwrapped.

    Several that raise at once come out as a group. Cancelling this cancels and awaits all.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for owner in owners:
                group.create_task(owner)
    except BaseExceptionGroup as raised:
        if len(raised.exceptions) > 1:
            raise
        raise raised.exceptions[0] from None
