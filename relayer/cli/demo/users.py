"""A demo's users on a secured Kafka: one for each service, with the rights that it needs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relayer.app.acls import commands
from relayer.app.bus import cluster_of
from relayer.app.services import Service
from relayer.process_settings import BusSettings
from relayer.settings import Settings

if TYPE_CHECKING:
    from relayer.devnet.kafka.secured import Guard

USERS: Final = tuple(map(str, Service))


def administered(bus: BusSettings, guard: Guard, folder: Path) -> BusSettings:
    """Return the bus as its administrator uses it; every user's password is put into the folder."""
    from relayer.devnet.kafka.secured import ADMINISTRATOR

    for user, password in guard.passwords.items():
        file = folder / _place(user)
        file.touch(mode=0o600)
        file.write_text(password, encoding="utf-8")
    known = credentials([ADMINISTRATOR])["bus"]
    return bus.model_copy(update={"tls": True, "authority": guard.authority.file, **known})


def credentials(services: Collection[str]) -> dict[str, Any]:
    """Return the settings of a process that runs this service: it is the user of that name."""
    (service,) = services
    return {"bus": {"user": service, "password": f"file:{_place(service)}"}}


async def give_rights(settings: Settings, bus: BusSettings) -> None:
    """Do what `relayer topics --acls` tells an administrator to do."""
    from relayer.devnet.kafka.rights import grant

    settings = settings.model_copy(update={"bus": bus})
    await grant(cluster_of(settings), commands(settings))


def _place(user: str) -> str:
    return f"keys/kafka-{user}"
