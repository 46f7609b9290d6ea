"""A user over several endpoints: goes on to the next one, and never deposits twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import Transient, Unavailable, WrongChain
from relayer.ports.endpoints import Endpoint
from relayer.ports.user import FailoverDepositor
from tests.chains.gateway_samples import SOLANA

USER, RECIPIENT = Account(b"\x01" * 32), Account(b"\x02" * 32)


@dataclass(slots=True)
class Node:
    """An endpoint that takes deposits; ``silent`` is why it does not prove its chain."""

    silent: Transient | None = None
    breaks: Transient | None = None
    proofs: int = 0
    deposits: list[Shares] = field(default_factory=list)

    account = USER

    async def prove(self) -> None:
        """Serve the chain, or not."""
        self.proofs += 1
        if self.silent is not None:
            raise self.silent

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Take it; break off afterwards, if told so."""
        del asset, destination, recipient
        self.deposits.append(shares)
        if self.breaks is not None:
            raise self.breaks
        return "tx"

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """One unit for each deposit."""
        del account, asset
        return Shares(len(self.deposits))


def user_of(*nodes: Node) -> FailoverDepositor:
    """A user over these endpoints."""
    return FailoverDepositor(
        [Endpoint(place=at, port=node, prove=node.prove) for at, node in enumerate(nodes)]
    )


async def deposit(user: FailoverDepositor) -> str:
    """A deposit of seven units."""
    return await user.deposit("TSLAx", Shares(7), SOLANA, RECIPIENT)


@pytest.mark.parametrize("silent", [Unavailable("429"), WrongChain("serves eip155:1")])
async def test_the_next_endpoint_takes_what_the_first_does_not(silent: Transient) -> None:
    """A dead endpoint, or one of another chain, is passed over and then asked last."""
    first, second = Node(silent=silent), Node()
    user = user_of(first, second)
    assert [await deposit(user), await deposit(user)] == ["tx", "tx"]
    assert (first.deposits, second.deposits) == ([], [7, 7])
    assert first.proofs == 1
    assert await user.shares_of(USER, "TSLAx") == 2


async def test_a_deposit_that_has_begun_is_not_begun_elsewhere() -> None:
    """What was sent before the endpoint fell silent may be mined."""
    first, second = Node(breaks=Unavailable("timeout")), Node()
    with pytest.raises(Unavailable, match="timeout"):
        await deposit(user_of(first, second))
    assert second.deposits == []


async def test_without_any_endpoint_the_first_ones_words_are_told() -> None:
    """Nothing is sent, and nobody waits for ever."""
    nodes = Node(silent=Unavailable("429")), Node(silent=Unavailable("down"))
    with pytest.raises(Unavailable, match="429"):
        await deposit(user_of(*nodes))
    assert user_of(*nodes).account == USER
