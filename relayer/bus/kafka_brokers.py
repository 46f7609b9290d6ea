"""The settings of the brokers themselves: asked of each, and judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ClusterAuthorizationFailedError, for_code

from relayer.bus.kafka_client import TROUBLE
from relayer.bus.kafka_wishes import broker_wishes, judged
from relayer.ports.bus import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from relayer.bus.kafka_client import Cluster

PATIENCE: Final = 3.0
"""Seconds that one broker is given to tell its settings: it may be the one that is down."""


async def judge_brokers(
    cluster: Cluster, admin: AIOKafkaAdminClient, numbers: Iterable[int]
) -> list[Finding]:
    """Return what is wrong with each broker, once where all say the same.

    Who may not look at them is told so in a note: the least rights of a service do not include it.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for number in sorted(numbers):
        for finding in await _of(cluster, admin, number):
            findings.setdefault((finding.problem, finding.remedy), finding)
    return list(findings.values())


async def _of(cluster: Cluster, admin: AIOKafkaAdminClient, number: int) -> list[Finding]:
    subject = f"broker {number}"
    try:
        async with asyncio.timeout(PATIENCE):
            settings = await broker_settings(admin, number)
    except ClusterAuthorizationFailedError:
        who = cluster.access.who
        return [
            _note("brokers", f"their settings were not looked at: {who} may not DescribeConfigs")
        ]
    except TROUBLE as error:
        return [_note(subject, f"its settings were not looked at: {type(error).__name__}")]
    return list(judged(broker_wishes(cluster), subject, "broker", settings))


def _note(subject: str, problem: str) -> Finding:
    remedy = "an administrator looks at them with `relayer topics`"
    return Finding(level=Level.NOTE, subject=subject, problem=problem, remedy=remedy)


async def broker_settings(admin: AIOKafkaAdminClient, number: int) -> dict[str, str]:
    """Return the settings of one broker. Raises what aiokafka raises."""
    asked = [ConfigResource(ConfigResourceType.BROKER, str(number))]
    (answer,) = await admin.describe_configs(asked)
    (resource,) = answer.to_object()["resources"]
    if resource["error_code"]:
        raise for_code(resource["error_code"])(resource["error_message"])
    return {
        entry["config_names"]: entry["config_value"] or "" for entry in resource["config_entries"]
    }
