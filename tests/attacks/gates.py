"""What a thief says of leases, halts and the public stream."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from relayer.domain.authority import SIGNED, Role, Signed, to_sign
from relayer.domain.gate import (
    CONTROL_RECORDS,
    LEASE,
    MONITOR_WORDS,
    RESUME,
    SUPPLY_RECORDS,
    Lease,
    Resume,
    Verdict,
)
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.records import (
    CONTROL,
    SIGNING_REQUESTS,
    SUPPLY,
    TRANSFERS,
    TRANSFERS_TOPIC,
    inbox,
)
from relayer.signing.local import Ed25519Signer
from tests.attacks.claims import THIEF
from tests.attacks.siege import Siege
from tests.domain.samples import SOLANA
from tests.services.bridge import MONITOR, OPERATOR
from tests.services.test_tracker import told

NAMES = {
    "inbox": inbox(SOLANA),
    "signing.requests": SIGNING_REQUESTS,
    "supply": SUPPLY,
    "control": CONTROL,
    "transfers": TRANSFERS_TOPIC,
}


async def signed(body: str, signer: Ed25519Signer, role: Role) -> Signed:
    """An envelope with a true signature of that key under that role."""
    signature = await signer.sign(to_sign(role, body))
    return Signed(role=role, key=signer.public, body=body, signature=signature)


def a_lease(seconds: int = 30) -> Lease:
    now = int(time.time())
    return Lease(
        asset="TSLAx",
        sequence=2**50,
        issued_at=now,
        expires_at=now + seconds,
        heights={},
        times={"eip155:56": now},
        multiplier=10**18,
    )


async def _lend(siege: Siege, signer: Ed25519Signer, role: Role) -> None:
    body = LEASE.encode(a_lease()).decode()
    await siege.write(SUPPLY, SUPPLY_RECORDS.encode(await signed(body, signer, role)))


async def strange_lease(siege: Siege) -> None:
    await _lend(siege, THIEF, Role.MONITOR)


async def other_role(siege: Siege) -> None:
    await _lend(siege, OPERATOR, Role.OPERATOR)
    await _lend(siege, OPERATOR, Role.MONITOR)


def recorded(siege: Siege, kind: type[Lease | Verdict] = Lease) -> list[Signed]:
    """What the monitor signed of a kind, as a thief has read it."""
    values = [r.value or b"" for r in siege.seen if r.topic == SUPPLY and r.key == "TSLAx"]
    envelopes = [SIGNED.decode(value) for value in values]
    return [one for one in envelopes if isinstance(MONITOR_WORDS.decode(one.body.encode()), kind)]


def changed(said: Signed, **fields: object) -> bytes:
    """A monitor's word with other fields under its old signature."""
    body = json.dumps(json.loads(said.body) | fields)
    return SUPPLY_RECORDS.encode(replace(said, body=body))


async def moved_lease(siege: Siege) -> None:
    for lease in recorded(siege)[-1:]:
        await siege.write(SUPPLY, changed(lease, expires_at=int(time.time()) + 3600))


async def replayed_lease(siege: Siege) -> None:
    await siege.write(SUPPLY, *map(SUPPLY_RECORDS.encode, recorded(siege)[:3]))


def a_reading(why: Reason = Reason.HALTED) -> Verdict:
    """What a thief would have the monitor say."""
    return Verdict(
        asset="TSLAx",
        at=time.time(),
        monitor=MONITOR.public.hex(),
        snapshots=(),
        k={},
        outstanding=None,
        in_flight=0,
        reserve=None,
        findings=(),
        withheld=why,
        sequence=2**50,
    )


def unsigned_reading(why: Reason = Reason.HALTED) -> bytes:
    """As monitors wrote them before they signed them."""
    return SUPPLY_RECORDS.encode(a_reading(why))


async def forged_reading(signer: Ed25519Signer, why: Reason = Reason.HALTED) -> bytes:
    """Signed, but not by the monitor that it names."""
    body = MONITOR_WORDS.encode(a_reading(why)).decode()
    return SUPPLY_RECORDS.encode(await signed(body, signer, Role.MONITOR))


async def nobodys_reading(siege: Siege) -> None:
    await siege.write(SUPPLY, unsigned_reading())


async def strange_reading(siege: Siege) -> None:
    await siege.write(SUPPLY, await forged_reading(THIEF))


async def changed_reading(siege: Siege) -> None:
    for reading in recorded(siege, Verdict)[-1:]:
        await siege.write(SUPPLY, changed(reading, withheld="halted", sequence=2**50))


async def replayed_reading(siege: Siege) -> None:
    await siege.write(SUPPLY, *map(SUPPLY_RECORDS.encode, recorded(siege, Verdict)[:3]))


async def garbage_supply(siege: Siege) -> None:
    await siege.write(SUPPLY, b"{", b'{"type":"verdict","v":1}')


def a_resume(*halts: bytes, seconds: int = 60) -> Resume:
    now = int(time.time())
    return Resume(
        command=b"\1" * 32,
        halts=halts,
        reason="theft",
        issued_at=now,
        expires_at=now + seconds,
    )


async def resume(siege: Siege, one: Resume, signer: Ed25519Signer = OPERATOR) -> bytes:
    """Publish a resume; its bytes, for whoever replays them."""
    body = RESUME.encode(one).decode()
    value = CONTROL_RECORDS.encode(await signed(body, signer, Role.OPERATOR))
    await siege.write(CONTROL, value)
    return value


def a_halt(kind: ScopeKind = ScopeKind.ASSET, name: str = "TSLAx", reason: str = "theft") -> Halt:
    scope = Scope(kind=kind, name=name)
    return Halt(scope=scope, reason=reason, evidence="", raised_at=1, raised_by="thief")


async def strange_resume(siege: Siege) -> None:
    await resume(siege, a_resume(b"\1" * 32), THIEF)
    await resume(siege, a_resume(b"\1" * 32), MONITOR)


async def expired_resume(siege: Siege) -> None:
    await resume(siege, a_resume(b"\1" * 32, seconds=-5))


async def replayed_resume(siege: Siege) -> None:
    """A halt is raised and lifted; the operator's word, told again, lifts nothing more."""
    halt = a_halt(reason=f"drill {time.time()}")
    await siege.write(CONTROL, CONTROL_RECORDS.encode(halt))
    value = await resume(siege, a_resume(halt.digest))
    await siege.write(CONTROL, value)


async def strange_halt(siege: Siege) -> None:
    await siege.write(CONTROL, CONTROL_RECORDS.encode(a_halt(name="EVIL")))


async def garbage_control(siege: Siege) -> None:
    await siege.write(CONTROL, b"[]", b'{"type":"halt","v":1,"scope":{}}')


async def timeless_fact(siege: Siege) -> None:
    await siege.write(TRANSFERS_TOPIC, TRANSFERS.encode(told(9, at=9e15)))


async def coming_fact(siege: Siege) -> None:
    """It would stand first in every list for years."""
    await siege.write(TRANSFERS_TOPIC, TRANSFERS.encode(told(9, at=time.time() + 10**8)))


async def garbage_fact(siege: Siege) -> None:
    await siege.write(TRANSFERS_TOPIC, b"{}", b'{"type":"transfer","v":1}')
