from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relayer.app.chains import kit_for
from relayer.chains.connections import PER_HOST
from relayer.domain.errors import Unavailable
from relayer.ports.chain import ChainReader
from relayer.settings import Settings, load

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "devnet.example.toml"


@dataclass
class Node:
    """Takes every connection, counts those that are open, and answers no request."""

    open: set[asyncio.StreamWriter] = field(default_factory=set)
    most: int = 0
    url: str = ""

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.most = max(self.most, len(self.open))
        await reader.read()
        self.open.discard(writer)
        writer.close()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node()
    server = await asyncio.start_server(node.met, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield node


def _settings(url: str) -> Settings:
    """The example's three chains behind one address that is slow to answer."""
    example = load(EXAMPLE)
    chains = tuple(
        chain.model_copy(
            update={
                "timeout_seconds": 0.5,
                "endpoints": tuple(
                    one.model_copy(update={"url": url, "solidity": url, "ws": None})
                    for one in chain.endpoints[:1]
                ),
            }
        )
        for chain in example.chains
    )
    return example.model_copy(update={"chains": chains})


async def _unavailable(answer: Awaitable[object]) -> None:
    with pytest.raises(Unavailable):
        await answer


@pytest.mark.parametrize("family", ["eip155", "solana", "tron"])
async def test_all_readers_of_an_endpoint_share_a_few_connections(node: Node, family: str) -> None:
    """java-tron lets connections beyond its 50 hang: a process with many services stays below."""
    settings = _settings(node.url)
    chain = next(one for one in settings.chains if one.chain.startswith(family))
    kit = kit_for(settings, chain, lambda *_: None)
    readers: list[ChainReader] = [kit.reader() for _ in range(4 * PER_HOST)]

    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(_unavailable(reader.final_head()))
    await kit.close()

    assert 1 <= node.most <= PER_HOST
