from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from relayer.domain.address import ChainId
from relayer.domain.command import Verb
from relayer.domain.draft import Draft, SigningRequest
from relayer.domain.errors import DraftRefused, Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.records import (
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    inbox,
)
from relayer.domain.stage import Stage
from relayer.domain.transfer import ActKind, Deposit
from relayer.ports.bus import Out
from relayer.services.attester.journal import Journal
from tests.domain.samples import BNB, SOLANA
from tests.services.bridge import ATTESTERS, Bridge, until
from tests.services.fake_chain import FakeChain
from tests.services.orders import (
    Stream,
    a_command,
    a_deposit,
    a_refused,
    is_refunded,
    is_whole,
    signed_by,
)


async def _killed_at(bridge: Bridge, record: Out, place: int) -> bool:
    """Run with an order in the inbox until so many port calls, then die; False: it ended before."""
    calls = {"n": 0}
    dead = asyncio.Event()

    def count(name: str) -> None:
        calls["n"] += 1
        if calls["n"] >= place:
            dead.set()
            raise Unavailable(name)

    for chain in bridge.chains.values():
        chain.fault = count
    async with bridge.running() as bus:
        await bus.publish([record])
        try:
            await asyncio.wait_for(dead.wait(), 3.0)
        except TimeoutError:
            return False
        finally:
            for chain in bridge.chains.values():
                chain.fault = FakeChain(chain=BNB).fault
    return True


@pytest.mark.timeout(120)
@pytest.mark.parametrize("start", range(3))
async def test_a_crash_at_any_moment_of_a_refund_changes_nothing(
    tmp_path: Path, start: int
) -> None:
    """Killed at a port call, the twin ends like a stable one: voided, refunded, once."""
    for place in range(5 + start, 95, 9):
        directory = tmp_path / str(place)
        directory.mkdir()
        bridge = Bridge(directory)
        made = a_refused(bridge)
        async with bridge.running() as bus:
            stream = Stream(bus)
            await until(stream.has(Stage.WAITING))
            await stream.close()
        signed = INBOX.encode(await signed_by(a_command(made)))
        record = Out(topic=inbox(SOLANA), partition=0, key="x", value=signed)
        assert await _killed_at(bridge, record, place)
        async with bridge.running():
            await until(is_refunded(bridge, made))

        assert bridge.chains[SOLANA].executed == []
        assert [f.type for f in bridge.chains[BNB].facts] == ["deposit", "refund"]
        assert is_whole(bridge)


async def test_attesters_sign_no_refund_of_their_own(tmp_path: Path) -> None:
    """A void without an order for it, and a refund without a final void, are declined by name."""
    bridge = Bridge(tmp_path)
    bridge.reserve.age = 10_000
    made = bridge.chains[BNB].deposit(a_deposit())
    garbage = bridge.chains[BNB].deposit(a_deposit(2, destination=None, flaw=Reason.MEMO_MALFORMED))
    async with bridge.running() as bus:
        retry = await signed_by(a_command(made, Verb.RETRY))
        other = await signed_by(a_command(garbage))
        expired = await signed_by(a_command(made, seconds=-1))
        forged = replace(await signed_by(a_command(made)), signature=bytes(64))
        asked = [
            (SOLANA, ActKind.VOID, made, None, "no operator ordered"),
            (SOLANA, ActKind.VOID, made, retry, "is no order to refund"),
            (SOLANA, ActKind.VOID, made, other, "is no order to refund"),
            (SOLANA, ActKind.VOID, made, expired, "has expired"),
            (SOLANA, ActKind.VOID, made, forged, "does not verify"),
            (BNB, ActKind.REFUND, made, None, "is open on its destination: no refund"),
            (BNB, ActKind.REFUND, garbage, None, "no operator ordered"),
            (SOLANA, ActKind.REFUND, made, other, "has no place on"),
            (BNB, ActKind.VOID, made, other, "has no place on"),
        ]
        for chain, kind, one, order, _ in asked:
            request = SigningRequest(deposit=one, draft=_draft(chain, kind, one), order=order)
            value = REQUESTS.encode(request)
            await bus.publish([Out(topic=SIGNING_REQUESTS, partition=0, key="k", value=value)])
        await until(lambda: len(bridge.observer.declines) >= len(ATTESTERS) * len(asked))

    for *_, words in asked:
        assert any(words in why for why in bridge.observer.declines), words
    assert bridge.chains[BNB].refunded == set()
    assert bridge.chains[SOLANA].done == {}


def _draft(chain: ChainId, kind: ActKind, one: Deposit) -> Draft:
    ends = int(time.time()) + 60
    terms = {"deadline": str(ends), "epoch": "0"}
    return Draft(kind=kind, id=one.id, chain=chain, terms=terms, digest=bytes(32), dies_at=ends)


def test_a_journal_goes_from_delivery_to_void_to_refund_and_never_back(tmp_path: Path) -> None:
    """A delivery never follows a void or a refund; a refund follows a void that was read, or none."""
    one, two, word = b"\1" * 32, b"\2" * 32, b"\3" * 32
    deliver = (one, "solana:x", "deliver", word)
    void = (one, "solana:x", "void", word)
    refund = (one, "eip155:56", "refund", word)
    with contextlib.closing(Journal(tmp_path / "j.db", "one", 0.0)) as journal:
        assert journal.bind([deliver]) == [None]
        assert isinstance(journal.bind([refund])[0], DraftRefused)
        assert isinstance(journal.bind([(one, "tron:y", "void", word)])[0], DraftRefused)
        assert journal.bind([void, void]) == [None, None]
        assert isinstance(journal.bind([deliver])[0], DraftRefused)
        assert isinstance(journal.bind([refund])[0], DraftRefused)
        assert journal.bind([refund], voided=True) == [None]
        for late in (deliver, void, (*refund[:3], b"\4" * 32)):
            assert isinstance(journal.bind([late], voided=True)[0], DraftRefused)

        alone = (two, "solana:x", "refund", word)
        assert journal.bind([alone]) == [None]
        assert isinstance(journal.bind([(two, "eip155:56", "deliver", word)])[0], DraftRefused)
