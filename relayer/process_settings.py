"""Settings of a process, whatever it runs: its bus, its HTTP server, its logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SecretPlace = Annotated[
    str, Field(pattern=r"^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)$", examples=["file:keys/payer"])
]
"""Where a secret is: ``file:PATH`` (relative to the config file) or ``env:NAME``."""


class Section(BaseModel):
    """A table of the settings: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(Section):
    """The local HTTP server: metrics, probes, and the operator's commands."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9464, ge=0, le=65535, description="Port; 0 picks a free one.")


class LogSettings(Section):
    """How logs look."""

    format: Literal["json", "console"] = Field("json", description="json or console.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level.")


class BusSettings(Section):
    """Where records travel: a file of this process, or a Kafka cluster for many processes."""

    kind: Literal["embedded", "kafka"] = Field("embedded", description="Which bus.")
    servers: tuple[str, ...] = Field((), description="Kafka: host:port of some brokers.")
    replication: int = Field(3, ge=1, description="Kafka: replicas of each topic.")
    min_insync: int = Field(2, ge=1, description="Kafka: replicas that acknowledge a record.")
    session_seconds: float = Field(
        6.0, ge=1, description="Kafka: after so long without a sign of life others take over."
    )
    user: str | None = Field(None, description="Kafka: name for SASL.")
    password: SecretPlace | None = Field(None, description="Kafka: password for SASL.")
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="Kafka: how the password is proved; PLAIN needs tls."
    )
    tls: bool = Field(default=False, description="Kafka: encrypt, and check the brokers' names.")
    authority: Path | None = Field(
        None, description="Kafka: PEM file of who signs the brokers; default: the system's."
    )
    certificate: Path | None = Field(None, description="Kafka: PEM file that says who we are.")
    certificate_key: SecretPlace | None = Field(None, description="Kafka: its key, PEM.")

    @model_validator(mode="after")
    def _check(self) -> BusSettings:
        needs = {
            "servers: Kafka needs at least one": self.kind == "kafka" and not self.servers,
            "password: it and user belong together": (self.user is None) != (self.password is None),
            "certificate: it and certificate_key belong together": (self.certificate is None)
            != (self.certificate_key is None),
            "tls: authority and certificate need it": not self.tls
            and bool(self.authority or self.certificate),
            "mechanism: PLAIN needs tls": self.mechanism == "PLAIN" and not self.tls,
            "min_insync: at most as many as replication": self.min_insync > self.replication,
        }
        for words, wrong in needs.items():
            if wrong:
                raise ValueError(words)
        return self
