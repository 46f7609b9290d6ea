"""A user over several endpoints: goes on to the next one, and never deposits twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from relayer.agreement.endpoints import Endpoint
from relayer.agreement.user import FailoverDepositor
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.errors import Rejected, Transient, Unavailable, WrongChain
from relayer.ports.chain import Begun
from tests.chains.gateway_samples import SOLANA

NUMBERS = itertools.count()
USER, RECIPIENT = Account(b"\x01" * 32), Account(b"\x02" * 32)


@dataclass(slots=True)
class Node:
    """An endpoint that takes deposits; ``silent`` is why it does not prove its chain.

    ``refuses`` ends the first half of a deposit, ``breaks`` the second one.
    """

    silent: Transient | None = None
    breaks: Transient | None = None
    proofs: int = 0
    refuses: Exception | None = None
    signed: list[Shares] = field(default_factory=list)
    deposits: list[str] = field(default_factory=list)

    account = USER

    async def prove(self) -> None:
        """Serve the chain, or not."""
        self.proofs += 1
        if self.silent is not None:
            raise self.silent

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Both halves."""
        return await self.finish(await self.begin(asset, shares, destination, recipient))

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """Sign it; nobody signs the same twice."""
        del asset, destination, recipient
        if self.refuses is not None:
            raise self.refuses
        self.signed.append(shares)
        return Begun(tx=f"tx{next(NUMBERS)}", raws=(b"deposit",))

    async def finish(self, begun: Begun) -> str:
        """Take it; break off afterwards, if told so."""
        self.deposits.append(begun.tx)
        if self.breaks is not None:
            raise self.breaks
        return begun.tx

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
    assert [await deposit(user), await deposit(user)] == second.deposits
    assert (first.signed, second.signed) == ([], [7, 7])
    assert first.proofs == 1
    assert await user.shares_of(USER, "TSLAx") == 2


@pytest.mark.parametrize("silent", [None, Unavailable("dead by now")])
async def test_a_deposit_that_has_begun_is_finished_elsewhere(silent: Transient | None) -> None:
    """The endpoint dies after it was sent: the next one gets the same bytes, and no other ones."""
    first, second = Node(breaks=Unavailable("timeout")), Node()
    user = user_of(first, second)
    begun = await user.begin("TSLAx", Shares(7), SOLANA, RECIPIENT)
    first.silent = silent
    assert await user.finish(begun) == begun.tx
    assert second.deposits == [begun.tx]
    assert (first.signed, second.signed) == ([7], [])


async def test_an_endpoint_that_dies_before_it_is_signed_is_left() -> None:
    """Nothing was sent: the next one begins, and finishes it."""
    first, second = Node(refuses=Unavailable("429")), Node()
    assert await deposit(user_of(first, second)) in second.deposits
    assert (first.deposits, second.signed) == ([], [7])


async def test_what_an_endpoint_refuses_is_not_begun_elsewhere() -> None:
    """It was signed, and may have been sent: a second one would have another name."""
    first, second = Node(refuses=Rejected("insufficient funds")), Node()
    with pytest.raises(Rejected, match="funds"):
        await deposit(user_of(first, second))
    assert second.signed == []


async def test_a_deposit_that_nobody_tells_of_is_not_made_again() -> None:
    """All endpoints break off: the first one's words are told, and it was signed once."""
    nodes = Node(breaks=Unavailable("timeout")), Node(breaks=Unavailable("down"))
    with pytest.raises(Unavailable, match="timeout"):
        await deposit(user_of(*nodes))
    assert [node.signed for node in nodes] == [[7], []]


async def test_without_any_endpoint_the_first_ones_words_are_told() -> None:
    """Nothing is sent, and nobody waits for ever."""
    nodes = Node(silent=Unavailable("429")), Node(silent=Unavailable("down"))
    with pytest.raises(Unavailable, match="429"):
        await deposit(user_of(*nodes))
    assert user_of(*nodes).account == USER
