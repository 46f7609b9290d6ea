"""A chain behind three endpoints of which two must agree: a liar and two true ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter
from relayer.ports.endpoints import Endpoint, Endpoints
from relayer.ports.quorum import QuorumReader
from relayer.ports.quorum_acts import QuorumDrafter, QuorumWriter
from tests.chains.harness import ChainHarness
from tests.chains.liars import Liar
from tests.ports.endpoints import Watched

P = TypeVar("P")
Provers = Sequence[Callable[[], Awaitable[None]]]


@asynccontextmanager
async def through_three(
    harness: ChainHarness,
    liars: Sequence[Liar],
    provers: Provers,
    ports: tuple[Sequence[ChainReader], Sequence[ChainDrafter], Sequence[ChainWriter]],
) -> AsyncIterator[ChainHarness]:
    """The harness with ports over three endpoints each; the first one is behind the liars."""
    chain, (readers, drafters, writers) = harness.chain, ports

    def two_of(each: Sequence[P]) -> Endpoints[P]:
        members = [
            Endpoint(place=place, port=port, prove=prove)
            for place, (port, prove) in enumerate(zip(each, provers, strict=True))
        ]
        return Endpoints(chain, members, 2, Watched())

    harness.reader = QuorumReader(two_of(readers))
    harness.drafter = QuorumDrafter(two_of(drafters))
    harness.writer = QuorumWriter(two_of(writers))
    harness.liars, harness.provers = liars, provers
    try:
        yield harness
    finally:
        await harness.reader.close()
        await harness.writer.close()
    asked = sum(liar.told for liar in liars)
    assert not asked or sum(liar.lies for liar in liars) > 0
