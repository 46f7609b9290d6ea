"""``relayer devnet``: the local world, until interrupted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from relayer.cli.ending import in_order
from relayer.cli.options import nodes_option


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".state/devnet"),
    show_default=True,
    help="Where config and keys are written.",
)
@click.option("--users", default=4, show_default=True, help="Users with shares on every chain.")
@nodes_option
def command(directory: Path, users: int, nodes_path: Path | None) -> None:
    """Start three local chains with the bridge deployed; print endpoints, keys and a config."""
    try:
        with in_order():
            asyncio.run(_serve(directory, users, nodes_path))
    except KeyboardInterrupt:
        click.echo("stopped")


async def _serve(directory: Path, users: int, nodes_path: Path | None) -> None:
    from rich.console import Console

    from relayer.devnet import given
    from relayer.devnet.world import LocalWorld, WorldOptions

    console = Console(soft_wrap=True)
    nodes_given = given.Given() if nodes_path is None else given.load(nodes_path)
    with console.status(f"{nodes_given.words()}, and deploying the bridge"):
        world = LocalWorld(directory, WorldOptions(users=users, given=nodes_given))
        await world.__aenter__()
    try:
        nodes = world.bridge.nodes
        console.print(f"BNB Chain  {nodes.evm_chain}  {nodes.evm_url}")
        console.print(
            f"Solana     {world.bridge.solana.chain}  {nodes.solana_url}  {nodes.solana_ws}"
        )
        console.print(f"Tron       {nodes.tron_chain}  {nodes.tron_url}  {nodes.tron_solidity}")
        console.print(f"config     {world.config_path}")
        console.print(f"keys       {directory / 'keys'}  (funded users: user-N-evm, user-N-solana)")
        console.print()
        console.print("In another terminal:", style="bold")
        programs = Path(sys.executable).parent
        console.print(f"  export RELAYER_CONFIG={world.config_path} PATH={programs}:$PATH")
        console.print("  relayer run")
        console.print(
            "  relayer send --from tron --to bnb --asset TSLAx --shares 1.5 --key file:keys/user-0-evm"
        )
        await asyncio.Event().wait()
    finally:
        await world.__aexit__(None, None, None)
