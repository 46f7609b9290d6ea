"""New topics for the lanes of a chain, once nothing is left that only the old ones know."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from relayer.app.bus import cluster_of, line
from relayer.app.policies import state_key
from relayer.app.topics import LISTENER, RELAYER, topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_drain import Lane, lanes_of, owners
from relayer.bus.kafka_topics import create, delete, examine
from relayer.domain.address import ChainId
from relayer.domain.drain import kept_only_here, not_taken
from relayer.domain.errors import Fatal
from relayer.domain.keep import Keeper
from relayer.domain.records import inbox, lane_place, state
from relayer.ports.bus import Level
from relayer.settings import Settings

if TYPE_CHECKING:
    from relayer.bus.kafka_client import Cluster

SETTLING: Final = 1.0
"""Seconds beyond a session in which a process that has just been stopped may still be a member."""


async def remake(settings: Settings, chain: ChainId) -> list[str]:
    """Delete the topics of a chain's lanes and make them as the settings say; return their names.

    Raises `Fatal` with all that stands against it: a process that owns something, transactions
    under way, orders that nobody else knows. Nothing is changed then.
    """
    cluster, wanted = cluster_of(settings), {inbox(chain), state(RELAYER, chain)}
    catalog = Catalog(topic for topic in topics_of(settings) if topic.name in wanted)
    await _all_stopped(settings, cluster)
    lanes = await lanes_of(cluster, inbox(chain), state(RELAYER, chain))
    _check([objection for lane in lanes for objection in _left(settings, chain, lane)])
    await _all_stopped(settings, cluster)
    await delete(cluster, catalog)
    made = await create(cluster, catalog)
    errors = [one for one in await examine(cluster, catalog) if one.level is Level.ERROR]
    _check([line(error) for error in errors])
    return made


async def _all_stopped(settings: Settings, cluster: Cluster) -> None:
    """Wait as long as a process that was killed counts as alive; raise `Fatal` for one that is."""
    states = [state(role, c.id) for c in settings.chains for role in (RELAYER, LISTENER)]
    until = time.monotonic() + cluster.session + SETTLING
    while members := await owners(cluster, states):
        if time.monotonic() > until:
            names = (f"{count} in {name}" for name, count in sorted(members.items()))
            _check([f"stop every process first; still running: {', '.join(names)}"])
        await asyncio.sleep(0.2)


def _left(settings: Settings, chain: ChainId, lane: Lane) -> list[str]:
    keeper = Keeper(state_key(settings, RELAYER))
    place = lane_place(chain, lane.number, lane.lanes)
    operators = {bytes.fromhex(key) for key in settings.operator.keys}
    return [
        f"lane {lane.number}: {words}"
        for words in (
            *kept_only_here(lane.kept, keeper.at(place)),
            *not_taken(lane.waiting, operators, time.time()),
        )
    ]


def _check(objections: list[str]) -> None:
    if objections:
        lines = "\n".join(f"  {objection}" for objection in objections)
        msg = f"the topics were left as they are (docs/kafka.md, How many):\n{lines}"
        raise Fatal(msg)
