"""The whole bridge over Kafka, each service in processes of its own, under chaos."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from relayer.app.lanes import remake
from relayer.cli.demo.books import delivered_once, unchanged
from relayer.cli.demo.chaos import Chaos, Kind
from relayer.cli.demo.journey import Demo
from relayer.cli.demo.kafka import OWN_SESSION, bus_on, fleet
from relayer.devnet.kafka.broker import LocalKafka
from relayer.devnet.world import LocalWorld
from relayer.domain.errors import Fatal
from relayer.process_settings import BusSettings
from relayer.settings import load
from tests.e2e.lanes import Site
from tests.real_kafka import session_seconds

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest.fixture
def bus(kafka: str) -> BusSettings:
    """A bus on the tests' Kafka; a cluster's own least session is 6 s."""
    return bus_on(kafka, session_seconds(OWN_SESSION))


async def test_transfers_go_over_a_secured_kafka_although_processes_are_killed(
    world: LocalWorld, secured: LocalKafka
) -> None:
    """Ten processes, each with its service's least rights, under chaos: each deposit once.

    A replica more, two SIGKILLs, a replica less. The last deposits, on every route, are made after the
    last blow: no lane is stuck, nothing halted.
    """
    settings, bus = load(world.config_path), bus_on(secured.servers, OWN_SESSION)
    async with fleet(settings, bus, guard=secured.guard) as crew:
        demo = Demo(
            settings=settings,
            config_path=world.config_path,
            console=Console(file=io.StringIO()),
            transfers=36,
            users=world.options.users,
            crew=crew,
            rate=1.8,
            chaos=Chaos(every=2.5, seed=0),
        )
        outcome = await demo.run()

    assert outcome.wrong == ()
    assert len(outcome.after.deliveries) == 36
    assert [one.blow.kind for one in outcome.struck] == [
        Kind.JOINED,
        Kind.KILLED,
        Kind.LEFT,
        Kind.KILLED,
    ]
    assert len({(d.source, d.destination) for d in outcome.after.deposits}) == 6
    assert list(world.directory.rglob("bus.db")) == []
    assert [line for line in _logs(world, "may not") if "subject=brokers" not in line] == []


async def test_a_demo_leaves_the_topics_of_a_bridge_alone(
    world: LocalWorld, bus: BusSettings
) -> None:
    """Where such topics are already it does not begin; its own are gone when it ends."""
    settings = load(world.config_path)
    async with fleet(settings, bus):
        with pytest.raises(Fatal, match="topics of a bridge already"):
            async with fleet(settings, bus):
                raise AssertionError
    async with fleet(settings, bus):
        pass


async def test_lanes_change_by_the_drain_of_the_page(world: LocalWorld, bus: BusSettings) -> None:
    """One lane, two, four, two, by the commands of docs/kafka.md, with transfers in flight.

    The halt is trimmed to meanwhile: the process that starts then knows it, and lists it to be lifted.
    """
    site = Site(world, bus)
    await site.pay_with(1)
    before = await site.books(0)
    try:
        assert (await site.run("topics", "--create")).exit_code == 0
        await site.child.start()
        for lanes in (2, 4, 2):
            await site.deposit()
            await site.halt()
            trimmed = await site.run("topics", "--trim")
            assert "1 halt(s) stand" in trimmed.output, trimmed.output
            if lanes == 4:
                with pytest.raises(Fatal, match="stop every process first"):
                    await remake(site.settings, site.bnb)
            await site.drained()
            assert await site.child.stop() == 0
            await site.pay_with(lanes)
            refused = await site.run("topics")
            made = await site.run("topics", "--remake", "bnb")
            assert "relayer topics --remake" in refused.output
            assert f"with {lanes} lane(s)" in made.output, made.output
            await site.child.start()
            await site.resume()
        await site.deposit()
        after = await site.books(len(before.deliveries) + site.made)
    finally:
        await site.child.stop()
        await site.clear()

    assert delivered_once(after, len(before.deliveries) + site.made) == []
    assert unchanged(before, after) == []


def _logs(world: LocalWorld, words: str) -> list[str]:
    """Lines of any process that hold these words."""
    return [
        line
        for log in (world.directory / "processes").glob("*.log")
        for line in log.read_text(encoding="utf-8").splitlines()
        if words in line
    ]
