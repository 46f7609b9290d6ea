"""What ``relayer retry``, ``relayer park`` and ``relayer refund`` share: find, sign, hand over."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import config_option

if TYPE_CHECKING:
    from relayer.domain.address import ChainId
    from relayer.domain.records import TransferTold
    from relayer.domain.transfer import TransferId
    from relayer.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was typed."""

    config_path: Path
    url: str | None
    key: str
    reason: str
    minutes: int
    on: str | None
    name: str


def order_command(verb: str, about: str, minutes: int) -> click.Command:
    """The click command that signs an order of a verb; ``about`` is its help."""

    @click.command(name=verb, help=about)
    @config_option
    @click.option("--url", help="The relayer's HTTP server; default: from the config.")
    @click.option("--key", required=True, help="The operator's Ed25519 key: file:PATH or env:NAME.")
    @click.option("--reason", required=True, help="Why; kept in the log, and told while parked.")
    @click.option(
        "--minutes", default=minutes, show_default=True, help="How long the order is valid."
    )
    @click.option(
        "--on",
        help="The chain whose lane owns the transfer; default: what the tracker says.",
    )
    @click.argument("name")
    def command(
        config_path: Path, key: str, reason: str, minutes: int, name: str, **more: str | None
    ) -> None:
        order = Order(
            config_path=config_path,
            url=more["url"],
            key=key,
            reason=reason,
            minutes=minutes,
            on=more["on"],
            name=name,
        )
        asyncio.run(_send(verb, order))

    return command


async def _send(verb: str, order: Order) -> None:
    from relayer.app.chains import ed25519
    from relayer.cli.control import hand_over
    from relayer.domain.authority import SIGNED, Role, Signed, to_sign
    from relayer.domain.command import COMMAND, Command, Verb
    from relayer.settings import load

    settings = load(order.config_path)
    transfer, chain = _target(settings, order)
    now = int(time.time())
    command = Command(
        command=secrets.token_bytes(32),
        verb=Verb(verb),
        transfer=transfer,
        chain=chain,
        reason=order.reason,
        issued_at=now,
        expires_at=now + 60 * order.minutes,
    )
    signer = ed25519(settings, order.key)
    body = COMMAND.encode(command).decode()
    signature = await signer.sign(to_sign(Role.OPERATOR, body))
    signed = Signed(role=Role.OPERATOR, key=signer.public, body=body, signature=signature)
    await hand_over(settings, order.url, SIGNED.encode(signed))
    click.echo(f"handed to the lane on {chain}: {verb} {transfer.hex()}")
    click.echo(f"see what becomes of it: relayer trace {transfer.hex()[:16]}")


def _target(settings: Settings, order: Order) -> tuple[TransferId, ChainId]:
    """The one open transfer that is meant, and the chain whose lane owns it."""
    from relayer.cli.chain import find_chain
    from relayer.domain.errors import SettingRefused
    from relayer.domain.transfer import TransferId

    text = order.name.lower().removeprefix("0x")
    if order.on is not None:
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            msg = f"with --on, {order.name!r} must be a whole transfer id: 64 hex digits"
            raise SettingRefused(msg)
        return TransferId(bytes.fromhex(text)), find_chain(settings, order.on).id
    told = _told(settings, order.name)
    return told.id, owner(told)


def _told(settings: Settings, name: str) -> TransferTold:
    from relayer.domain.errors import Unavailable
    from relayer.domain.stage import CLOSED
    from relayer.services.tracks import Tracks

    with Tracks(settings.path(settings.state_dir) / "tracker.db") as tracks:
        found = [story.track.told for story in tracks.trace(name)]
    if not found:
        msg = f"no transfer is known by {name!r}; with --on CHAIN a whole id is enough"
        raise Unavailable(msg)
    if len(found) > 1:
        ids = ", ".join(told.id.hex() for told in found)
        msg = f"{name!r} names several transfers, order one of them by its id: {ids}"
        raise Unavailable(msg)
    if found[0].stage in CLOSED:
        msg = f"{found[0].id.hex()} is {found[0].stage}: there is nothing left to order"
        raise Unavailable(msg)
    return found[0]


def owner(told: TransferTold) -> ChainId:
    """The chain whose lane owns a transfer: its destination until the void, then its source."""
    from relayer.domain.stage import Stage
    from relayer.domain.transfer import ActKind

    returning = told.act is ActKind.REFUND or told.stage is Stage.VOIDED
    return told.source if returning or told.destination is None else told.destination
