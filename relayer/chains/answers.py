"""What a node may answer: so much that honest ones are heard, so little that no other stops us.

A node answers what it likes. 64 MB of empty lists were an answer as good as any, which took ten
seconds of the whole process to read, and 1.5 GB.
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
from pydantic_core import from_json

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer above which it is given up; ten thousand logs have 8 million."""

MAX_PARTS: Final = 500_000
"""Values in an answer above which it is not read; so many take a tenth of a second."""


async def body_of(response: aiohttp.ClientResponse) -> bytes:
    """The body of an answer; ValueError above MAX_BYTES."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_BYTES:
            msg = f"the answer is longer than {MAX_BYTES} bytes"
            raise ValueError(msg)
        parts.append(part)
    return b"".join(parts)


def value_of(text: bytes) -> Any:
    """The value in a JSON text; ValueError if it is none, or holds more than MAX_PARTS."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_PARTS:
        msg = f"the answer holds more than {MAX_PARTS} values"
        raise ValueError(msg)
    # not json.loads: deep nesting would overflow the C stack and end the process
    return from_json(text)
