"""``relayer run``: the services, in this process, until SIGTERM."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from relayer.cli.options import SERVICES, config_option


@click.command()
@config_option
@click.argument("services", nargs=-1, type=click.Choice(SERVICES))
def command(config_path: Path, services: tuple[str, ...]) -> None:
    """Run SERVICES (all, if none is named) until SIGTERM, then drain and exit 0."""
    from relayer.app.run import Process
    from relayer.app.services import Service
    from relayer.settings import load
    from relayer.telemetry.log import LogFormat, configure_logs

    settings = load(config_path)
    configure_logs(LogFormat(settings.log.format), settings.log.level)
    process = Process(settings, [Service(name) for name in services or SERVICES])
    asyncio.run(process.run())
