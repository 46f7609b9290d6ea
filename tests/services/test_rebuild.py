"""All topics of a Kafka are gone: the chains alone say what is open, nothing is lost, nothing twice."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.domain.errors import Unavailable
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.reasons import Reason
from relayer.domain.records import CONTROL
from relayer.domain.stage import Stage
from relayer.domain.transfer import Deposit, ReceiptKind
from relayer.ports.bus import Out
from tests.attacks.prefixed import Prefixed
from tests.domain.golden import VALUES
from tests.domain.samples import BNB, SOLANA
from tests.real_kafka import cluster
from tests.services.bridge import Bridge, topics, until
from tests.services.orders import (
    Stream,
    a_deposit,
    a_refused,
    is_refunded,
    is_whole,
    order,
)
from tests.services.pool import Pool

pytestmark = pytest.mark.timeout(180)

PREFIX = f"t{secrets.token_hex(4)}."
TOPICS = [replace(topic, name=PREFIX + topic.name) for topic in topics()]
CATALOG = Catalog(TOPICS)
HALT = CONTROL_RECORDS.encode(VALUES["halt"][1])
"""Holds deliveries from BNB Chain; it goes with the topics, as halts do."""


class OnKafka(Bridge):
    """A bridge in this process over a real Kafka."""

    def __init__(self, directory: Path, there: Cluster) -> None:
        super().__init__(directory, pools={SOLANA: Pool()})
        self._there = there

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """The bus of all services."""
        async with KafkaBus(self._there, TOPICS) as bus:
            yield Prefixed(bus, PREFIX)


@pytest.fixture
async def there(kafka: str) -> AsyncIterator[Cluster]:
    """A Kafka with the topics of two chains."""
    known = replace(cluster(kafka), session=6.0)
    await create(known, CATALOG)
    yield known
    await delete(known, CATALOG)


def _down(name: str) -> None:
    if name == "seal":
        raise Unavailable(name)


@dataclass(frozen=True)
class Made:
    """One deposit for each place in which the loss of all topics may find it."""

    done: Deposit
    back: Deposit
    owed: Deposit
    flying: Deposit
    waiting: Deposit
    voiding: Deposit
    bound: Deposit
    garbage: Deposit


def _delivered(bridge: Bridge, *made: Deposit) -> Callable[[], bool]:
    return lambda: {one.id for one in made} <= set(bridge.chains[SOLANA].executed)


def _has(
    stream: Stream, made: Deposit, stage: Stage, why: Reason | None = None
) -> Callable[[], bool]:
    """Whether a stage of this deposit was told."""
    return lambda: any(
        (t.id, t.stage) == (made.id, stage) and (why is None or t.reason is why)
        for t in stream.told
    )


async def _before(bridge: OnKafka) -> Made:
    """Bring each deposit to its place, and be killed there."""
    source, destination, pool = bridge.chains[BNB], bridge.chains[SOLANA], bridge.pools[SOLANA]
    async with bridge.running() as bus:
        stream = Stream(bus)
        done, back = source.deposit(a_deposit(1)), a_refused(bridge, 2)
        await until(_delivered(bridge, done))
        await until(_has(stream, back, Stage.WAITING))
        await order(bus, back)
        await until(is_refunded(bridge, back))
        source.fault = _down
        owed = a_refused(bridge, 3)
        await until(_has(stream, owed, Stage.WAITING))
        await order(bus, owed)
        await until(lambda: owed.id in destination.done)
        pool.resting = True
        flying = source.deposit(a_deposit(4))
        await until(_has(stream, flying, Stage.SUBMITTED))
        await bus.publish([Out(topic=CONTROL, partition=0, key="", value=HALT)])
        waiting, voiding, bound = (source.deposit(a_deposit(n)) for n in (5, 6, 7))
        garbage = source.deposit(a_deposit(8, destination=None, flaw=Reason.MEMO_MALFORMED))
        await until(_has(stream, garbage, Stage.PARKED))
        await until(_has(stream, bound, Stage.WAITING, Reason.HALTED))
        await order(bus, voiding)
        await until(_has(stream, voiding, Stage.SUBMITTED))
        destination.fault = _down
        await order(bus, bound)
        await until(_has(stream, bound, Stage.READY))
        await stream.close()
    return Made(done, back, owed, flying, waiting, voiding, bound, garbage)


async def _after(bridge: OnKafka, made: Made, late: Deposit, *, journals: bool) -> None:
    """Run on empty topics until every deposit has come to its end."""
    source = bridge.chains[BNB]
    async with bridge.running() as bus:
        stream = Stream(bus)
        await until(_delivered(bridge, made.flying, made.waiting, late))
        await until(lambda: {made.owed.id, made.voiding.id} <= source.refunded)
        await until(_has(stream, made.garbage, Stage.PARKED, Reason.MEMO_MALFORMED))
        await order(bus, made.garbage)
        if journals:
            await until(_has(stream, made.bound, Stage.WAITING, Reason.QUORUM_MISSING))
            await order(bus, made.bound)
            await until(is_refunded(bridge, made.bound))
        await until(is_refunded(bridge, made.garbage))
        await until(lambda: journals or _delivered(bridge, made.bound)())
        await stream.close()


def _remove(directory: Path) -> None:
    """Every file: journals, ledger."""
    for file in directory.iterdir():
        file.unlink()


@pytest.mark.parametrize("journals", [True, False], ids=["journals kept", "journals lost"])
async def test_with_all_topics_gone_the_chains_say_what_is_open(
    there: Cluster, tmp_path: Path, *, journals: bool
) -> None:
    """Delivered, refunded, voided, in a pool, ordered, parked, waiting, or made while all was gone.

    What an operator ordered stands on no chain before it is a void: attesters with journals do not
    deliver it after all, and it waits for another order; without, it is delivered.
    """
    bridge = OnKafka(tmp_path, there)
    source, destination = bridge.chains[BNB], bridge.chains[SOLANA]
    honest = source.fault
    made = await _before(bridge)

    await delete(there, CATALOG)
    if not journals:
        _remove(tmp_path)
    late = source.deposit(a_deposit(9))
    source.fault = destination.fault = honest
    bridge.pools[SOLANA].resting = False
    await create(there, CATALOG)
    await _after(bridge, made, late, journals=journals)

    refunds = [fact.id for fact in source.facts if fact.type == "refund"]
    given, arrived = [made.back, made.owed, made.voiding, made.garbage], [made.done, made.flying]
    (given if journals else arrived).append(made.bound)
    assert sorted(refunds) == sorted(one.id for one in given)
    assert sorted(destination.executed) == sorted(o.id for o in (*arrived, made.waiting, late))
    assert destination.done[made.voiding.id].kind is ReceiptKind.VOIDED
    assert is_whole(bridge)
    assert bridge.ended is None
