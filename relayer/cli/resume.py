"""``relayer resume``: lift halts; counts by the operator's signature alone."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import click

from relayer.cli.options import config_option
from relayer.cli.words import plain


@click.command()
@config_option
@click.option("--url", help="The relayer's HTTP server; default: from the config.")
@click.option("--key", required=True, help="The operator's Ed25519 key: file:PATH or env:NAME.")
@click.option("--reason", required=True, help="What was found and mended.")
@click.option("--minutes", default=10, show_default=True, help="How long the command is valid.")
@click.argument("digests", nargs=-1)
def command(
    config_path: Path,
    url: str | None,
    key: str,
    reason: str,
    minutes: int,
    digests: tuple[str, ...],
) -> None:
    """Lift the halts named by DIGESTS; without any, list the halts in force."""
    asyncio.run(_resume(config_path, url, key, reason, minutes, digests))


async def _resume(
    config_path: Path,
    url: str | None,
    key: str,
    reason: str,
    minutes: int,
    digests: tuple[str, ...],
) -> None:
    from relayer.app.chains import ed25519
    from relayer.cli.control import halts_of, publish
    from relayer.domain.authority import Role, Signed, to_sign
    from relayer.domain.errors import SettingRefused
    from relayer.domain.gate import CONTROL_RECORDS, RESUME, Resume
    from relayer.settings import load

    settings = load(config_path)
    if not digests:
        await _list(await halts_of(settings, url))
        return
    named = tuple(digest_of(digest) for digest in digests)
    signer = ed25519(settings, key)
    if signer.public.hex() not in settings.operator.keys:
        msg = f"{key} is no operator's key: {signer.public.hex()} is not among operator.keys"
        raise SettingRefused(msg)
    refuse_strange(named, await halts_of(settings, url))
    now = int(time.time())
    resume = Resume(
        command=secrets.token_bytes(32),
        halts=named,
        reason=reason,
        issued_at=now,
        expires_at=now + 60 * minutes,
    )
    body = RESUME.encode(resume).decode()
    signature = await signer.sign(to_sign(Role.OPERATOR, body))
    signed = Signed(role=Role.OPERATOR, key=signer.public, body=body, signature=signature)
    await publish(settings, url, CONTROL_RECORDS.encode(signed))
    click.echo(f"published: resume of {len(digests)} halt(s)")


def refuse_strange(named: tuple[bytes, ...], halts: list[dict[str, object]]) -> None:
    """SettingRefused if a digest names no halt in force: its resume would lift nothing."""
    from relayer.domain.errors import SettingRefused

    known = {halt["digest"] for halt in halts}
    if strange := [digest.hex() for digest in named if digest.hex() not in known]:
        msg = (
            f"no halt in force has the digest {strange[0]}: without a digest this command lists them "
            "(--url asks another process)"
        )
        raise SettingRefused(msg)


def digest_of(text: str) -> bytes:
    """A halt's digest as it is listed; SettingRefused for anything else."""
    from relayer.domain.errors import SettingRefused

    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        msg = f"{text!r} is no digest of a halt: 64 hex digits, as listed without any"
        raise SettingRefused(msg)
    return digest


async def _list(halts: list[dict[str, object]]) -> None:
    if not halts:
        click.echo("no halt is in force")
    for halt in halts:
        said = {name: plain(value) for name, value in halt.items()}
        click.echo(f"{said['digest']}  {said['scope']} {said['name']}  {said['reason']}")
        click.echo(f"    {said['evidence']} (by {said['raised_by']})")
    if halts:
        click.echo("to lift them, give the same command their digests", err=True)
