"""A bridge's settings on the secured Kafka of the tests, as each of its users."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import tomli_w

from relayer.devnet.kafka.authority import Authority
from relayer.devnet.kafka.broker import LocalKafka
from relayer.devnet.kafka.secured import ADMINISTRATOR
from tests.architecture.tree import ROOT

BusTable = dict[str, object]


def by_password(kafka: LocalKafka, user: str = ADMINISTRATOR, **more: object) -> BusTable:
    """Settings of a bus that proves a password, which stands in the user's own variable."""
    return {
        "servers": kafka.servers.split(","),
        "user": user,
        "password": f"env:KAFKA_{user.upper()}",
        "tls": True,
        "authority": str(kafka.guard.authority.file),
        **more,
    }


def by_certificate(
    kafka: LocalKafka,
    authority: Authority | None = None,
    life: timedelta = timedelta(hours=1),
    user: str = ADMINISTRATOR,
) -> BusTable:
    """Settings of a bus that shows a certificate in a user's name, by default the administrator's."""
    shown = (authority or kafka.guard.authority).issue(user, life=life)
    return {
        "servers": kafka.mutual.split(","),
        "tls": True,
        "authority": str(kafka.guard.authority.file),
        "certificate": str(shown.certificate),
        "certificate_key": f"file:{shown.key}",
    }


def passwords(kafka: LocalKafka) -> dict[str, str]:
    """The variables in which the settings look for the passwords."""
    return {f"KAFKA_{user.upper()}": told for user, told in kafka.guard.passwords.items()}


def config_on(
    folder: Path,
    bus: Mapping[str, object],
    chains: Sequence[str] = ("eip155:31337", "eip155:31338"),
) -> Path:
    """Write settings of a small bridge on this bus; its chains are never asked."""
    text = (ROOT / "config" / "devnet.example.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    evm = next(chain for chain in content["chains"] if chain["chain"].startswith("eip155"))
    content["chains"] = [{**evm, "chain": chain} for chain in chains]
    content["bus"] = {"kind": "kafka", "replication": 1, "min_insync": 1, **bus}
    path = folder / "relayer.toml"
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    return path
