"""Why a Kafka cluster does not let us in, in words and with the setting to look at.

aiokafka says only that it could not begin. So each server is asked once more, alone, and what
comes back is read: what a broker says of a password, what TLS says of a certificate, or nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from relayer.bus.kafka_client import TROUBLE, end
from relayer.bus.kafka_rights import denial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.bus.kafka_client import Access, Cluster

PROBE: Final = 3.0
"""Seconds that a server is given to say what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What one server answered, or that it did not."""

    words: str
    final: bool
    """True where the credentials are refused: it is not the network, waiting mends nothing."""


async def refusal(cluster: Cluster, otherwise: BaseException) -> Refusal:
    """Ask every server; return the plainest answer. `otherwise`: what was met where all are well."""
    if isinstance(otherwise, ClusterAuthorizationFailedError):
        return Refusal(words=f"Kafka: {denial(cluster, otherwise, '', 'Write')}", final=True)
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(_ask(cluster.access, host, port, min(PROBE, cluster.request)))
            for host, port, _ in collect_hosts(list(cluster.servers))
        ]
    answers = [answer for task in asked if (answer := task.result()) is not None]
    final = [answer for answer in answers if answer.final]
    words = "; ".join(dict.fromkeys(answer.words for answer in final or answers))
    words = words or str(otherwise) or type(otherwise).__name__
    return Refusal(words=f"Kafka: {words}", final=bool(final))


async def _ask(access: Access, host: str, port: int, seconds: float) -> Refusal | None:
    """Connect, say who we are, and ask one thing, which some listeners refuse only then."""
    connection = AIOKafkaConnection(host, port, **access.arguments())
    try:
        async with asyncio.timeout(seconds):
            await connection.connect()
            await connection.send(MetadataRequest([]))
    except TROUBLE as error:
        return _read(access, f"{host}:{port}", error)
    finally:
        closed = connection.close()
        if connection._protocol is not None:  # noqa: SLF001 - else nothing was opened
            await end(closed, "probe")
    return None


def _read(access: Access, where: str, error: BaseException) -> Refusal:
    for cause in _causes(error):
        words = _of_password(access, cause) or _of_certificate(access, cause)
        if words is not None:
            return Refusal(words=f"{where} {words}", final=True)
    if isinstance(error, KafkaConnectionError):
        kind = _kind(access)
        words = f"{where} hangs up on {kind}: look at bus.tls, bus.user and at which port this is"
        return Refusal(words=words, final=False)
    said = str(error) or type(error).__name__
    return Refusal(words=f"{where} does not answer: {said}; look at bus.servers", final=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _of_password(access: Access, error: BaseException) -> str | None:
    match error:
        case SaslAuthenticationFailed():
            return (
                f"does not know user {access.user} with this password: look at bus.user and "
                "bus.password"
            )
        case UnsupportedSaslMechanismError():
            return f"takes no passwords by {access.mechanism}: look at bus.mechanism"
        case IllegalSaslStateError():
            return "takes certificates, no passwords: look at bus.user and at which port this is"
        case _:
            return None


def _of_certificate(access: Access, error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted ({_plain(error)}): look at bus.authority"
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
        shown = "refuses our certificate" if access.certificate else "asks for a certificate"
        return f"{shown} ({_said(reason)}): look at bus.certificate"
    return None


def _plain(error: ssl.SSLCertVerificationError) -> str:
    """Return what is wrong with the certificate, without the place in OpenSSL's source."""
    return (error.verify_message or _said(error.reason or "")).rstrip(".")


def _said(reason: str) -> str:
    return reason.lower().replace("_", " ")


def _kind(access: Access) -> str:
    """Return how we come, as somebody would say it who looks for the mistake."""
    way = "TLS" if access.tls else "a plain connection"
    return f"{way} with a password" if access.user else way
