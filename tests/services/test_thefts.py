"""Whoever has stolen a key, and may write to the bus as well: what that is worth, and what not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.command import Verb
from relayer.domain.draft import Attestation, SigningRequest
from relayer.domain.errors import Unavailable
from relayer.domain.gate import LEASE, SUPPLY_RECORDS, GatePolicy, Lease
from relayer.domain.records import (
    INBOX,
    REQUESTS,
    SIGNING_REQUESTS,
    SUPPLY,
    TRANSFERS,
    TRANSFERS_TOPIC,
    inbox,
    state,
)
from relayer.domain.stage import Stage
from relayer.domain.supply import SKEW
from relayer.domain.transfer import Deposit, Location
from relayer.ports.bus import Out, Record
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA
from tests.services.bridge import (
    ATTESTERS,
    KEEPER,
    MONITOR,
    OPERATOR,
    Bridge,
    topics,
    until,
)
from tests.services.fakes import FakeReader
from tests.services.orders import a_command, a_deposit, signed_by, tell


async def _lend(bus: SqliteBus, signer: Ed25519Signer = MONITOR) -> None:
    """A lease that the thief of a monitor's key has written, over times of his own."""
    now = int(time.time())
    lease = Lease(
        asset="TSLAx",
        sequence=int(time.time() * 1000) + 1,
        issued_at=now,
        expires_at=now + 60,
        heights={},
        times={BNB: now, SOLANA: now},
        multiplier=10**18,
    )
    body = LEASE.encode(lease).decode()
    signature = await signer.sign(to_sign(Role.MONITOR, body))
    signed = Signed(role=Role.MONITOR, key=signer.public, body=body, signature=signature)
    await bus.publish([Out(topic=SUPPLY, partition=0, key="", value=SUPPLY_RECORDS.encode(signed))])


async def test_a_stolen_monitor_key_opens_no_halted_asset(tmp_path: Path) -> None:
    """A forged delivery stands on chain: the honest monitor latches, and no lease lifts a halt."""
    bridge = Bridge(tmp_path)
    bridge.reserve.stock = 10**26
    bridge.chains[SOLANA].started -= 2 * SKEW
    bridge.chains[SOLANA].deliver(a_deposit(77), "forged")
    async with bridge.running() as bus:
        await until(lambda: bool(bridge.observer.halts))
        bridge.chains[BNB].deposit(a_deposit(1))
        for _ in range(10):
            await _lend(bus)
            await asyncio.sleep(0.05)

    assert len(bridge.chains[SOLANA].executed) == 1


async def test_one_stolen_monitor_key_of_two_opens_nothing(tmp_path: Path) -> None:
    """Where two monitors must agree and one withholds, the other's key is worth nothing."""
    bridge = Bridge(tmp_path)
    second = Ed25519Signer(b"\x44" * 32)
    keys = frozenset({MONITOR.public, second.public})
    bridge.policy = GatePolicy(monitors=keys, operators=bridge.policy.operators, needed=2)
    bridge.reserve.age = 10_000  # the honest one withholds
    async with bridge.running() as bus:
        bridge.chains[BNB].deposit(a_deposit(1))
        for _ in range(10):
            await _lend(bus, second)
            await asyncio.sleep(0.05)

    assert bridge.chains[SOLANA].executed == []


async def _asked(bus: SqliteBus) -> SigningRequest:
    async with aclosing(bus.follow(SIGNING_REQUESTS, None)) as requests:
        return REQUESTS.decode((await anext(requests)).value or b"")


async def test_one_stolen_attester_key_is_one_signature_however_often(tmp_path: Path) -> None:
    """Over the true payload, twice, and with others' names put under it: no quorum comes of it."""
    bridge = Bridge(tmp_path)
    async with bridge.running(attesters=False) as bus:
        made = bridge.chains[BNB].deposit(a_deposit(1))
        drafter = bridge.drafter(SOLANA)
        for _ in range(5):
            request = await _asked(bus)
            payload = drafter.payload(request.draft.kind, made, request.draft.terms)
            signature = await ATTESTERS[0].sign(payload)
            for name in (ATTESTERS[0], ATTESTERS[0], ATTESTERS[1], ATTESTERS[2]):
                one = Attestation(
                    id=made.id,
                    digest=request.draft.digest,
                    attester=name.public,
                    signature=signature,
                )
                value = INBOX.encode(one)
                await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="k", value=value)])
            await asyncio.sleep(0.05)

    assert bridge.chains[SOLANA].executed == []


async def test_a_stolen_state_secret_delivers_nothing_that_was_not_deposited(
    tmp_path: Path,
) -> None:
    """Vouched claims and requests are looked at first, and read on the chains all the same."""
    bridge = Bridge(tmp_path)
    async with bridge.running() as bus:
        bridge.chains[BNB].deposit(a_deposit(1))
        await until(lambda: len(bridge.chains[SOLANA].executed) == 1)
        forged = replace(a_deposit(2), height=1)
        draft = await bridge.drafter(SOLANA).draft(
            (await _asked(bus)).draft.kind, forged, dies_at=int(time.time()) + 15, attesters=[]
        )
        request = REQUESTS.encode(SigningRequest(deposit=forged, draft=draft))
        outs = [
            Out(topic=inbox(SOLANA), partition=0, key="k", value=INBOX.encode(forged)),
            Out(topic=SIGNING_REQUESTS, partition=0, key="k", value=request),
        ]
        await bus.publish(bridge.voucher.vouch(outs))
        await until(lambda: "no such deposit" in str(bridge.observer.declines))

    assert len(bridge.chains[SOLANA].executed) == 1


async def test_what_a_stolen_state_secret_hides_is_found_once_the_state_is_deleted(
    tmp_path: Path,
) -> None:
    """A genuine mark says that all is closed, the open Transfer is gone: the remedy is in the docs."""
    bridge = Bridge(tmp_path)
    async with bridge.running(attesters=False) as bus:
        made = bridge.chains[BNB].deposit(a_deposit(1))
        await _asked(bus)
    place = KEEPER.at(f"{SOLANA} 0 of 1")
    await _overwrite(
        tmp_path,
        {
            f"transfer/{made.id.hex()}": None,
            f"sweep/{BNB}": place.seal(f"sweep/{BNB}", b"1000000"),
        },
    )
    async with bridge.running():
        await asyncio.sleep(0.6)
        assert bridge.chains[SOLANA].executed == []
    await _overwrite(tmp_path, {f"sweep/{BNB}": None})

    async with bridge.running():
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])


async def _overwrite(directory: Path, values: dict[str, bytes | None]) -> None:
    topic = state("relayer", SOLANA)
    async with SqliteBus(directory / "bus.db", topics()) as bus:
        await bus.publish(
            [Out(topic=topic, partition=0, key=key, value=v) for key, v in values.items()]
        )


async def test_an_order_whose_memory_was_deleted_does_what_the_operator_once_wanted(
    tmp_path: Path,
) -> None:
    """Parked, retried, and parked again by the old word: the next retry ends it."""
    bridge = Bridge(tmp_path)
    bridge.chains[SOLANA].fault = _no_drafts
    async with bridge.running() as bus:
        made = bridge.chains[BNB].deposit(a_deposit(1))
        park = a_command(made, Verb.PARK)
        word = await signed_by(park, OPERATOR)
        await _told(bus, Stage.WAITING)
        await tell(bus, SOLANA, word)
        await _told(bus, Stage.PARKED)
        await tell(bus, SOLANA, await signed_by(a_command(made, Verb.RETRY)))
        await _told(bus, Stage.SEEN, 2)
    await _overwrite(tmp_path, {f"command/{park.command.hex()}": None})
    async with bridge.running() as bus:
        await tell(bus, SOLANA, word)
        await _told(bus, Stage.PARKED, 2)
        bridge.chains[SOLANA].fault = lambda _: None
        await tell(bus, SOLANA, await signed_by(a_command(made, Verb.RETRY)))
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])


def _no_drafts(name: str) -> None:
    if name == "draft":
        raise Unavailable(name)


async def _told(bus: SqliteBus, stage: Stage, times: int = 1) -> None:
    async with asyncio.timeout(20), aclosing(bus.follow(TRANSFERS_TOPIC, None)) as facts:
        async for record in facts:
            times -= TRANSFERS.decode(record.value or b"").stage is stage
            if times <= 0:
                return


async def test_a_lease_that_was_taken_back_is_not_good_again(tmp_path: Path) -> None:
    """Recorded while it was good, told again after the monitor withheld: refused as old."""
    bridge = Bridge(tmp_path)
    seen: list[Record] = []
    async with bridge.running() as bus:
        first = bridge.chains[BNB].deposit(a_deposit(1))
        await until(lambda: bridge.chains[SOLANA].executed == [first.id])
        async with aclosing(bus.follow(SUPPLY, None)) as readings:
            while not seen or rb'"type\":\"lease' not in (seen[-1].value or b""):
                seen.append(await anext(readings))
        bridge.chains[BNB].multiplier = 2 * 10**18
        await asyncio.sleep(0.3)
        bridge.chains[BNB].deposit(a_deposit(2))
        for _ in range(10):
            await bus.publish([Out(topic=SUPPLY, partition=0, key="", value=seen[-1].value)])
            await asyncio.sleep(0.05)
        assert bridge.chains[SOLANA].executed == [first.id]

    assert "not newer" in str(bridge.observer.refusals)


class Lying(FakeReader):
    """An endpoint of a lane in the pay of the thief: it confirms one deposit that nobody made."""

    forged = replace(a_deposit(9), height=1)

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The thief's, or what is there."""
        if location == self.forged.location:
            return [self.forged]
        return await super().deposit_at(location, height)


class LiedTo(Bridge):
    """A bridge whose lanes read with that endpoint alone; attesters have their own."""

    def lane_reads(self) -> Mapping[ChainId, FakeReader]:
        """What lanes read with."""
        return {chain: Lying(world) for chain, world in self.chains.items()}


async def test_a_claim_that_a_lanes_own_endpoint_confirms_gets_no_signature(
    tmp_path: Path,
) -> None:
    """The thief has the relayer's credential and the relayer's endpoint: attesters see nothing."""
    bridge = LiedTo(tmp_path)
    async with bridge.running() as bus:
        made = bridge.chains[BNB].deposit(a_deposit(1))
        value = INBOX.encode(Lying.forged)
        await bus.publish([Out(topic=inbox(SOLANA), partition=0, key="k", value=value)])
        await until(lambda: bridge.chains[SOLANA].executed == [made.id])
        await until(lambda: "no such deposit" in str(bridge.observer.declines))

    assert bridge.chains[SOLANA].executed == [made.id]
