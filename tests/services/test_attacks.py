"""Whoever may write to every topic of the bus, and kill processes: nothing is minted or lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from relayer.app.control import control_routes
from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.draft import SigningRequest
from relayer.domain.facts import Held
from relayer.domain.gate import CONTROL_RECORDS, GatePolicy
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.records import (
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    TRANSFERS,
    TRANSFERS_TOPIC,
    RefundDue,
    inbox,
    state,
)
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import ActKind, Location, TransferId
from relayer.ports.bus import Out, Record
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.relayer.book import Book
from relayer.services.relayer.effects import Effects, Pace
from relayer.services.relayer.outbox import Spread
from relayer.services.relayer.sweep import Owned, Sweep
from relayer.services.tracker import Fold
from relayer.services.tracks import Filter, Tracks
from relayer.telemetry.http import serve_health
from tests.domain.samples import BNB, SOLANA, TRON, deposit
from tests.services.bridge import KEEPER, Bridge, topics, until
from tests.services.fakes import FakeReader, HonestReader, RealClock
from tests.services.silence import Silence
from tests.services.test_tracker import told

MOMENT = time.time()
SPREAD = Spread(requests=2, transfers=2, lanes={BNB: 1, SOLANA: 1})


class Attacked(Bridge):
    """A bridge whose readers wait for what is claimed to come."""

    def readers(self) -> dict[ChainId, FakeReader]:
        """Fresh readers of both chains."""
        return {chain: HonestReader(world) for chain, world in self.chains.items()}


def _to(chain: ChainId, value: bytes) -> Out:
    return Out(topic=inbox(chain), partition=0, key="forged", value=value)


async def _write_state(
    directory: Path, chain: ChainId, written: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Put these values in place of all that a lane keeps; what it kept."""
    async with (
        SqliteBus(directory / "bus.db", topics()) as bus,
        bus.own(inbox(chain), state("relayer", chain), 0) as lane,
    ):
        kept = await lane.restore()
        await lane.commit([], {**dict.fromkeys(kept, None), **written})
    return kept


async def test_a_genuine_mark_of_another_lane_hides_no_deposit(tmp_path: Path) -> None:
    """A lane whose deposits are all closed swears so under its MAC; to another it says nothing.

    The attacker takes an open Transfer out of a lane's state, and lets its Sweep begin behind it.
    """
    bridge = Bridge(tmp_path)
    async with bridge.running(attesters=False) as bus:
        made = bridge.chains[BNB].deposit(deposit())
        await _told(bus, Stage.SEEN)
    elsewhere = Book(KEEPER, SPREAD)
    elsewhere.restore({}, f"{TRON} 0 of 1")
    elsewhere.mark(BNB, 1_000_000)
    values = {key: value for key, value in elsewhere.changes().state.items() if value is not None}
    assert f"transfer/{made.id.hex()}" in await _write_state(tmp_path, SOLANA, values)

    async with bridge.running():
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])


async def test_a_listener_takes_no_other_chains_cursor(tmp_path: Path) -> None:
    """Slots are higher than blocks: with Solana's cursor a listener would be silent for ever."""
    bridge = Bridge(tmp_path)
    solana, bnb = (KEEPER.at(chain).seal("cursor", b"300000000") for chain in (SOLANA, BNB))
    assert solana != bnb
    topic = state("listener", BNB)
    async with SqliteBus(tmp_path / "bus.db", topics()) as bus, bus.own(None, topic, 0) as own:
        await own.restore()
        await own.commit([], {"cursor": solana})

    async with bridge.running(attesters=False) as running:
        bridge.chains[BNB].deposit(deposit())
        await _told(running, Stage.SEEN)
    async with SqliteBus(tmp_path / "bus.db", topics()) as bus, bus.own(None, topic, 0) as own:
        cursor = KEEPER.at(BNB).opened("cursor", (await own.restore())["cursor"])
    assert cursor == b"1"


async def test_a_forged_claim_of_an_id_does_not_keep_its_deposit_waiting(tmp_path: Path) -> None:
    """Ids can be counted in advance; a claim of a block to come is believed and denied by nobody.

    What the Sweep reads on the chain takes the place of what is only claimed.
    """
    bridge = Attacked(tmp_path)
    async with bridge.running() as bus:
        claim = replace(deposit(), location=Location(tx="made up", index=0), height=900_000)
        await bus.publish([_to(SOLANA, INBOX.encode(claim))])
        await asyncio.sleep(0.3)
        made = bridge.chains[BNB].deposit(deposit())
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])

    assert bridge.chains[SOLANA].supply == 10**24 + made.shares


async def test_forged_hand_overs_refund_nothing_and_hold_nothing_up(tmp_path: Path) -> None:
    """A refund that was never ordered, of a deposit to come and of one that stands."""
    bridge = Attacked(tmp_path)
    async with bridge.running() as bus:
        claim = replace(deposit(), location=Location(tx="made up", index=0), height=900_000)
        made = bridge.chains[BNB].deposit(deposit())
        due = [RefundDue(deposit=claim), RefundDue(deposit=made)]
        await bus.publish([_to(BNB, INBOX.encode(record)) for record in due])
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])
        await asyncio.sleep(0.3)

    assert not bridge.chains[BNB].refunded
    assert bridge.chains[SOLANA].executed == [made.id]


@pytest.mark.parametrize(("verified", "longest"), [(False, 61.0), (True, 1.0)])
async def test_a_mere_claim_that_cannot_be_read_is_looked_at_ever_less(
    tmp_path: Path,
    verified: bool,  # noqa: FBT001 - a parameter of the table
    longest: float,
) -> None:
    """Each look at a chain costs a call, which a forger must not be able to order for days."""
    bridge = Attacked(tmp_path)
    drafter, now = bridge.drafter(SOLANA), time.time()
    effects = Effects(
        readers=bridge.readers(),
        drafter=drafter,
        writer=bridge.writer(SOLANA, drafter),
        clock=bridge.clock,
        pace=Pace(),
    )
    claim = Transfer(
        deposit=deposit(height=900_000),
        stage=Stage.SEEN,
        since=now - 86_400,
        seen_at=now - 86_400,
        verified=verified,
    )

    (held,) = await effects.verify([claim])

    assert isinstance(held, Held)
    assert longest * 0.4 < held.until - now <= longest


@pytest.mark.parametrize("at", ["NaN", "1e999", "9e15", "-1"])
def test_a_forged_time_stops_neither_the_tracker_nor_who_asks(tmp_path: Path, at: str) -> None:
    """A time that no database or calendar takes would end the tracker again at each start."""
    forged = TRANSFERS.encode(told(1, at=5.5)).replace(b'"at":5.5', b'"at":' + at.encode())
    records = [
        Record(
            topic=TRANSFERS_TOPIC, partition=0, offset=n, key="k", value=value, time=1_800_000_000.0
        )
        for n, value in enumerate((forged, TRANSFERS.encode(told(2))))
    ]
    with closing(Fold(tmp_path / "tracker.db")) as fold:
        fold.take(TRANSFERS_TOPIC, records)

    with Tracks(tmp_path / "tracker.db") as tracks:
        assert [track.told.id for track in tracks.status(Filter())] == [told(2).id]


async def test_an_older_state_of_its_own_lane_ends_where_the_chain_says(tmp_path: Path) -> None:
    """A MAC dates nothing: a Transfer delivered long ago stands again where it once stood.

    Attesters sign nothing for it; the lane must look at the chain again, and not ask for ever.
    """
    bridge = Bridge(tmp_path)
    async with bridge.running(attesters=False) as bus:
        made = bridge.chains[BNB].deposit(deposit())
        await _told(bus, Stage.SIGNING)
    older = await _write_state(tmp_path, SOLANA, {})
    await _write_state(tmp_path, SOLANA, older)
    async with bridge.running():
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])
        await asyncio.sleep(0.3)
    await _write_state(tmp_path, SOLANA, older)

    async with bridge.running() as bus:
        await _told(bus, Stage.DELIVERED, times=2)

    assert bridge.chains[SOLANA].executed == [made.id]
    assert f"transfer/{made.id.hex()}" not in await _write_state(tmp_path, SOLANA, {})


async def test_a_deposit_nobody_can_close_does_not_make_each_sweep_longer(tmp_path: Path) -> None:
    """Anybody can make one, and it holds the mark back: what was read once is not read again."""
    bridge = Bridge(tmp_path)
    source, there = bridge.chains[BNB], bridge.chains[SOLANA]
    readers = bridge.readers()
    sweep, mine = Sweep(readers, SOLANA), Owned(delivers=lambda _: True, refunds=lambda _: False)
    made = [source.deposit(deposit(id=TransferId(bytes([n]) * 32))) for n in (1, 2, 3)]
    found: list[tuple[int, int]] = []
    for turn in range(4):
        outcomes = {o.source: o for o in await sweep.run({}, mine)}
        found.append((len(outcomes[BNB].open), outcomes[BNB].mark))
        if turn < 2:
            there.deliver(made[2 - turn], "tx")
        if turn == 2:
            there.deliver(made[0], "tx")
            source.deposit(deposit(id=TransferId(bytes([9]) * 32)))

    assert found == [(3, 0), (2, 0), (1, 0), (1, 3)]
    assert readers[BNB].asked == [(1, 3), (4, 4)]


async def test_a_refund_that_is_due_is_found_until_it_is_final(tmp_path: Path) -> None:
    """What a Sweep remembers ends with the refund that it reads, and not before."""
    bridge = Bridge(tmp_path)
    source, there = bridge.chains[BNB], bridge.chains[SOLANA]
    sweep = Sweep(bridge.readers(), BNB)
    owned = Owned(delivers=lambda _: False, refunds=lambda one: one.source == BNB)
    made = source.deposit(deposit())
    due: list[tuple[int, int]] = []
    steps: list[Callable[[], object]] = [
        lambda: there.void(made, "void"),
        lambda: source.refund(made, "back"),
        lambda: None,
    ]
    for step in steps:
        (outcome,) = [o for o in await sweep.run({}, owned) if o.source == BNB]
        due.append((len(outcome.due), outcome.mark))
        step()

    assert due == [(0, 0), (1, 0), (0, 2)]


async def test_what_was_refunded_under_older_settings_is_never_delivered(tmp_path: Path) -> None:
    """A deposit to a chain that is served since, refunded before: no void stands on that chain.

    Attesters with new keys have new journals, so they look at the source too, as the lane does.
    """
    bridge = Bridge(tmp_path)
    made = bridge.chains[BNB].deposit(deposit())
    bridge.chains[BNB].refund(made, "back")
    terms = await bridge.drafter(SOLANA).draft(
        ActKind.DELIVER, made, dies_at=int(time.time()) + 20, attesters=[]
    )
    request = REQUESTS.encode(SigningRequest(deposit=made, draft=terms))
    async with bridge.running() as bus:
        await _told(bus, Stage.REFUNDED)
        await bus.publish([Out(topic=SIGNING_REQUESTS, partition=0, key="k", value=request)])
        await until(lambda: "refunded already" in str(bridge.observer.declines))

    assert bridge.chains[SOLANA].executed == []


class Frozen(RealClock):
    """A clock that an attacker knows in advance."""

    def now(self) -> float:
        """One moment for ever."""
        return MOMENT


async def test_no_halt_can_be_foreseen(tmp_path: Path) -> None:
    """A halt that is known before it is raised could be lifted before, among many that are not."""
    raised: list[Halt] = []
    for name in ("foreseen", "raised"):
        bridge = Bridge(tmp_path / name, clock=Frozen())
        bridge.directory.mkdir()
        bridge.chains[BNB].supply = 10**25
        async with bridge.running(attesters=False):
            await until(lambda: bool(bridge.observer.halts))  # noqa: B023 - awaited in the turn
        first = bridge.observer.halts[0]
        assert isinstance(first, Halt)
        raised.append(first)

    foreseen, halt = raised
    assert replace(foreseen, raised_by="") == replace(halt, raised_by="")
    assert foreseen.digest != halt.digest


@pytest.mark.parametrize(("headers", "status"), [({"Origin": "http://evil"}, 403), ({}, 202)])
async def test_no_web_page_halts_through_its_readers_browser(
    tmp_path: Path, headers: Mapping[str, str], status: int
) -> None:
    """A page may send plain text to a port of the machine on which it is read."""
    halt = Halt(
        scope=Scope(kind=ScopeKind.GLOBAL), reason="r", evidence="e", raised_at=1, raised_by="page"
    )
    policy = GatePolicy(monitors=frozenset(), operators=frozenset())
    async with SqliteBus(tmp_path / "bus.db", topics()) as bus:
        routes = control_routes(bus, Gatekeeper(bus, policy, Silence()), lambda *_: None)
        health = serve_health("127.0.0.1", 0, CollectorRegistry(), lambda: (), routes)
        async with health as port, aiohttp.ClientSession(headers=headers) as browser:
            data = CONTROL_RECORDS.encode(halt)
            async with browser.post(f"http://127.0.0.1:{port}/control", data=data) as answer:
                assert answer.status == status


async def _told(bus: SqliteBus, stage: Stage, times: int = 1) -> None:
    """Wait until the bus has told so often that a Transfer is in a stage."""
    async with asyncio.timeout(20), aclosing(bus.follow(TRANSFERS_TOPIC, None)) as follower:
        async for record in follower:
            times -= TRANSFERS.decode(record.value or b"").stage is stage
            if times <= 0:
                return
