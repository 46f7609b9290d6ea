"""Settings of every test: how hard properties are tried, and which kind of test a file holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from relayer.app.services import Service
from relayer.devnet.kafka.broker import LocalKafka
from tests.real_kafka import real_kafka, secured_kafka

for shared in ("attacks", "bus", "chains", "devnet", "e2e", "services"):
    pytest.register_assert_rewrite(f"tests.{shared}")  # a failed suite shows the values

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
"""Silenced: both judge this machine's load, not the test."""

settings.register_profile(
    "ci",
    derandomize=True,  # a red build must be red again
    deadline=None,
    max_examples=100,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=5_000,
    stateful_step_count=200,
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """A command that is tried in this process sets up its logs; the next test's are as ever."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    if structlog.is_configured():
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka, started by the first test that asks for it."""
    with real_kafka() as servers:
        yield servers


@pytest.fixture(scope="session")
def secured() -> Iterator[LocalKafka]:
    """A Kafka with a user for each service and two more, none of whom may do anything yet."""
    with secured_kafka([*map(str, Service), "newcomer", "stranger"]) as kafka:
        yield kafka
