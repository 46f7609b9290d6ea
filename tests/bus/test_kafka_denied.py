"""What a missing right looks like: before the start, at the start, and in a running service."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relayer.app.bus import cluster_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus, Unreachable
from relayer.bus.kafka_brokers import broker_settings
from relayer.bus.kafka_client import Access, Cluster
from relayer.bus.kafka_topics import create, delete
from relayer.bus.kafka_wishes import broker_wishes, judged
from relayer.cli.main import main
from relayer.devnet.kafka.broker import LocalKafka
from relayer.devnet.kafka.rights import grant
from relayer.devnet.kafka.secured import ADMINISTRATOR
from relayer.domain.errors import Transient
from relayer.ports.bus import Finding, Level, Partition, Rights, Topic
from relayer.settings import load
from tests.bus.harness import SOON, everything, keys, out, topics
from tests.bus.secured import by_password, config_on, passwords
from tests.bus.worlds import KafkaWorld

NEWCOMER, STRANGER = "newcomer", "stranger"


@pytest.fixture(autouse=True)
def _passwords(secured: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in passwords(secured).items():
        monkeypatch.setenv(name, value)


class Place(KafkaWorld):
    """Topics on the secured Kafka, and a user who may do there what a test allows."""

    def __init__(self, kafka: LocalKafka, folder: Path) -> None:
        super().__init__(kafka.servers)
        self._kafka, self._folder = kafka, folder
        self.counted: list[tuple[str, str]] = []
        self.administrator = self._as(ADMINISTRATOR)
        self.cluster = dataclasses.replace(
            self._as(NEWCOMER), denied=lambda *what: self.counted.append(what)
        )

    def _as(self, user: str) -> Cluster:
        return cluster_of(load(config_on(self._folder, by_password(self._kafka, user))))

    async def allow(self, operation: str, what: str) -> None:
        """Give the newcomer a right, as an operator would."""
        line = f"kafka-acls --bootstrap-server x --add --allow-principal User:{NEWCOMER}"
        await grant(self.administrator, [f"{line} --operation {operation} {what}"])

    async def look(self) -> None:
        """Let the newcomer see its topics, and write to one."""
        for topic in topics(self):
            await self.allow("Describe --operation DescribeConfigs", f"--topic {topic.name}")
        await self.allow("Write", f"--topic {self.stream}")


@pytest.fixture
async def place(secured: LocalKafka, tmp_path: Path) -> AsyncIterator[Place]:
    """Topics of its own; the newcomer may look at them and write to the stream."""
    place = Place(secured, tmp_path)
    await create(place.administrator, Catalog(topics(place)))
    await place.look()
    yield place
    await delete(place.administrator, Catalog(topics(place)))


async def test_what_may_not_be_written_is_said_and_the_bus_goes_on(place: Place) -> None:
    """Principal, operation and topic in one sentence, counted; once it is given, it is written."""
    async with KafkaBus(place.cluster, topics(place)) as bus:
        with pytest.raises(Transient) as refused:
            await bus.publish([out(place.stream, 0, "a"), out(place.inbox, 0, "b")])
        await bus.publish([out(place.stream, 0, "c")])
        await place.allow("Write", f"--topic {place.inbox}")
        await bus.publish([out(place.inbox, 0, "d")])

    assert f"User:newcomer may not Write topic {place.inbox}" in str(refused.value)
    assert place.counted == [(place.inbox, "Write")]
    async with KafkaBus(place.administrator, topics(place)) as bus:
        assert keys(await everything(bus, place.stream, 2)) == ["a", "c"]
        assert keys(await everything(bus, place.inbox)) == ["d"]


async def test_what_may_not_be_read_is_said_and_read_once_it_may(place: Place) -> None:
    """A follower stays alive, warns, and goes on by itself when the right is given."""
    async with (
        KafkaBus(place.cluster, topics(place)) as bus,
        aclosing(bus.follow(place.stream, None)) as follower,
        asyncio.timeout(SOON),
    ):
        await bus.publish([out(place.stream, 0, "a")])
        with capture_logs() as told:
            reading = asyncio.ensure_future(anext(follower))
            while not place.counted:
                await asyncio.sleep(0.05)
        await place.allow("Read", f"--topic {place.stream}")
        assert (await reading).key == "a"

    (event,) = [one for one in told if one["event"] == "bus.follow_interrupted"]
    assert f"User:newcomer may not Read topic {place.stream}" in event["error"]
    assert set(place.counted) == {(place.stream, "Read")}


async def test_lanes_that_may_not_be_owned_are_said_and_owned_once_they_may(place: Place) -> None:
    """Without group, then without fence, then without state: each is told by its name."""
    owned = asyncio.Event()

    async def lane(partition: Partition) -> None:
        await partition.restore()
        owned.set()

    with capture_logs() as told:
        async with KafkaBus(place.cluster, topics(place)) as bus, asyncio.timeout(3 * SOON):
            serving = asyncio.ensure_future(bus.serve(None, place.state, lane))
            await _said(told, f"User:newcomer may not Read group relayer.{place.state}")
            await place.allow("Read", f"--group relayer.{place.state}")
            await _said(told, f"User:newcomer may not Write transactional id {place.state}.*")
            fence = f"--transactional-id {place.state}. --resource-pattern-type prefixed"
            await place.allow("Write", fence)
            await _said(told, f"User:newcomer may not Write topic {place.state}")
            await place.allow("Write", f"--topic {place.state}")
            await place.allow("Read", f"--topic {place.state}")
            await owned.wait()
            await serving


async def _said(told: Sequence[MutableMapping[str, object]], words: str) -> None:
    while not any(words in f"{one.get('error')} {one.get('reason')}" for one in told):
        await asyncio.sleep(0.05)


async def test_rights_are_looked_at_before_anything_is_done(place: Place) -> None:
    """Each right that is needed and missing is an error by itself; one too many is a warning."""
    needs = Rights(
        reads=frozenset({place.inbox}), writes=frozenset(), owns=frozenset({place.cursors})
    )
    async with KafkaBus(place.cluster, topics(place), needs) as bus:
        found = await bus.check()

    errors = {f"{f.subject}: {f.problem}" for f in found if f.level is Level.ERROR}
    assert errors == {
        f"{place.inbox}: User:newcomer may not Read it",
        f"{place.cursors}: User:newcomer may not Read it",
        f"{place.cursors}: User:newcomer may not Write it",
        f"group relayer.{place.cursors}: User:newcomer may not Read it",
        f"transactional id {place.cursors}.0: User:newcomer may not Write it",
        f"transactional id {place.cursors}.1: User:newcomer may not Write it",
    }
    (wide,) = [f.problem for f in found if f.level is Level.WARNING]
    assert wide == f"it may do more than it needs, such as Write {place.stream} (1 rights in all)"


async def test_who_may_not_look_is_told_so(place: Place) -> None:
    """Topics that are not shown, settings that are not, and brokers' settings, a note alone."""
    hidden = Topic(name=f"{place.name}.hidden", partitions=1, retention=None, compacted=False)
    await create(place.administrator, Catalog([hidden]))
    try:
        async with KafkaBus(place.cluster, [hidden]) as bus:
            blind = await bus.check()
            await place.allow("Describe", f"--topic {hidden.name}")
            half = await bus.check()
    finally:
        await delete(place.administrator, Catalog([hidden]))

    assert _lines(blind) == [
        f"error {hidden.name}: User:newcomer may not Describe it",
        "note brokers: their settings were not looked at: User:newcomer may not DescribeConfigs",
    ]
    assert _lines(half)[0] == f"error {hidden.name}: User:newcomer may not DescribeConfigs it"


def _lines(found: Sequence[Finding]) -> list[str]:
    return [f"{one.level} {one.subject}: {one.problem}" for one in found]


async def test_a_user_without_any_right_to_write_does_not_start(
    secured: LocalKafka, tmp_path: Path
) -> None:
    """The start ends at once, with the right that is missing."""
    cluster = cluster_of(load(config_on(tmp_path, by_password(secured, STRANGER))))

    with pytest.raises(Unreachable, match="User:stranger may not Write any topic"):
        async with KafkaBus(cluster, []):
            raise AssertionError


def test_the_command_tells_an_operator_which_rights_a_service_lacks(
    secured: LocalKafka,
    tmp_path: Path,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With the credentials of a service and its name: exit code 1, and a line for each right."""
    config = config_on(tmp_path, by_password(secured, NEWCOMER))
    arguments = ["relayer", "topics", "--service", "monitor", "--config", str(config)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert "error: bridge.supply: User:newcomer may not Describe it; give the" in (
        capfd.readouterr().out
    )


async def test_who_may_not_make_a_topic_is_told_so(place: Place) -> None:
    """By name, and that it is an administrator's work."""
    spare = Topic(name=f"{place.name}.spare", partitions=1, retention=None, compacted=True)

    with pytest.raises(Transient, match=f"User:newcomer may not Create topic {spare.name}"):
        await create(place.cluster, Catalog([spare]))


async def test_brokers_tell_all_that_is_asked_of_them(secured: LocalKafka, place: Place) -> None:
    """Every setting that is judged is one of Kafka's, and the local cluster's are good."""
    wishes = broker_wishes(place.administrator)
    admin = place.administrator.admin()
    await admin.start()
    try:
        settings = await broker_settings(admin, 1)
    finally:
        await admin.close()

    assert {wish.name for wish in wishes} <= set(settings)
    assert list(judged(wishes, "broker 1", "broker", settings)) == []


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("transaction.max.timeout.ms", "900000", Level.WARNING),
        ("transaction.max.timeout.ms", "9000", Level.ERROR),
        ("auto.create.topics.enable", "true", Level.WARNING),
        ("unclean.leader.election.enable", "true", Level.WARNING),
        ("transaction.state.log.replication.factor", "1", Level.WARNING),
        ("transaction.state.log.min.isr", "1", Level.WARNING),
        ("offsets.topic.replication.factor", "1", Level.WARNING),
        ("group.min.session.timeout.ms", "7000", Level.ERROR),
        ("group.max.session.timeout.ms", "5000", Level.ERROR),
        ("authorizer.class.name", "", Level.WARNING),
    ],
)
def test_a_broker_that_would_lose_or_refuse_is_found(name: str, value: str, level: Level) -> None:
    """One finding, which names the setting, what it is, and what to set instead."""
    cluster = Cluster(servers=("broker:9092",), access=Access(user="relayer", password="secret"))
    wishes = broker_wishes(cluster)
    good = {wish.name: wish.value for wish in wishes} | {"transaction.max.timeout.ms": "12000"}

    assert list(judged(wishes, "broker 1", "broker", good)) == []
    (finding,) = judged(wishes, "broker 1", "broker", good | {name: value})
    assert (finding.level, finding.subject) == (level, "broker 1")
    assert finding.problem.startswith(f"{name} is {value or 'empty'}: ")
    assert finding.remedy.startswith(f"set {name}=")
