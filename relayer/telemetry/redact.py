"""Takes secrets out of what is about to be written down.

A URL of an RPC endpoint often carries its key in the path, the query or as credentials: only
scheme and host stay. Works on whole log records, on exception texts, and on single strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Secret, SecretBytes, SecretStr

HIDDEN: Final = "[hidden]"

_URL = re.compile(r"\b(?:https?|wss?|kafka|sasl_ssl)://[^\s\"'<>\\)\]}]+", re.IGNORECASE)
_SECRET_NAMES = re.compile(
    r"(?:^|_)(?:password|passphrase|secret|private_key|seed|mnemonic|authorization|api_key)$",
    re.IGNORECASE,
)


def redact_text(text: str) -> str:
    """Return the text with every URL cut down to scheme and host."""
    return _URL.sub(lambda match: _only_host(match[0]), text) if "://" in text else text


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Return a log record without secrets; a processor of structlog, the last but the renderer."""
    return {name: _clean(name, value) for name, value in event.items()}


@lru_cache(maxsize=1_000)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _clean(name: str, value: object) -> object:
    if _is_secret(name):
        return HIDDEN
    match value:
        case SecretStr() | SecretBytes() | Secret():
            return HIDDEN
        case bytes():
            return value.hex()
        case str():
            return redact_text(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(key): _clean(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", inner) for inner in value]
        case _:
            return redact_text(str(value))


def _only_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or HIDDEN
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{host}{port}"
