"""``relayer topics --remake`` on a real Kafka: it changes nothing while something would be lost."""

from __future__ import annotations

import asyncio
import secrets
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner, Result

from relayer.app.bus import cluster_of
from relayer.app.lanes import remake
from relayer.app.policies import state_key
from relayer.app.topics import RELAYER, topics_of
from relayer.bus.catalog import Catalog
from relayer.bus.kafka import KafkaBus
from relayer.bus.kafka_topics import delete
from relayer.cli.main import root
from relayer.domain.errors import Fatal
from relayer.domain.keep import Keeper
from relayer.domain.reasons import Reason
from relayer.domain.records import TRANSFER_STATE, inbox, lane_place, state
from relayer.domain.stage import Stage, Transfer
from relayer.ports.bus import Out
from relayer.settings import Settings, load
from tests.bus.secured import config_on
from tests.domain.samples import ID, deposit


@pytest.fixture
def config(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Settings of two chains that nobody else has, and their topics."""
    chains = [f"eip155:{secrets.randbelow(10**9)}" for _ in range(2)]
    made = config_on(tmp_path, {"servers": kafka.split(","), "session_seconds": 2.0}, chains)
    monkeypatch.setenv("RELAYER_STATE_SECRET", "env:STATE")
    monkeypatch.setenv("STATE", "s" * 32)
    assert _run(made, "--create").exit_code == 0
    yield made
    settings = load(made)
    asyncio.run(delete(cluster_of(settings), Catalog(topics_of(settings))))


def _run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["topics", "--config", str(config), *words])


def _payers(config: Path, count: int) -> None:
    """Give the first chain so many payers."""
    told = tomllib.loads(config.read_text(encoding="utf-8"))
    told["chains"][0]["payers"] = [f"env:PAYER_{number}" for number in range(count)]
    config.write_text(tomli_w.dumps(told), encoding="utf-8")


async def _keep(settings: Settings, value: bytes | None) -> None:
    """Put a value into the first lane's state, as its lane or as anybody."""
    topic = state(RELAYER, settings.chains[0].id)
    async with KafkaBus(cluster_of(settings), topics_of(settings)) as bus:
        await bus.publish([Out(topic=topic, partition=0, key=f"transfer/{ID.hex()}", value=value)])


def test_it_refuses_while_only_the_lane_knows_an_operators_word(config: Path) -> None:
    """A transfer that an operator parked: told by name, and the topics are as they were."""
    settings = load(config)
    chain = settings.chains[0].id
    parked = Transfer(
        deposit=deposit(), stage=Stage.PARKED, since=1.0, seen_at=1.0, reason=Reason.BY_OPERATOR
    )
    text = TRANSFER_STATE.encode(parked)
    keeper = Keeper(state_key(settings, RELAYER)).at(lane_place(chain, 0, 1))
    asyncio.run(_keep(settings, keeper.seal(f"transfer/{ID.hex()}", text)))
    _payers(config, 2)

    with pytest.raises(Fatal, match=f"lane 0: {ID.hex()} is parked by an operator"):
        asyncio.run(remake(load(config), chain))
    untouched = _run(config)
    asyncio.run(_keep(settings, b"forged, by whoever may write to the topic" + text))
    made = _run(config, "--remake", chain)

    assert "it has 1 partitions, 2 are configured" in untouched.output
    assert made.output.splitlines() == [
        f"made {inbox(chain)} with 2 lane(s)",
        f"made {state(RELAYER, chain)} with 2 lane(s)",
    ]
    assert _run(config).exit_code == 0


def test_it_makes_what_a_broken_off_remake_has_left_out(config: Path) -> None:
    """One topic is gone, or both: the same command again brings both."""
    settings = load(config)
    chain = settings.chains[0].id
    topics = [one for one in topics_of(settings) if chain.replace(":", "-") in one.name]
    for gone in (topics[:1], topics[1:2], topics[:2]):
        asyncio.run(delete(cluster_of(settings), Catalog(gone)))
        assert _run(config, "--remake", chain).exit_code == 0
        assert _run(config).exit_code == 0
