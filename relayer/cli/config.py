"""``relayer config``: show, check and explain settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from relayer.cli.options import config_option


@click.group()
def command() -> None:
    """Show, check and explain settings."""


@command.command("check")
@config_option
def check(config_path: Path) -> None:
    """Read the settings; say what is wrong with them, or that nothing is."""
    from relayer.settings import load

    load(config_path)
    click.echo(f"{config_path}: every setting is allowed")


@command.command("show")
@config_option
def show(config_path: Path) -> None:
    """Print the settings in force, as JSON; secrets and the paths of URLs are not in them."""
    import json
    from urllib.parse import urlsplit

    from relayer.settings import load

    content = load(config_path).model_dump(mode="json", exclude={"base"})
    for chain in content["chains"]:
        for endpoint in chain["endpoints"]:
            for name, url in endpoint.items():
                if url and "://" in url:
                    parts = urlsplit(url)
                    endpoint[name] = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}/..."
    click.echo(json.dumps(content, indent=2))


@command.command("docs")
def docs() -> None:
    """Print every setting with its type, default and meaning, as Markdown."""
    from relayer.settings import Settings

    click.echo("# Settings\n")
    click.echo(
        "One TOML file (`--config`), overridden by `RELAYER_*` variables "
        "(`RELAYER_LOG__LEVEL=debug`). Printed by `relayer config docs` from the settings class."
    )
    for title, model in _sections(Settings, "(top level)"):
        click.echo(f"\n## {title}\n\n{(model.__doc__ or '').strip()}\n")
        click.echo("| setting | type | default | meaning |\n| --- | --- | --- | --- |")
        for name, field in model.model_fields.items():
            if name == "base":
                continue
            default = "**required**" if field.is_required() else f"`{_shown(field.default)}`"
            click.echo(
                f"| `{name}` | {_type(field.annotation)} | {default} | {field.description} |"
            )


def _sections(model: Any, title: str) -> Iterator[tuple[str, Any]]:
    import typing

    from pydantic import BaseModel

    yield title, model
    for name, field in model.model_fields.items():
        for part in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                many = typing.get_origin(field.annotation) is tuple
                prefix = "" if title == "(top level)" else f"{title}."
                yield from _sections(part, f"{prefix}{name}{'[]' if many else ''}")


def _type(annotation: Any) -> str:
    text = str(getattr(annotation, "__name__", annotation))
    return text.replace("relayer.settings.", "").replace("typing.", "").replace("|", "or")


def _shown(default: Any) -> str:
    from pydantic import BaseModel

    return "see below" if isinstance(default, BaseModel) else str(default)
