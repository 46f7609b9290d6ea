"""Who a secured Kafka lets in, and what those are told whom it does not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from relayer.app.bus import cluster_of
from relayer.bus import kafka as kafka_bus
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus, Unreachable
from relayer.bus.kafka_client import Access, Cluster
from relayer.bus.kafka_topics import present
from relayer.cli.main import main
from relayer.devnet.kafka.authority import Authority
from relayer.devnet.kafka.broker import LocalKafka
from relayer.devnet.kafka.secured import ADMINISTRATOR
from relayer.domain.errors import Transient
from relayer.settings import load
from tests.bus.secured import BusTable, by_certificate, by_password, config_on

Mistake = Callable[[LocalKafka, Path], BusTable]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a broker here that has only just started."""
    monkeypatch.setattr(kafka_bus, "FIRST_CONTACT", 0.0)
    monkeypatch.setattr(kafka_bus, "FIRST_REFUSAL", 0.0)


def cluster(folder: Path, bus: Mapping[str, object]) -> Cluster:
    """Read the settings as the relayer does."""
    return cluster_of(load(config_on(folder, bus)))


@pytest.mark.parametrize("way", [by_password, by_certificate])
async def test_a_password_or_a_certificate_opens(
    way: Callable[[LocalKafka], BusTable],
    secured: LocalKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The settings alone lead in; who shows a certificate is the user of its name."""
    monkeypatch.setenv("KAFKA_ADMINISTRATOR", secured.guard.passwords[ADMINISTRATOR])
    async with KafkaBus(cluster(tmp_path, way(secured)), []) as bus:
        assert await bus.check() == []


def _wrong_password(kafka: LocalKafka, _: Path) -> BusTable:
    return by_password(kafka)


def _unknown_user(kafka: LocalKafka, _: Path) -> BusTable:
    return by_password(kafka, "nobody", password="env:KAFKA_ADMINISTRATOR")


def _unknown_mechanism(kafka: LocalKafka, _: Path) -> BusTable:
    return by_password(kafka, mechanism="SCRAM-SHA-256")


def _untrusted_broker(kafka: LocalKafka, folder: Path) -> BusTable:
    return by_password(kafka, authority=str(Authority(folder / "stranger").file))


def _no_tls(kafka: LocalKafka, _: Path) -> BusTable:
    return {"servers": kafka.servers.split(",")}


def _no_password(kafka: LocalKafka, folder: Path) -> BusTable:
    authority = str(kafka.guard.authority.file)
    return _no_tls(kafka, folder) | {"tls": True, "authority": authority}


def _no_certificate(kafka: LocalKafka, folder: Path) -> BusTable:
    return _no_password(kafka, folder) | {"servers": kafka.mutual.split(",")}


def _password_for_certificates(kafka: LocalKafka, _: Path) -> BusTable:
    return by_certificate(kafka) | {"user": "x", "password": "env:KAFKA_ADMINISTRATOR"}


def _certificate_of_a_stranger(kafka: LocalKafka, folder: Path) -> BusTable:
    return by_certificate(kafka, Authority(folder / "stranger"))


def _expired_certificate(kafka: LocalKafka, _: Path) -> BusTable:
    return by_certificate(kafka, life=-timedelta(minutes=1))


def _nobody_there(_: LocalKafka, __: Path) -> BusTable:
    return {"servers": ["127.0.0.1:1"]}


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (_wrong_password, "does not know user administrator with this password"),
        (_unknown_user, "does not know user nobody with this password"),
        (_unknown_mechanism, "takes no passwords by SCRAM-SHA-256: look at bus.mechanism"),
        (_untrusted_broker, "shows a certificate that is not trusted"),
        (_no_tls, "hangs up on a plain connection: look at bus.tls"),
        (_no_password, "hangs up on TLS: look at bus.tls, bus.user"),
        (_no_certificate, "asks for a certificate"),
        (_password_for_certificates, "takes certificates, no passwords"),
        (_certificate_of_a_stranger, "refuses our certificate"),
        (_expired_certificate, "refuses our certificate"),
        (_nobody_there, "does not answer"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_setting_to_look_at(
    *,
    mistake: Mistake,
    says: str,
    secured: LocalKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command ends with code 1 and that sentence, soon, with no traceback and no secret."""
    monkeypatch.setenv("KAFKA_ADMINISTRATOR", "correct horse")
    config = config_on(tmp_path, mistake(secured, tmp_path))
    monkeypatch.setattr(sys, "argv", ["relayer", "topics", "--config", str(config)])
    began = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()

    assert ended.value.code == 1
    assert says in said.err
    assert said.err.startswith("relayer: Kafka: 127.0.0.1:")
    assert said.err.count("\n") == 1
    assert "correct horse" not in said.err + said.out
    assert time.monotonic() - began < 10


async def test_topics_of_a_cluster_that_is_not_there_are_not_guessed_at() -> None:
    """Whoever asks for them is told the same sentence."""
    nowhere = Cluster(servers=("127.0.0.1:1",))

    with pytest.raises(Transient, match=r"^Kafka: 127.0.0.1:1 does not answer"):
        await present(nowhere, Catalog([]))


@pytest.mark.parametrize(
    ("life", "host", "says"),
    [
        (-timedelta(minutes=1), "127.0.0.1", "certificate has expired"),
        (timedelta(hours=1), "elsewhere.example", "IP address mismatch"),
    ],
)
async def test_a_broker_with_a_wrong_certificate_is_not_told_the_password(
    life: timedelta, host: str, says: str, tmp_path: Path
) -> None:
    """Expired, or made out to another host: the reason is said, and nothing was sent."""
    authority = Authority(tmp_path / "authority")
    shown = authority.issue("broker", (host,), life)
    heard: list[bytes] = []
    async with _listening(_context(shown.certificate, shown.key), heard) as port:
        trust = ssl.create_default_context(cafile=str(authority.file))
        with pytest.raises(Unreachable, match=says):
            await _open(port, trust)

    assert heard == []


async def test_a_server_that_never_answers_is_given_up() -> None:
    """Whatever it is that listens there, the start does not hang."""
    async with _listening(None, []) as port, asyncio.timeout(5):
        with pytest.raises(Unreachable, match="does not answer"):
            await _open(port, None)


async def _open(port: int, trust: ssl.SSLContext | None) -> None:
    access = Access(tls=trust, user="relayer" if trust else None, password="secret")
    servers = (f"127.0.0.1:{port}",)
    async with KafkaBus(Cluster(servers=servers, access=access, request=0.5), []):
        raise AssertionError


@contextlib.asynccontextmanager
async def _listening(tls: ssl.SSLContext | None, heard: list[bytes]) -> AsyncIterator[int]:
    """Listen, note what is said, and never answer."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(1000):
            heard.append(said)
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
