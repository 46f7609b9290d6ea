"""``relayer config``: show, check and explain settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    settings = load(config_path)
    click.echo(f"{config_path}: every setting is allowed")
    for chain in settings.chains:
        click.echo(_trust(chain.chain, len(chain.endpoints), chain.needed))


def _trust(chain: str, endpoints: int, needed: int) -> str:
    """What k of n means for lies and for silence."""
    if endpoints == 1:
        return f"{chain}: one endpoint, believed alone; name three that different people run"
    lie, fail = needed - 1, endpoints - needed
    return f"{chain}: {needed} of {endpoints} endpoints agree; {lie} may lie, {fail} may fail"


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
    click.echo(markdown(), nl=False)


def markdown() -> str:
    """Every setting as Markdown: what stands in ``docs/configuration.md``."""
    from relayer.settings import Settings

    lines = [_INTRODUCTION]
    for title, model in _sections(Settings, "(top level)"):
        lines += ["", f"## {title}", "", (model.__doc__ or "").strip(), ""]
        lines += [
            "| setting | type | allowed | default | meaning |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{name}` | {_type(field.annotation)} | {_allowed(field)} | {_default(field)} "
            f"| {field.description} |"
            for name, field in model.model_fields.items()
            if name != "base"
        ]
    return "\n".join(lines) + "\n"


_INTRODUCTION = """\
# Configuration

One TOML file, named by `--config` or `RELAYER_CONFIG`. An environment variable goes before the
file: `RELAYER_` and the setting's path, joined by two underscores, as in
`RELAYER_LOG__LEVEL=debug`. Relative paths begin at the file's folder. Secrets never stand in the
file: a *secret place* is `file:PATH` (not readable by everyone) or `env:NAME`. Amounts are whole
shares as decimal text, such as `"1.5"`. An unknown setting is refused.

`relayer config check` says what is wrong with a file; `relayer config show` prints what is in
force. A title such as `chains[].tokens[]` is written `[[chains.tokens]]` in TOML. This page is
printed by `relayer config docs`."""


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
    """A type as an operator would say it."""
    import types
    from typing import Annotated, Literal, Union, get_args, get_origin

    parts = get_args(annotation)
    match get_origin(annotation):
        case origin if origin in (types.UnionType, Union):
            return " or ".join(_type(part) for part in parts if part is not type(None))
        case origin if origin is tuple:
            return f"list of {_type(parts[0])}"
        case origin if origin is dict:
            return f"table of {_type(parts[1])}"
        case origin if origin is Literal:
            return "text"
        case origin if origin is Annotated:
            return _type(parts[0])
    return _NAMES.get(getattr(annotation, "__name__", ""), "table")


_NAMES = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "Mode": "text",
    "Any": "any value",
}


def _allowed(field: Any) -> str:
    """Which values a setting takes: choices, bounds, how many, how each looks."""
    from enum import Enum
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        return _choices(get_args(field.annotation))
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        return _choices(member.value for member in field.annotation)
    return ", ".join(dict.fromkeys([*_limits(field.metadata), *_forms(field.annotation)]))


def _choices(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    """In words, the limits that pydantic keeps beside a type."""
    words = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}
    words |= {"min_length": "at least {}", "max_length": "at most {}"}
    for one in metadata:
        for name, text in words.items():
            if getattr(one, name, None) is not None:
                yield text.format(getattr(one, name))
        if pattern := getattr(one, "pattern", None):
            yield _form(pattern)
        yield from _limits(getattr(one, "metadata", ()))


def _forms(annotation: Any) -> Iterator[str]:
    """The limits of the items of a list, or of the text that may be absent."""
    from typing import get_args

    yield from _limits(getattr(annotation, "__metadata__", ()))
    for part in get_args(annotation):
        yield from _forms(part)


def _form(pattern: str) -> str:
    """A pattern by its name where it has one; a bar would end the cell of the table."""
    from relayer.process_settings import SecretPlace
    from relayer.settings import SharesSetting

    named = {_pattern(SecretPlace): "a secret place", _pattern(SharesSetting): "whole shares"}
    return named.get(pattern, "`" + pattern.replace("|", "\\|") + "`")


def _pattern(annotated: Any) -> str:
    (found,) = (one.pattern for one in annotated.__metadata__[0].metadata)
    return str(found)


def _default(field: Any) -> str:
    from pydantic import BaseModel

    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value in (None, (), {}) else f"`{value}`"
