from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relayer.agreement.health import Fault, Unwatched
from relayer.app.chains import kit_for
from relayer.chains.connections import PER_HOST
from relayer.domain.address import ChainId
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


class Watch(Unwatched):
    """Hears why endpoints are no use."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self.heard: list[tuple[int, Fault]] = []

    def endpoint_failed(self, chain: ChainId, endpoint: int, fault: Fault, words: str) -> None:
        """Keep which endpoint it was, and why."""
        del chain, words
        self.heard.append((endpoint, fault))


@pytest.mark.parametrize("family", ["eip155", "solana"])
async def test_a_stream_with_a_wrong_address_is_heard_of(node: Node, family: str) -> None:
    """Its endpoint is named to whoever counts; the reader is woken up by polls all the same."""
    watch, settings = Watch(), _settings(node.url)
    chain = next(one for one in settings.chains if one.chain.startswith(family))
    broken = tuple(one.model_copy(update={"ws": "ws://127.0.0.1:9/"}) for one in chain.endpoints)
    chain = chain.model_copy(update={"endpoints": broken, "poll_seconds": 0.1})
    kit, woken = kit_for(settings, chain, lambda *_: None, watch), 0

    with suppress(TimeoutError):
        async with asyncio.timeout(0.6), aclosing(kit.reader().wakeups()) as ticks:  # type: ignore[type-var]
            async for _ in ticks:
                woken += 1
    await kit.close()

    assert (0, Fault.STREAM) in watch.heard
    assert woken >= 3
