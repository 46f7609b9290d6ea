"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

SERVICES = ("listener", "relayer", "attester", "monitor", "tracker")
"""The names of `relayer.app.services.Service`, which is not imported before it is needed."""

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/relayer.toml"),
    envvar="RELAYER_CONFIG",
    show_default=True,
    help="The TOML file with the settings.",
)

nodes_option = click.option(
    "--config",
    "nodes_path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="A TOML file of nodes that run already, with funded keys; chains it leaves out run locally.",
)
