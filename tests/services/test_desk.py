"""Whom an attester answers first, and what a flood of questions costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from relayer.domain.address import ChainId
from relayer.domain.authority import Role, Signed
from relayer.domain.distrust import Decline
from relayer.domain.draft import SigningRequest
from relayer.domain.keep import Keeper
from relayer.domain.records import SIGNING_REQUESTS, TRANSFERS_TOPIC, inbox
from relayer.ports.bus import Out, Record
from relayer.services.attester import desk as desks
from relayer.services.attester.desk import Desk
from relayer.services.vouching import LIFE, Voucher
from tests.domain.samples import BNB, SOLANA, TRON, deposit, draft
from tests.services.fakes import RealClock


def _voucher(secret: bytes = b"ours") -> Voucher:
    """What marks records with a secret, and has seen none so far."""
    return Voucher(Keeper(secret), RealClock())


class SetClock(RealClock):
    """A clock that stands where a test has set it."""

    moment = 1_000.0

    def now(self) -> float:
        """That moment."""
        return self.moment


def _request(number: int, source: ChainId = BNB) -> SigningRequest:
    digest = number.to_bytes(32, "big")
    return SigningRequest(deposit=deposit(source=source), draft=replace(draft(), digest=digest))


class Hanging:
    """Answers that come when they are let, and who waits for one."""

    def __init__(self) -> None:
        self.begun: list[SigningRequest] = []
        self.released = asyncio.Event()

    async def answer(self, request: SigningRequest) -> None:
        self.begun.append(request)
        await self.released.wait()


async def test_a_flood_of_strange_requests_takes_no_place_of_vouched_ones() -> None:
    """Thousands come and hang; a vouched one is begun at once."""
    hanging = Hanging()
    async with asyncio.TaskGroup() as group:
        desk = Desk(hanging.answer, group)
        refusals = [desk.admit(_request(n), vouched=False) for n in range(5_000)]
        honest = _request(9_999)
        assert desk.admit(honest, vouched=True) is None
        await asyncio.sleep(0)
        assert honest in hanging.begun
        assert len(hanging.begun) == desks.STRANGERS + 1
        assert refusals.count(Decline.CROWDED) == 5_000 - desks.STRANGERS - desks.STRANGE_QUEUE
        assert desk.crowded
        hanging.released.set()


async def test_a_route_whose_chain_hangs_delays_no_other_route() -> None:
    """Each has its places; beyond its queue a request is refused, and asked for again later."""
    hanging = Hanging()
    async with asyncio.TaskGroup() as group:
        desk = Desk(hanging.answer, group)
        for number in range(desks.AT_ONCE + desks.QUEUE):
            assert desk.admit(_request(number), vouched=True) is None
        assert desk.admit(_request(9_998), vouched=True) is Decline.CROWDED
        other = _request(9_999, TRON)
        assert desk.admit(other, vouched=True) is None
        await asyncio.sleep(0)
        assert other in hanging.begun
        hanging.released.set()

    assert len(hanging.begun) == desks.AT_ONCE + desks.QUEUE + 1


async def test_the_same_question_is_under_way_once() -> None:
    """A recorded request, replayed, costs nothing; what is answered may be asked again."""
    hanging = Hanging()
    async with asyncio.TaskGroup() as group:
        desk = Desk(hanging.answer, group)
        assert desk.admit(_request(1), vouched=True) is None
        assert desk.admit(_request(1), vouched=True) is Decline.REPEATED
        assert desk.admit(_request(1), vouched=False) is None  # it may be another under that digest
        hanging.released.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.admit(_request(1), vouched=True) is None


async def test_another_order_makes_another_question() -> None:
    """A forged order under a genuine draft must not keep the operator's own one out."""
    order = Signed(role=Role.OPERATOR, key=bytes(32), body="{}", signature=b"forged")
    hanging = Hanging()
    async with asyncio.TaskGroup() as group:
        desk = Desk(hanging.answer, group)
        forged = replace(_request(1), order=order)
        genuine = replace(_request(1), order=replace(order, signature=b"genuine"))
        assert desk.admit(forged, vouched=True) is None
        assert desk.admit(genuine, vouched=True) is None
        assert desk.admit(genuine, vouched=True) is Decline.REPEATED
        assert desk.admit(_request(1), vouched=True) is None
        hanging.released.set()


@pytest.mark.parametrize("vouched", [False, True])
async def test_places_that_fall_free_are_given_once(*, vouched: bool) -> None:
    """However many wait and never more at the same time than there are places."""
    begun: list[SigningRequest] = []
    now = most = 0

    async def answer(request: SigningRequest) -> None:
        nonlocal now, most
        begun.append(request)
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0)
        now -= 1

    places = desks.AT_ONCE if vouched else desks.STRANGERS
    asked = [_request(number) for number in range(places + desks.STRANGE_QUEUE)]
    async with asyncio.TaskGroup() as group:
        desk = Desk(answer, group)
        for request in asked:
            assert desk.admit(request, vouched=vouched) is None

    assert begun == asked
    assert most == places


def _read(out: Out, later: float = 0.0, **changes: object) -> Record:
    """A record as it was written, appended now or so many seconds later."""
    told = {"topic": out.topic, "key": out.key, "value": out.value, "time": time.time() + later}
    return Record(**({"partition": 0, "offset": 1} | told | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"value": b"other"},
        {"topic": inbox(SOLANA)},
        {"key": "id"},
        {"key": "id." + "0" * 32},
        {"key": f"id.{int(time.time())}-{'0' * 32}"},
        {"key": f"id.{'9' * 4000}-{'0' * 32}"},
        {"later": 2 * LIFE},
        {"later": -2 * LIFE},
        {"key": "id.\\xff"},
        {"key": "id.ä"},
        {"value": None},
    ],
)
def test_only_the_very_bytes_on_their_topic_are_vouched_for(changes: dict[str, Any]) -> None:
    """Another value, topic or time, no mark, a wrong one, one that is no text: a stranger's."""
    (out,) = _voucher().vouch([Out(topic=SIGNING_REQUESTS, partition=0, key="id", value=b"text")])

    assert _voucher().knows(_read(out))
    assert not _voucher().knows(_read(out, **changes))
    assert not _voucher(b"another's").knows(_read(out))


def test_what_is_told_again_is_a_strangers() -> None:
    """However soon; who reads on from where it stood before knows it still, and it is forgotten."""
    told = Out(topic=SIGNING_REQUESTS, partition=0, key="id", value=b"text")
    clock = SetClock()
    voucher = Voucher(Keeper(b"ours"), clock)
    (out,) = voucher.vouch([told])

    assert [voucher.knows(_read(out, time=1_001.0, offset=n)) for n in (3, 4, 3)] == [
        True,
        False,
        True,
    ]
    clock.moment += 3 * LIFE
    (newer,) = voucher.vouch([told])
    assert voucher.knows(_read(newer, time=clock.moment, offset=5))
    assert not voucher.knows(_read(out, time=clock.moment, offset=6))
    assert len(voucher._places) == 1  # what is too old to be told again takes no room


def test_keys_of_the_public_stream_stay_ids() -> None:
    """Other teams read them; a tombstone is nobody's."""
    told = Out(topic=TRANSFERS_TOPIC, partition=0, key="id", value=b"text")
    gone = Out(topic=SIGNING_REQUESTS, partition=0, key="id", value=None)

    assert _voucher().vouch([told, gone]) == [told, gone]
