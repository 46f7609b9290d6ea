"""What the kits of all chains share: the settings in an adapter's terms, and what was opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from relayer.agreement.acting import QuorumDrafter, QuorumWriter
from relayer.agreement.endpoints import Endpoint, Endpoints
from relayer.agreement.health import EndpointObserver, Fault
from relayer.agreement.reading import QuorumReader
from relayer.agreement.user import FailoverDepositor
from relayer.domain.address import Account, ChainId
from relayer.domain.transfer import TokenPlace
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter, Depositor
from relayer.settings import ChainSettings, EndpointSettings, Settings

P = TypeVar("P")

Observe = Callable[[str, float, bool], None]
"""Told of every call: method, seconds, whether it was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A chain's settings, and who is told how its endpoints fare."""

    settings: Settings
    chain: ChainSettings
    observe: Observe
    watch: EndpointObserver

    @property
    def tokens(self) -> tuple[TokenPlace, ...]:
        """The assets' tokens on this chain."""
        account = self.chain.account
        return tuple(
            TokenPlace(asset=t.asset, token=account(t.address), mode=t.mode)
            for t in self.chain.tokens
        )

    @property
    def peers(self) -> tuple[ChainId, ...]:
        """The other chains that are served."""
        return tuple(c.id for c in self.settings.chains if c.id != self.chain.id)

    def url(self, text: str | None) -> str | None:
        """An endpoint's URL, read from its place where it is a secret; None for none."""
        return None if text is None else self.settings.url(text)

    def needed(self, text: str | None) -> Account:
        """An account of this chain that the settings must name."""
        return self.chain.account(text or "")

    @property
    def extra(self) -> Mapping[str, Any]:
        """Adapter settings by name."""
        poll = self.chain.poll_seconds
        return {**self.chain.extra, **({"poll_seconds": poll} if poll else {})}


Prove = Callable[[], Awaitable[None]]


class Opened(ABC):
    """The kit of a chain: its ports over all its endpoints, from an adapter's ports over one.

    It remembers what was opened, so that it can be closed in one place. What is opened over
    one endpoint shares its connections, and nothing else.
    """

    def __init__(self, given: Given) -> None:
        from relayer.chains.connections import Connections

        self._given = given
        self._configs = [self._config(endpoint) for endpoint in given.chain.endpoints]
        self._open: list[Any] = []
        self._pools: list[Endpoints[Any]] = []
        self._connections = defaultdict[int, Connections](Connections)

    def reader(self) -> ChainReader:
        """A reader of what the chain's endpoints agree on."""
        return QuorumReader(self._endpoints(self._reader))

    def drafter(self, payer: str | None) -> ChainDrafter:
        """A drafter; ``payer`` is the place of the lane's fee key, None for an attester."""
        return QuorumDrafter(self._endpoints(lambda place: self._drafter(place, payer)))

    def writer(self, payer: str) -> ChainWriter:
        """A writer that pays with the key at this place."""
        return QuorumWriter(self._endpoints(lambda place: self._writer(place, payer)))

    def depositor(self, secret: str) -> Depositor:
        """A user who goes on to the next endpoint when one does not answer."""
        places = range(len(self._configs))
        if len(places) == 1:
            return self._depositor(0, secret)
        return FailoverDepositor(
            [
                Endpoint(place=at, port=self._depositor(at, secret), prove=self._prover(at))
                for at in places
            ]
        )

    def _opened(self, rpc: Any) -> Any:
        self._open.append(rpc)
        return rpc

    def _endpoints(self, port: Callable[[int], P]) -> Endpoints[P]:
        """A port over each endpoint, of which as many as the settings say must agree."""
        chain = self._given.chain
        members = [
            Endpoint(place=place, port=port(place), prove=self._prover(place))
            for place in range(len(chain.endpoints))
        ]
        pool = Endpoints(chain.id, members, chain.needed, self._given.watch)
        self._pools.append(pool)
        return pool

    def _wire(self, place: int) -> dict[str, Any]:
        """How an endpoint is spoken to, whatever it speaks."""
        config = self._configs[place]
        return {
            "timeout_seconds": config.timeout_seconds,
            "headers": config.headers,
            "observe": self._given.observe,
            "connections": self._connections[place],
        }

    def _stream_broke(self, place: int) -> Callable[[str], None]:
        """Tells of a stream of an endpoint that can not be had."""
        told = self._given.watch.endpoint_failed
        return partial(told, self._given.chain.id, place, Fault.STREAM)

    @abstractmethod
    def _config(self, endpoint: EndpointSettings) -> Any:
        """The adapter's settings for an endpoint; TypeError for an unknown one among ``extra``."""

    @abstractmethod
    def _prover(self, place: int) -> Prove:
        """What proves the identity of an endpoint."""

    @abstractmethod
    def _reader(self, place: int) -> ChainReader:
        """A reader over one endpoint."""

    @abstractmethod
    def _drafter(self, place: int, payer: str | None) -> ChainDrafter:
        """A drafter over one endpoint."""

    @abstractmethod
    def _writer(self, place: int, payer: str) -> ChainWriter:
        """A writer over one endpoint."""

    @abstractmethod
    def _depositor(self, place: int, secret: str) -> Depositor:
        """A user over one endpoint, with a key in text form."""

    async def close(self) -> None:
        """Close every connection, and stop what is still asked."""
        for pool in self._pools:
            await pool.close()
        for rpc in self._open:
            await rpc.close()
        for connections in self._connections.values():
            await connections.close()
        self._open.clear()
