from __future__ import annotations

import asyncio
import random
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.draft import Attestation
from relayer.domain.errors import DraftRefused, Fatal, Unavailable
from relayer.domain.gate import CONTROL_RECORDS, RESUME, Resume
from relayer.domain.halt import Halt
from relayer.domain.records import CONTROL, INBOX, REQUESTS, SIGNING_REQUESTS, inbox
from relayer.domain.supply import SKEW
from relayer.domain.transfer import Deposit, Location, TransferId
from relayer.ports.bus import Out
from relayer.services.attester.journal import Journal
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import ATTESTERS, OPERATOR, Bridge, until


def _deposit(number: int, units: int = 5) -> Deposit:
    return deposit(
        id=TransferId(number.to_bytes(32, "big")),
        shares=Shares(units * RAW_UNIT),
        location=Location(tx=f"tx{number}", index=0),
    )


def _make(bridge: Bridge, count: int, first: int = 1) -> list[Deposit]:
    return [bridge.chains[BNB].deposit(_deposit(first + n)) for n in range(count)]


def _all_delivered(bridge: Bridge, made: list[Deposit]) -> bool:
    return set(bridge.chains[SOLANA].executed) >= {d.id for d in made}


def _delete_bus(directory: Path) -> None:
    for file in directory.glob("bus.db*"):
        file.unlink()


def _once(bridge: Bridge) -> bool:
    executed = bridge.chains[SOLANA].executed
    return len(executed) == len(set(executed))


async def test_deposits_are_delivered_once_and_the_supply_comes_back(tmp_path: Path) -> None:
    """Nine deposits, read in ranges of three, delivered in batches."""
    bridge = Bridge(tmp_path)
    async with bridge.running():
        made = _make(bridge, 9)
        await until(lambda: _all_delivered(bridge, made))

    assert _once(bridge)
    assert sum(chain.supply for chain in bridge.chains.values()) == 2 * 10**24


async def test_a_deposit_told_many_times_is_delivered_once(tmp_path: Path) -> None:
    """The bus is at least once; the receipt makes it once."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        made = _make(bridge, 2)
        record = INBOX.encode(made[0])
        for _ in range(5):
            await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="x", value=record)])
        await until(lambda: _all_delivered(bridge, made))
        await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="x", value=record)])
        await asyncio.sleep(0.3)

    assert _once(bridge)
    assert len(bridge.chains[SOLANA].executed) == 2


async def test_forged_records_mint_nothing_and_stop_nothing(tmp_path: Path) -> None:
    """A deposit nobody made, another amount, another recipient, another lane's, and garbage."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        real = _make(bridge, 1)[0]
        forged = [
            INBOX.encode(_deposit(99)),
            INBOX.encode(replace(real, shares=Shares(10**22))),
            INBOX.encode(replace(real, recipient=real.sender)),
            INBOX.encode(replace(_deposit(98), destination=BNB, source=SOLANA)),
            b"{",
            b"\xff" * 100,
            b"x" * 300_000,
            b'{"type":"deposit","v":9}',
        ]
        await bus.publish(
            [Out(topic=inbox(SOLANA), partition=0, key="k", value=value) for value in forged]
        )
        await bus.publish(
            [Out(topic=SIGNING_REQUESTS, partition=0, key="k", value=value) for value in forged]
        )
        await until(lambda: _all_delivered(bridge, [real]))
        await asyncio.sleep(0.3)

    assert bridge.chains[SOLANA].executed == [real.id]
    assert bridge.chains[SOLANA].supply == 10**24 + real.shares
    assert len(bridge.observer.refusals) >= 8


async def test_forged_signatures_make_no_quorum(tmp_path: Path) -> None:
    """Every key's name over the very draft that is asked for, but not by the keys: counted."""
    bridge = Bridge(tmp_path)
    async with (
        bridge.running(attesters=False) as bus,
        aclosing(bus.follow(SIGNING_REQUESTS, None)) as requests,
    ):
        _make(bridge, 1)
        request = REQUESTS.decode((await anext(requests)).value or b"")
        for signer in ATTESTERS:
            fake = Attestation(
                id=request.draft.id,
                digest=request.draft.digest,
                attester=signer.public,
                signature=b"\2" * 64,
            )
            value = INBOX.encode(fake)
            await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="k", value=value)])
        await until(lambda: len(bridge.observer.forged) == len(ATTESTERS))

    assert bridge.chains[SOLANA].executed == []


async def test_without_a_lease_deposits_wait_and_go_on_by_themselves(tmp_path: Path) -> None:
    """A stale reserve withholds leases; a fresh one opens the gate."""
    bridge = Bridge(tmp_path)
    bridge.reserve.age = 10_000
    async with bridge.running():
        made = _make(bridge, 2)
        await asyncio.sleep(0.5)
        assert bridge.chains[SOLANA].executed == []

        bridge.reserve.age = 0
        await until(lambda: _all_delivered(bridge, made))


async def test_chains_that_disagree_on_the_multiplier_hold_the_asset(tmp_path: Path) -> None:
    """No lease while a corporate action is applied on one chain only."""
    bridge = Bridge(tmp_path)
    bridge.chains[BNB].multiplier = 2 * 10**18
    bridge.reserve.stock = 10**26
    async with bridge.running():
        made = _make(bridge, 1)
        await asyncio.sleep(0.5)
        assert bridge.chains[SOLANA].executed == []

        bridge.chains[SOLANA].multiplier = 2 * 10**18
        await until(lambda: _all_delivered(bridge, made))


async def test_a_monitor_that_begins_anew_in_a_corporate_action_halts_nobody(
    tmp_path: Path,
) -> None:
    """Its last reading says which multiplier the old statement was meant for; then stock is stated."""
    bridge = Bridge(tmp_path)
    async with bridge.running():
        first = _make(bridge, 1)
        await until(lambda: _all_delivered(bridge, first))
    for chain in bridge.chains.values():
        chain.multiplier = 2 * 10**18

    async with bridge.running():
        second = _make(bridge, 1, first=100)
        await asyncio.sleep(1)
        assert bridge.observer.halts == []

        bridge.reserve.stock *= 2
        await until(lambda: _all_delivered(bridge, second))


async def test_one_unbacked_unit_halts_until_the_operator_resumes(tmp_path: Path) -> None:
    """The halt is latched: backing alone does not lift it."""
    bridge = Bridge(tmp_path)
    bridge.chains[BNB].supply += 1
    async with bridge.running() as bus:
        made = _make(bridge, 1)
        await until(lambda: bool(bridge.observer.halts))
        bridge.reserve.stock += 1
        await asyncio.sleep(0.4)
        assert bridge.chains[SOLANA].executed == []
        assert len(bridge.observer.halts) == 1

        halt = bridge.observer.halts[0]
        assert isinstance(halt, Halt)
        now = int(time.time())
        resume = Resume(
            command=b"\1" * 32,
            halts=(halt.digest,),
            reason="backed",
            issued_at=now,
            expires_at=now + 60,
        )
        body = RESUME.encode(resume).decode()
        signature = await OPERATOR.sign(to_sign(Role.OPERATOR, body))
        signed = Signed(role=Role.OPERATOR, key=OPERATOR.public, body=body, signature=signature)
        value = CONTROL_RECORDS.encode(signed)
        await bus.publish([Out(topic=CONTROL, partition=0, key="", value=value)])
        await until(lambda: _all_delivered(bridge, made))


async def test_a_forged_delivery_on_chain_halts(tmp_path: Path) -> None:
    """A delivery that the quorum's own keys forged is caught by conservation, rule B."""
    bridge = Bridge(tmp_path)
    bridge.reserve.stock = 10**26
    bridge.chains[SOLANA].started -= 2 * SKEW  # both chains have been read past it
    bridge.chains[SOLANA].deliver(_deposit(77), "forged")
    async with bridge.running():
        await until(lambda: bool(bridge.observer.halts))

    halt = bridge.observer.halts[0]
    assert isinstance(halt, Halt)
    assert "rule B" in halt.reason


async def test_failed_and_lost_submissions_are_drafted_again(tmp_path: Path) -> None:
    """Two reverts and a transaction that never lands: each deposit still once."""
    bridge = Bridge(tmp_path)
    bridge.chains[SOLANA].refuse_next = 2
    bridge.chains[SOLANA].drop_next = 1
    async with bridge.running():
        made = _make(bridge, 3)
        await until(lambda: _all_delivered(bridge, made))

    assert _once(bridge)


async def test_unreadable_chains_lose_nothing(tmp_path: Path) -> None:
    """A tenth of all calls fails, of every kind: all is delivered once all the same."""
    bridge = Bridge(tmp_path)
    dice = random.Random(7)

    def flaky(name: str) -> None:
        if dice.random() < 0.1 and name != "broadcast.after":
            raise Unavailable(name)

    for chain in bridge.chains.values():
        chain.fault = flaky
    async with bridge.running():
        made = _make(bridge, 8)
        await until(lambda: _all_delivered(bridge, made), 40)

    assert _once(bridge)


async def test_with_the_bus_deleted_the_sweep_delivers_what_is_open(tmp_path: Path) -> None:
    """State, inboxes and cursors are gone; the chains alone say what is open."""
    bridge = Bridge(tmp_path)
    async with bridge.running():
        first = _make(bridge, 4)
        await until(lambda: _all_delivered(bridge, first))
    later = _make(bridge, 4, first=5)
    _delete_bus(tmp_path)

    async with bridge.running():
        await until(lambda: _all_delivered(bridge, later))
        await asyncio.sleep(0.3)

    assert _once(bridge)
    assert len(bridge.chains[SOLANA].executed) == 8


def test_a_journal_signs_one_binding_of_an_id_for_ever(tmp_path: Path) -> None:
    """The same again is fine; another recipient, kind or chain never, also after a restart."""
    first = (b"\1" * 32, "solana:x", "deliver", b"\2" * 32)
    journal = Journal(tmp_path / "j.db", "one", 0.0)
    assert journal.bind([first, first]) == [None, None]
    journal.close()

    journal = Journal(tmp_path / "j.db", "one", 0.0)
    others = [
        (first[0], "eip155:56", "deliver", first[3]),
        (first[0], first[1], "refund", first[3]),
    ]
    others.append((first[0], first[1], "deliver", b"\3" * 32))
    refused = journal.bind([first, *others])
    journal.close()

    assert refused[0] is None
    assert all(isinstance(one, DraftRefused) for one in refused[1:])


def test_a_journal_of_another_attester_is_refused(tmp_path: Path) -> None:
    """Two attesters on one journal, or a copied file, would defeat it."""
    Journal(tmp_path / "j.db", "one", 0.0).close()

    with pytest.raises(Fatal, match="belongs to attester one"):
        Journal(tmp_path / "j.db", "two", 0.0)


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """An attester never starts on a journal it cannot read."""
    (tmp_path / "j.db").write_bytes(b"not a database, whatever it says" * 50)

    with pytest.raises(Fatal, match="journal"):
        Journal(tmp_path / "j.db", "one", 0.0)
