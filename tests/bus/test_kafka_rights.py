"""The rights that `relayer topics --acls` gives: what each service may do, and nothing else."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from relayer.app.bus import cluster_of
from relayer.app.services import Service
from relayer.app.topics import topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka_client import Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.bus.kafka_trim import trimming
from relayer.cli.main import root
from relayer.devnet.kafka.broker import LocalKafka
from relayer.devnet.kafka.rights import grant
from relayer.devnet.kafka.secured import ADMINISTRATOR
from relayer.domain.errors import Transient
from relayer.domain.records import CONTROL
from relayer.settings import Settings, load
from tests.bus.kafka_attempts import Intruder, intruder
from tests.bus.secured import by_certificate, by_password, config_on, passwords

Attempt = Callable[[Intruder, str], Awaitable[bool]]

CHAINS = ["eip155:31337", f"eip155:{10**6 + secrets.randbelow(10**6)}"]

READS = {
    "control": {*Service},
    "supply": {*Service},
    "signing.requests": {Service.ATTESTER},
    "transfers": {Service.TRACKER},
    "inbox": {Service.RELAYER},
    "state.listener": {Service.LISTENER},
    "state.relayer": {Service.RELAYER},
}
"""Who may read which topics."""

WRITES = {
    "control": {*Service},
    "supply": {Service.MONITOR},
    "signing.requests": {Service.RELAYER},
    "transfers": {Service.RELAYER},
    "inbox": {*Service},
    "state.listener": {Service.LISTENER},
    "state.relayer": {Service.RELAYER},
}
"""Who may write to which topics."""


@dataclass(frozen=True)
class Bridge:
    """Topics on the secured Kafka, with exactly the rights that the command prints."""

    config: Path
    kafka: LocalKafka

    def settings(self, user: str) -> Settings:
        """Return the settings as a process of this user has them."""
        return load(config_on(self.config.parent, by_password(self.kafka, user), CHAINS))

    def cluster(self, user: str) -> Cluster:
        return cluster_of(self.settings(user))


@pytest.fixture(scope="module")
def bridge(secured: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """Make the topics and give the rights, as an administrator does; delete the topics again."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in passwords(secured).items():
            patch.setenv(name, value)
        config = config_on(tmp_path_factory.mktemp("bridge"), by_password(secured), CHAINS)
        bridge = Bridge(config, secured)
        administrator, catalog = bridge.cluster(ADMINISTRATOR), Catalog(topics_of(load(config)))
        told = CliRunner().invoke(root, ["topics", "--acls", "--config", str(config)])
        asyncio.run(create(administrator, catalog))
        asyncio.run(grant(administrator, told.output.splitlines()))
        yield bridge
        asyncio.run(delete(administrator, catalog))


@pytest.mark.parametrize("service", Service)
async def test_a_service_reads_and_writes_what_it_needs_and_nothing_else(
    service: Service, bridge: Bridge
) -> None:
    """Each topic of the bridge, tried for real: the cluster agrees with the two tables above."""
    names = _topics(bridge)
    async with intruder(bridge.cluster(service)) as user:
        reads = {topic for topic in names if await user.read(topic)}
        writes = {topic for topic in names if await user.write(topic)}

    assert reads == {topic for topic in names if service in READS[_kind(topic)]}
    assert writes == {topic for topic in names if service in WRITES[_kind(topic)]}


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize(
    "attempt",
    [Intruder.delete, Intruder.empty, Intruder.alter, Intruder.widen, Intruder.create],
)
async def test_no_service_changes_a_topic(
    service: Service, attempt: Attempt, bridge: Bridge
) -> None:
    """Deleted, emptied, altered, widened or made by nobody but an administrator."""
    async with intruder(bridge.cluster(service)) as user:
        assert [topic for topic in _topics(bridge) if await attempt(user, topic)] == []


@pytest.mark.parametrize("service", Service)
async def test_a_service_fences_and_joins_for_its_own_state_alone(
    service: Service, bridge: Bridge
) -> None:
    """Nobody can put another service's lanes out, or take part in sharing them."""
    states = [topic for topic in _topics(bridge) if _kind(topic).startswith("state")]
    own = [topic for topic in states if _kind(topic) == f"state.{service}"]
    async with intruder(bridge.cluster(service)) as user:
        assert [state for state in states if await user.fence(f"{state}.0")] == own
        assert [state for state in states if await user.join(f"relayer.{state}")] == own
        assert not await user.fence("anything")
        assert not await user.join("anything")


@pytest.mark.parametrize("service", Service)
async def test_no_service_trims_control_or_stops_who_does(service: Service, bridge: Bridge) -> None:
    """Not even by the trimmer's name, which would fence an administrator who is about to."""
    with pytest.raises(Transient, match=f"User:{service} may not Write transactional id"):
        async with trimming(bridge.cluster(service), CONTROL):
            raise AssertionError


async def test_an_administrator_trims_control(bridge: Bridge) -> None:
    """With every record kept for ever and every right guarded: what was read is gone."""
    async with intruder(bridge.cluster(Service.ATTESTER)) as user:
        assert await user.write(CONTROL)
    async with trimming(bridge.cluster(ADMINISTRATOR), CONTROL) as trim:
        async with aclosing(trim.past()) as past:
            read = [record.value async for record in past]
        await trim.replace([b"stands"])
        async with aclosing(trim.past()) as past:
            left = [record.value async for record in past]

    assert b"v" in read
    assert left == [b"stands"]


@pytest.mark.parametrize("service", Service)
async def test_no_service_changes_the_cluster(service: Service, bridge: Bridge) -> None:
    """Neither its brokers nor what others may do, nor what it may do itself."""
    async with intruder(bridge.cluster(service)) as user:
        assert not await user.alter_broker()
        assert not await user.give_rights(service)


async def test_a_certificate_has_the_rights_of_the_user_whom_it_names(bridge: Bridge) -> None:
    """A monitor may do the same whether it proves a password or shows a certificate."""
    shown = by_certificate(bridge.kafka, user=Service.MONITOR)
    cluster = cluster_of(load(config_on(bridge.config.parent, shown, CHAINS)))
    async with intruder(cluster) as user:
        assert await user.write("bridge.supply")
        assert not await user.write("bridge.transfers")

    assert cluster.access.who == "the user of certificate CN=monitor"


async def test_an_attempt_that_is_let_through_shows_as_such(bridge: Bridge) -> None:
    """The administrator may do all of it: the refusals above are the rights', not a mistake's."""
    async with intruder(bridge.cluster(ADMINISTRATOR)) as user:
        topics = _topics(bridge)
        assert [topic for topic in topics if await user.read(topic)] == topics
        assert [topic for topic in topics if await user.write(topic)] == topics
        assert await user.create("bridge.spare")
        for attempt in (user.empty, user.alter, user.widen, user.delete):
            assert await attempt("bridge.spare.twin")
        assert await user.fence("anything")
        assert await user.join("anything")
        assert await user.alter_broker()


def _topics(bridge: Bridge) -> list[str]:
    return [topic.name for topic in topics_of(load(bridge.config))]


def _kind(topic: str) -> str:
    """Return a topic's name without bridge and chain."""
    name = topic.removeprefix("bridge.")
    return next(kind for kind in READS if name == kind or name.startswith(f"{kind}."))
