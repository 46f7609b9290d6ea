from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from relayer.app.run import Process
from relayer.app.services import Service
from relayer.cli.demo.journey import Demo
from relayer.cli.main import root
from relayer.devnet import given
from relayer.devnet.keys import PUBLISHED
from relayer.devnet.world import LocalWorld, WorldOptions
from relayer.domain.errors import SettingRefused
from relayer.settings import load

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


def _demo(world: LocalWorld, transfers: int, crashes: int) -> Demo:
    return Demo(
        settings=load(world.config_path),
        config_path=world.config_path,
        console=Console(file=io.StringIO()),
        transfers=transfers,
        users=world.options.users,
        crashes=crashes,
    )


async def test_a_payers_key_that_is_missing_is_told_at_the_start(
    world: LocalWorld, tmp_path: Path
) -> None:
    """And not when its lane is first taken over, perhaps at night: the process would end then."""
    whole = load(world.config_path)
    first, *others = whole.chains
    lacking = first.model_copy(update={"payers": (*first.payers, "file:keys/nobody")})
    settings = whole.model_copy(update={"chains": (lacking, *others), "state_dir": tmp_path})

    with pytest.raises(ExceptionGroup) as raised:
        await Process(settings, [Service.RELAYER]).run()
    assert raised.group_contains(SettingRefused, match="keys/nobody cannot be read")


async def test_every_route_and_asset_is_delivered_once_although_the_relayer_is_killed(
    world: LocalWorld,
) -> None:
    """Six routes, three assets, both modes, two SIGKILLs: each once, and K does not move."""
    outcome = await _demo(world, transfers=18, crashes=2).run()

    assert outcome.wrong == ()
    assert len(outcome.kills) == 2
    assert all(in_flight > 0 for in_flight in outcome.kills)
    assert len(outcome.after.deliveries) == 18
    routes = {(d.source, d.destination) for d in outcome.after.deposits}
    assert len(routes) == 6
    assert {d.asset for d in outcome.after.deliveries} == {"TSLAx", "NVDAx", "AAPLx"}


async def test_trace_status_and_supply_tell_what_happened(world: LocalWorld) -> None:
    """After the run, the commands answer from the tracker's file alone."""
    run = CliRunner()
    config = ["--config", str(world.config_path)]

    listed = run.invoke(root, ["status", *config])
    told = run.invoke(root, ["supply", *config])

    assert "18 delivered" in listed.output
    assert told.output.count("lease issued: the invariant holds") == 3


async def test_trace_knows_a_transfer_by_either_transaction(world: LocalWorld) -> None:
    """Source transaction, destination transaction and id lead to the same story."""
    from relayer.services.tracks import Filter, Tracks

    run = CliRunner()
    settings = load(world.config_path)
    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        told = tracks.status(Filter(limit=1))[0].told
    for name in (told.source_tx, told.destination_tx or "", told.id.hex()):
        story = run.invoke(root, ["trace", "--config", str(world.config_path), name])
        assert told.id.hex() in story.output
        assert "delivered" in story.output


async def test_the_demo_runs_on_nodes_that_are_given(world: LocalWorld, tmp_path: Path) -> None:
    """All three chains by URL and funded key: a second bridge stands beside the first."""
    (tmp_path / "bnb").write_text(world.anvil.keys[0])
    (tmp_path / "tron").write_text(world.tron.keys[0].hex())
    for name in ("bnb", "tron"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "nodes.toml").write_text(
        f"""
        [bnb]
        url = "{world.anvil.url}"
        key = "file:bnb"
        [solana]
        url = "{world.solana.url}"
        ws = "{world.solana.ws_url}"
        block_seconds = {world.options.slot_seconds}
        [tron]
        url = "{world.tron.full_url}"
        solidity = "{world.tron.solidity_url}"
        key = "file:tron"
        """
    )
    nodes = given.load(tmp_path / "nodes.toml")

    async with LocalWorld(tmp_path, WorldOptions(users=2, given=nodes)) as second:
        outcome = await _demo(second, transfers=6, crashes=0).run()

    assert outcome.wrong == ()
    assert len(outcome.after.deliveries) == 6
    assert second.bridge.evm.gateway != world.bridge.evm.gateway
    assert (tmp_path / "keys" / "monitor").read_text() != PUBLISHED.secret("monitor").hex()
