"""A chain behind three endpoints of which two must agree: two true ones and a liar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from relayer.domain.address import ChainId
from relayer.ports.endpoints import Endpoint, Endpoints
from tests.ports.endpoints import Watched

P = TypeVar("P")


def two_of(
    chain: ChainId, ports: Sequence[P], provers: Sequence[Callable[[], Awaitable[None]]]
) -> Endpoints[P]:
    """Ports over one endpoint each, of which two must agree."""
    endpoints = [
        Endpoint(place=place, port=port, prove=prove)
        for place, (port, prove) in enumerate(zip(ports, provers, strict=True))
    ]
    return Endpoints(chain, endpoints, 2, Watched())
