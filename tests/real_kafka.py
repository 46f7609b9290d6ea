"""A real Kafka for the tests: one that is named, else one in Docker, else one of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Collection, Iterator

import pytest

from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_client import Cluster
from relayer.devnet.child import free_port
from relayer.devnet.kafka.broker import QUICK, LocalKafka
from relayer.devnet.kafka.jars import KafkaMissing

ADDRESS = "XSTOCKS_TEST_KAFKA"
"""Names the variable with host:port of a running Kafka; the tests make and delete topics there."""

IMAGE = "XSTOCKS_TEST_KAFKA_IMAGE"
"""Names the variable with another image than the official one, such as scripts/kafka-image makes."""

OFFICIAL = "apache/kafka:4.1.0"


@contextlib.contextmanager
def real_kafka() -> Iterator[str]:
    """Run the tests' Kafka and tell its address; in CI a missing one fails, elsewhere it skips."""
    if named := os.environ.get(ADDRESS):
        yield named
        return
    with contextlib.ExitStack() as stack:
        with _missed():
            servers = stack.enter_context(_in_docker() if _docker_answers() else _local())
        yield servers


@contextlib.contextmanager
def secured_kafka(users: Collection[str]) -> Iterator[LocalKafka]:
    """Run a broker of this machine that knows these users and allows nothing unasked."""
    with contextlib.ExitStack() as stack:
        with _missed():
            kafka = stack.enter_context(LocalKafka(users=users))
        yield kafka


@contextlib.contextmanager
def _missed() -> Iterator[None]:
    """In CI a missing Kafka fails; elsewhere the tests that need it are skipped, with advice."""
    try:
        yield
    except KafkaMissing as missing:
        advice = f"{missing} in {ADDRESS}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI does not pass without Kafka: {advice}")
        pytest.skip(advice)


@contextlib.contextmanager
def _local() -> Iterator[str]:
    with LocalKafka() as kafka:
        yield kafka.servers


def _docker_answers() -> bool:
    """Ask the engine for its socket before its library is imported, which takes a second."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0


@contextlib.contextmanager
def _in_docker() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = DockerContainer(os.environ.get(IMAGE, OFFICIAL)).with_bind_ports(port, port)
    for name, value in _settings(port).items():
        container = container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
    with container:
        servers = f"127.0.0.1:{port}"
        asyncio.run(_reached(servers))
        yield servers


def _settings(port: int) -> dict[str, str]:
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.quorum.voters": "1@localhost:29093",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:29093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        **QUICK,
    }


async def _reached(servers: str) -> None:
    """Wait for Kafka itself: the engine accepts connections before there is a broker."""
    async with KafkaBus(cluster(servers), []):
        pass


def session_seconds(own: float) -> float:
    """Return ``own`` on a broker of ours; what is named allows 6 s at least."""
    return 6.0 if ADDRESS in os.environ else own


def cluster(servers: str) -> Cluster:
    """Return how the tests use a Kafka of one broker."""
    return Cluster(servers=tuple(servers.split(",")), replication=1, min_insync=1)
