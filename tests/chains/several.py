"""A chain read through three endpoints of which two must agree: two true ones and a liar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from relayer.domain.address import ChainId
from relayer.ports.chain import ChainReader
from relayer.ports.endpoints import Endpoint, Endpoints
from relayer.ports.quorum import QuorumReader
from tests.ports.endpoints import Watched

Member = tuple[ChainReader, Callable[[], Awaitable[None]]]
"""A reader over one endpoint, and the endpoint's proof of identity."""


def two_of(
    chain: ChainId, members: Sequence[Member], observer: Watched | None = None
) -> QuorumReader:
    """What two of the members agree on."""
    endpoints: list[Endpoint[ChainReader]] = [
        Endpoint(place=place, port=reader, prove=prove)
        for place, (reader, prove) in enumerate(members)
    ]
    return QuorumReader(Endpoints(chain, endpoints, 2, observer or Watched()))
