"""The directory of a process, and the file that says where its HTTP server listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from relayer.domain.errors import Fatal
from relayer.process_settings import HttpSettings
from relayer.settings import Settings


def state_directory(settings: Settings) -> Path:
    """The directory of ``state_dir``, made if it is absent; Fatal if it cannot be."""
    directory = settings.path(settings.state_dir)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"the directory {directory} cannot be made ({error.strerror}): make its parent "
            "writable for this user, or set state_dir to another place"
        )
        raise Fatal(msg) from error
    return directory


@asynccontextmanager
async def listening(
    server: AbstractAsyncContextManager[int], http: HttpSettings, directory: Path
) -> AsyncIterator[int]:
    """Start the HTTP server and write its port down, whole or not at all; Fatal if it cannot."""
    try:
        port = await server.__aenter__()
    except OSError as error:
        msg = (
            f"{http.host}:{http.port} cannot be listened on ({error.strerror}): another process "
            "has it, or http.host is none of this machine; set http.port or http.host"
        )
        raise Fatal(msg) from error
    try:
        _write_port(directory, port)
        yield port
    finally:
        await server.__aexit__(None, None, None)


def _write_port(directory: Path, port: int) -> None:
    fresh = directory / "http.port.new"
    try:
        fresh.write_text(str(port), encoding="ascii")
        fresh.replace(directory / "http.port")
    except OSError as error:
        msg = f"{fresh} cannot be written ({error.strerror}): see to disk and permissions"
        raise Fatal(msg) from error
