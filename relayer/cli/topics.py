"""``relayer topics``: make the topics on Kafka, and say what is wrong with them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import SERVICES, config_option

if TYPE_CHECKING:
    from relayer.settings import Settings


@click.command()
@config_option
@click.option("--create", is_flag=True, help="Make the topics that are missing first.")
@click.option(
    "--acls", is_flag=True, help="Print the least rights of each service, as kafka-acls commands."
)
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(SERVICES),
    help="Also check the rights that this service needs; again for several.",
)
@click.option(
    "--remake",
    metavar="CHAIN",
    help="Make the topics of a chain's lanes anew, as many as it has payers, if nothing is lost.",
)
@click.option(
    "--trim",
    is_flag=True,
    help="Leave of the control topic the halts that stand, and delete all records before.",
)
@click.option(
    "--forget-strange",
    is_flag=True,
    help="With --trim: also leave out halts of assets and chains that are not served.",
)
@click.option(
    "--schemas",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the JSON schema of every record into this folder, and check nothing.",
)
def command(
    config_path: Path,
    *,
    create: bool,
    acls: bool,
    services: tuple[str, ...],
    remake: str | None,
    trim: bool,
    forget_strange: bool,
    schemas: Path | None,
) -> None:
    """Check every topic of the settings; exit code 1 if one would lose or refuse records."""
    if schemas is not None:
        _write(schemas)
        return
    from relayer.settings import load
    from relayer.telemetry.log import LogFormat, configure_logs

    configure_logs(LogFormat.CONSOLE, "error")
    settings = load(config_path)
    if acls:
        from relayer.app.acls import commands

        click.echo("\n".join(commands(settings)))
        return
    if settings.bus.kind != "kafka":
        _embedded("make anew (docs/kafka.md, How many)" if remake else "", trim=trim)
        return
    if remake is not None:
        asyncio.run(_remake(settings, remake))
        return
    if trim:
        asyncio.run(_trim(settings, forget_strange=forget_strange))
        return
    sys.exit(asyncio.run(_topics(settings, create=create, services=services)))


def _embedded(remake: str, *, trim: bool) -> None:
    from relayer.domain.errors import SettingRefused

    if wanted := remake or ("trim (docs/kafka.md, Trimming)" if trim else ""):
        msg = f"the embedded bus has no topics to {wanted}"
        raise SettingRefused(msg)
    click.echo("the embedded bus makes its topics by itself")


async def _trim(settings: Settings, *, forget_strange: bool) -> None:
    from relayer.app.trimming import trim
    from relayer.cli.words import plain

    done = await trim(settings, forget_strange=forget_strange)
    for digest, halt in done.halts.items():
        scope = f"{halt.scope.kind} {plain(halt.scope.name)}".rstrip()
        click.echo(f"stands: {digest.hex()}  {scope}  {plain(halt.reason)}")
    click.echo(f"bridge.control begins at record {done.end} now; {len(done.halts)} halt(s) stand")


async def _remake(settings: Settings, name: str) -> None:
    from relayer.app.lanes import remake
    from relayer.cli.chain import find_chain

    chain = find_chain(settings, name)
    for topic in await remake(settings, chain.id):
        click.echo(f"made {topic} with {max(1, len(chain.payers))} lane(s)")


def _write(folder: Path) -> None:
    from relayer.domain.schemas import RECORDS, text_of

    folder.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        (folder / f"{name}.json").write_text(text_of(name), encoding="utf-8")
    click.echo(f"{len(RECORDS)} schemas are in {folder}")


async def _topics(settings: Settings, *, create: bool, services: Sequence[str]) -> int:
    from relayer.app.bus import cluster_of, line
    from relayer.app.rights import rights_of
    from relayer.app.services import Service
    from relayer.app.topics import topics_of
    from relayer.bus import kafka_topics
    from relayer.bus.catalog import Catalog
    from relayer.bus.kafka import KafkaBus
    from relayer.ports.bus import Level

    cluster, topics = cluster_of(settings), topics_of(settings)
    needs = rights_of(settings, map(Service, services)) if services else None
    async with KafkaBus(cluster, topics, needs) as bus:
        if create:
            for name in await kafka_topics.create(cluster, Catalog(topics)):
                click.echo(f"made {name}")
        findings = await bus.check()
    for finding in findings:
        click.echo(f"{finding.level}: {line(finding)}")
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if not errors:
        click.echo(f"{len(topics)} topics are as they must be")
    return 1 if errors else 0
