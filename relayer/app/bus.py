"""Which bus a process runs on, and whether it may."""

from __future__ import annotations

import dataclasses
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from relayer.app.topics import topics_of
from relayer.bus.sqlite import SqliteBus
from relayer.domain.errors import Fatal, SettingRefused
from relayer.ports.bus import Bus, Finding, Level, Rights
from relayer.process_settings import BusSettings
from relayer.settings import Settings

if TYPE_CHECKING:
    from relayer.bus.kafka_client import Cluster

COMMIT_PACE: Final = 0.006
"""Seconds between two commits of the embedded bus: under a steady flow a third of them is saved,
and a transfer, which waits for two of them before its broadcast, is at most 12 ms later."""

_log = structlog.get_logger("relayer.app")


@asynccontextmanager
async def bus_of(
    settings: Settings,
    directory: Path,
    needs: Rights | None = None,
    denied: Callable[[str, str], None] | None = None,
) -> AsyncIterator[Bus]:
    """Open the bus that the settings name; the embedded one lives in `directory`.

    `denied` is told of each right (topic, operation) that a cluster refuses us later on. Raises
    `Fatal` when it would lose records or refuses what we need, `Transient` when it does not answer.
    """
    topics = topics_of(settings)
    if settings.bus.kind == "kafka":
        from relayer.bus.kafka import KafkaBus

        cluster = cluster_of(settings)
        if denied is not None:
            cluster = dataclasses.replace(cluster, denied=denied)
        async with KafkaBus(cluster, topics, needs) as kafka:
            judge(await kafka.check())
            yield kafka
    else:
        async with SqliteBus(directory / "bus.db", topics, pace=COMMIT_PACE) as embedded:
            judge(await embedded.check())
            yield embedded


def judge(findings: Sequence[Finding]) -> None:
    """Log what should be changed; raise `Fatal`, with all of it, for what must be."""
    for finding in findings:
        if finding.level is not Level.ERROR:
            log = _log.warning if finding.level is Level.WARNING else _log.info
            log("bus.finding", **_facts(finding))
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if errors:
        lines = "\n".join(f"  {line(finding)}" for finding in errors)
        msg = f"the bus would lose or refuse records ({len(errors)}):\n{lines}"
        raise Fatal(msg)


def line(finding: Finding) -> str:
    """Return a finding as one line for an operator."""
    return f"{finding.subject}: {finding.problem}; {finding.remedy}"


def _facts(finding: Finding) -> dict[str, str]:
    return {
        "subject": finding.subject,
        "problem": finding.problem,
        "remedy": finding.remedy,
    }


def cluster_of(settings: Settings) -> Cluster:
    """Return the Kafka cluster of the settings. Raises `SettingRefused` for a missing secret."""
    from relayer.bus.kafka_client import Access, Cluster

    bus = settings.bus
    access = Access(
        tls=_tls(settings, bus) if bus.tls else None,
        certificate=_holder(settings.path(bus.certificate)) if bus.certificate else None,
        user=bus.user,
        password=settings.secret(bus.password) if bus.password else None,
        mechanism=bus.mechanism,
    )
    return Cluster(
        servers=bus.servers,
        access=access,
        replication=bus.replication,
        min_insync=bus.min_insync,
        session=bus.session_seconds,
    )


def _tls(settings: Settings, bus: BusSettings) -> ssl.SSLContext:
    """Trust the authority, and know our own certificate if there is one."""
    context = _trusting(settings.path(bus.authority) if bus.authority else None)
    try:
        if bus.certificate and bus.certificate_key:
            # The library reads a key from a file only; it may stand elsewhere.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as key:
                key.write(settings.secret(bus.certificate_key) + "\n")
                key.flush()
                # An empty password, since OpenSSL asks at the terminal where none is given.
                context.load_cert_chain(str(settings.path(bus.certificate)), key.name, password="")
    except OSError as error:  # an SSLError is one
        msg = f"bus: the certificates cannot be used: {error}"
        raise SettingRefused(msg) from error
    return context


def _trusting(authority: Path | None) -> ssl.SSLContext:
    """Trust an authority, or those that the system trusts. Raises `SettingRefused` for no authority."""
    try:
        return ssl.create_default_context(cafile=str(authority) if authority else None)
    except OSError as error:
        msg = f"bus.authority: {authority} cannot be used: {error.strerror or error}"
        raise SettingRefused(msg) from error


def _holder(certificate: Path) -> str:
    """Return whom a certificate names. Raises `SettingRefused` when there is none to read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).subject.rfc4514_string()
    except (OSError, ValueError) as error:
        msg = f"bus: the certificate {certificate} cannot be read: {error}"
        raise SettingRefused(msg) from error
