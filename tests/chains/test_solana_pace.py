"""Blocks of a node are asked for once, however many want to know of them at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any

from solders.hash import Hash

from relayer.chains.solana.pace import Blocks, Header
from relayer.chains.solana.rpc import SolanaRpc
from relayer.domain.errors import Unavailable


class OneNode(SolanaRpc):
    """A node that knows the even slots, and counts its questions."""

    def __init__(self) -> None:
        """Connect to nothing."""
        super().__init__("http://nowhere.invalid")
        self.asked: list[int] = []
        self.broken = False

    async def call(self, method: str, *params: Any) -> Any:
        """A block without transactions."""
        assert method == "getBlock"
        self.asked.append(params[0])
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("busy")
        return {"blockhash": str(Hash.default()), "blockHeight": params[0] - 1}


async def headers(blocks: Blocks, *slots: int) -> list[Header | Unavailable | None]:
    """What is answered to questions that are asked together."""

    async def header(slot: int) -> Header | Unavailable | None:
        try:
            return await blocks.header(slot)
        except Unavailable as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(header(slot)) for slot in slots]
    return [task.result() for task in tasks]


async def test_a_block_that_many_ask_for_is_asked_for_once() -> None:
    """A hundred drafts that name one block cost one call, now and later."""
    node = OneNode()
    blocks = Blocks(node, 0.4, lambda: 0.0)

    told = await headers(blocks, *[8] * 100, 10)
    later = await headers(blocks, 8)

    assert [one.height for one in (*told, *later) if isinstance(one, Header)] == [7] * 100 + [9, 7]
    assert node.asked == [8, 10]


async def test_a_failure_is_told_to_those_who_waited_and_not_remembered() -> None:
    """A busy node delays a moment's questions together, not one after the other."""
    node = OneNode()
    node.broken = True
    blocks = Blocks(node, 0.4, lambda: 0.0)

    failed = await headers(blocks, *[8] * 50)
    node.broken = False
    told = await headers(blocks, 8)

    assert {type(one) for one in failed} == {Unavailable}
    assert [type(one) for one in told] == [Header]
    assert node.asked == [8, 8]
