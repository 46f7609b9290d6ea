from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from relayer.domain.authority import Role
from relayer.domain.command import COMMAND, Verb
from relayer.domain.errors import Unavailable
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.records import (
    CONTROL,
    RefundDue,
)
from relayer.domain.stage import Stage
from relayer.domain.transfer import ActKind, ReceiptKind, TransferId
from relayer.ports.bus import Out
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA
from tests.services.bridge import MONITOR, Bridge, until
from tests.services.fake_chain import FakeChain
from tests.services.orders import (
    Stream,
    a_command,
    a_deposit,
    a_garbage,
    a_refused,
    is_refunded,
    is_whole,
    order,
    signed_by,
    tell,
)

FAR = 10**9


async def test_a_refund_is_a_void_then_the_shares_back(tmp_path: Path) -> None:
    """Refused on the destination, ordered by the operator: voided there, given back here, once."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_refused(bridge)
        await until(stream.has(Stage.WAITING))
        await order(bus, made)
        await until(stream.has(Stage.REFUNDED))
        await stream.close()

    assert bridge.chains[SOLANA].done[made.id].kind is ReceiptKind.VOIDED
    assert bridge.chains[SOLANA].executed == []
    assert bridge.chains[BNB].refunded == {made.id}
    assert is_whole(bridge)
    path = [(t.stage, t.act) for t in stream.told if t.stage is not Stage.SEEN]
    assert path[-8:] == [
        (Stage.SIGNING, ActKind.VOID),
        (Stage.READY, ActKind.VOID),
        (Stage.SUBMITTED, ActKind.VOID),
        (Stage.VOIDED, ActKind.VOID),
        (Stage.SIGNING, ActKind.REFUND),
        (Stage.READY, ActKind.REFUND),
        (Stage.SUBMITTED, ActKind.REFUND),
        (Stage.REFUNDED, ActKind.REFUND),
    ]
    last = stream.told[-1]
    assert (last.refund_height, last.destination_tx) == (2, None)
    assert bridge.ended is None


async def test_a_deposit_without_destination_is_refunded_at_once(tmp_path: Path) -> None:
    """A garbage memo has no delivery to void: parked, then refunded under an order."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_garbage(bridge)
        await until(stream.has(Stage.PARKED, Reason.MEMO_MALFORMED))
        await order(bus, made)
        await until(stream.has(Stage.REFUNDED))
        await stream.close()

    assert bridge.chains[BNB].refunded == {made.id}
    assert is_whole(bridge)


async def test_nothing_is_refunded_without_an_operators_word(tmp_path: Path) -> None:
    """Unsigned, forged, by the monitor, expired, too long, for another id: refused by name."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_garbage(bridge)
        await until(stream.has(Stage.PARKED))
        good = a_command(made)
        signed = await signed_by(good)
        other = COMMAND.encode(replace(good, transfer=TransferId(b"\7" * 32))).decode()
        refusals = {
            "is not a known operator": await signed_by(good, MONITOR, Role.MONITOR),
            "not a known operator": await signed_by(good, Ed25519Signer(b"\x77" * 32)),
            "does not verify": replace(signed, body=other),
            "signature of": replace(signed, signature=bytes(64)),
            "has expired": await signed_by(replace(good, expires_at=good.issued_at - 1)),
            "would live": await signed_by(replace(good, expires_at=good.issued_at + FAR)),
            "is for a lane of": await signed_by(replace(good, chain=SOLANA)),
            "no such transfer": await signed_by(replace(good, transfer=TransferId(b"\7" * 32))),
        }
        for record in refusals.values():
            await tell(bus, BNB, record)
        await until(lambda: len(bridge.observer.refusals) >= len(refusals))
        await asyncio.sleep(0.2)
        await stream.close()

    for words in refusals:
        assert any(words in why for why in bridge.observer.refusals), words
    assert bridge.chains[BNB].refunded == set()
    assert stream.told[-1].stage is Stage.PARKED


async def test_a_replayed_command_does_nothing(tmp_path: Path) -> None:
    """A recorded park is refused by name after the operator has retried, also after a restart."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_garbage(bridge)
        await until(stream.has(Stage.PARKED))
        record = await signed_by(a_command(made, Verb.PARK))
        await tell(bus, BNB, await signed_by(a_command(made, Verb.RETRY)))
        await tell(bus, BNB, record)
        await until(lambda: len(stream.told) >= 3)
        await stream.close()
    async with bridge.running() as bus:
        await tell(bus, BNB, record)
        await until(lambda: any("a replay" in why for why in bridge.observer.refusals))


async def test_an_operator_parks_and_retries(tmp_path: Path) -> None:
    """A held transfer is set aside by name, and goes on when it is retried."""
    bridge = Bridge(tmp_path)
    bridge.reserve.age = 10_000
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = bridge.chains[BNB].deposit(a_deposit())
        await until(stream.has(Stage.WAITING, Reason.NO_LEASE))
        await order(bus, made, Verb.PARK)
        await until(stream.has(Stage.PARKED, Reason.BY_OPERATOR))
        bridge.reserve.age = 0
        await asyncio.sleep(0.3)
        assert bridge.chains[SOLANA].executed == []

        await order(bus, made, Verb.RETRY)
        await until(stream.has(Stage.DELIVERED))
        await stream.close()


async def test_refunds_go_on_while_deliveries_are_halted(tmp_path: Path) -> None:
    """A halt and missing leases stop deliveries; who is to get shares back, gets them."""
    bridge = Bridge(tmp_path)
    bridge.reserve.age = 10_000
    async with bridge.running() as bus:
        stream = Stream(bus)
        halt = Halt(
            scope=Scope(kind=ScopeKind.GLOBAL),
            reason="tried",
            evidence="",
            raised_at=0,
            raised_by="test",
        )
        value = CONTROL_RECORDS.encode(halt)
        await bus.publish([Out(topic=CONTROL, partition=0, key="", value=value)])
        made = bridge.chains[BNB].deposit(a_deposit())
        await until(stream.has(Stage.WAITING, Reason.HALTED))
        await order(bus, made)
        await until(stream.has(Stage.REFUNDED))
        await stream.close()

    assert bridge.chains[SOLANA].executed == []
    assert is_whole(bridge)


async def test_a_refund_ordered_too_late_closes_as_delivered(tmp_path: Path) -> None:
    """The delivery is under way when the order comes: it lands, and nothing is given back."""
    bridge = Bridge(tmp_path)
    destination = bridge.chains[SOLANA]
    held = asyncio.Event()

    def slow(name: str) -> None:
        if name == "landing" and not held.is_set():
            raise Unavailable(name)

    destination.fault = slow
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = bridge.chains[BNB].deposit(a_deposit())
        await until(lambda: made.id in destination.executed)
        await order(bus, made)
        held.set()
        await until(stream.has(Stage.DELIVERED))
        await asyncio.sleep(0.4)
        await stream.close()

    assert destination.executed == [made.id]
    assert bridge.chains[BNB].refunded == set()
    assert is_whole(bridge)


async def test_a_void_is_refused_where_the_delivery_came_first(tmp_path: Path) -> None:
    """Somebody else submits the signed delivery while the void is drafted: closed as delivered."""
    bridge = Bridge(tmp_path)
    destination = bridge.chains[SOLANA]
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_refused(bridge)
        await until(stream.has(Stage.WAITING, Reason.SUBMISSION_FAILED))

        def overtake(name: str) -> None:
            if name == "broadcast" and stream.has(Stage.READY)():
                destination.deliver(made, "by a stranger")

        destination.fault = overtake
        await order(bus, made)
        await until(stream.has(Stage.DELIVERED))
        await asyncio.sleep(0.3)
        await stream.close()

    assert destination.executed == [made.id]
    assert bridge.chains[BNB].refunded == set()


@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.03, 0.05, 0.08])
async def test_delivery_and_refund_race_and_one_wins(tmp_path: Path, after: float) -> None:
    """Orders at six moments of a delivery's life: each deposit is delivered or refunded, not both."""
    bridge = Bridge(tmp_path)
    destination, source = bridge.chains[SOLANA], bridge.chains[BNB]
    async with bridge.running() as bus:
        made = [source.deposit(a_deposit(number)) for number in range(1, 7)]
        await until(lambda: source.height == 6)
        for one in made:
            await asyncio.sleep(after)
            await order(bus, one)
        await until(
            lambda: all(d.id in source.refunded or d.id in destination.executed for d in made)
        )
        await asyncio.sleep(0.3)

    assert not source.refunded & set(destination.executed)
    assert len(destination.executed) == len(set(destination.executed))
    assert is_whole(bridge)


async def test_a_forged_hand_over_gives_nothing_back(tmp_path: Path) -> None:
    """The source's lane waits under a name for a void that it reads itself; a delivery ends it."""
    bridge = Bridge(tmp_path)
    bridge.reserve.age = 10_000
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = bridge.chains[BNB].deposit(a_deposit())
        await tell(bus, BNB, RefundDue(deposit=made))
        await tell(bus, BNB, RefundDue(deposit=a_deposit(9)))
        await until(stream.has(Stage.WAITING, Reason.NO_LEASE))
        await asyncio.sleep(0.3)
        assert bridge.chains[BNB].refunded == set()
        bridge.reserve.age = 0
        await until(stream.has(Stage.DELIVERED))
        await asyncio.sleep(0.5)
        await stream.close()

    assert bridge.chains[BNB].refunded == set()
    assert is_whole(bridge)


async def test_the_sweep_takes_up_a_refund_that_was_cut_short(tmp_path: Path) -> None:
    """The void is final and the bus is gone: the chains alone say that a refund is owed."""
    bridge = Bridge(tmp_path)
    made = a_refused(bridge)
    bridge.chains[SOLANA].void(made, "the void")
    again = bridge.chains[BNB].deposit(a_deposit(2))
    bridge.chains[SOLANA].void(again, "another void")
    bridge.chains[BNB].refund(again, "given back before")
    async with bridge.running():
        await until(is_refunded(bridge, made))
        await asyncio.sleep(0.5)

    refunds = [fact for fact in bridge.chains[BNB].facts if fact.type == "refund"]
    assert len(refunds) == 2
    assert is_whole(bridge)


async def test_lost_and_failed_transactions_delay_a_refund_only(tmp_path: Path) -> None:
    """A void that reverts, a void that never lands, and the same for the refund."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_refused(bridge)
        await until(stream.has(Stage.WAITING, Reason.SUBMISSION_FAILED))
        for chain in bridge.chains.values():
            chain.drop_next = chain.refuse_next = 1
        await order(bus, made)
        await until(stream.has(Stage.REFUNDED), 30)
        await stream.close()

    assert is_whole(bridge)


async def test_an_order_that_expires_before_its_void_is_given_again(tmp_path: Path) -> None:
    """The destination cannot be drafted for until the order has run out: parked by name, no void."""
    bridge = Bridge(tmp_path)

    def down(name: str) -> None:
        if name == "draft":
            raise Unavailable(name)

    async with bridge.running() as bus:
        stream = Stream(bus)
        made = a_refused(bridge)
        await until(stream.has(Stage.WAITING, Reason.SUBMISSION_FAILED))
        bridge.chains[SOLANA].fault = down
        await tell(bus, SOLANA, await signed_by(a_command(made, seconds=2)))
        await until(stream.has(Stage.PARKED, Reason.ORDER_EXPIRED))
        assert bridge.chains[SOLANA].done == {}

        bridge.chains[SOLANA].fault = FakeChain(chain=SOLANA).fault
        await order(bus, made)
        await until(is_refunded(bridge, made))
        await stream.close()
