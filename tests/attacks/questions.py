"""What a thief asks attesters to sign."""

from __future__ import annotations

import time
from dataclasses import replace

from relayer.domain.address import ChainId
from relayer.domain.draft import SigningRequest
from relayer.domain.records import SIGNING_REQUESTS
from relayer.domain.transfer import ActKind, Deposit
from tests.attacks.claims import delivered_one
from tests.attacks.siege import Siege
from tests.domain.samples import BNB, SOLANA, USER


async def asked(
    siege: Siege,
    made: Deposit,
    kind: ActKind = ActKind.DELIVER,
    chain: ChainId = SOLANA,
    **how: int,
) -> SigningRequest:
    """A request as a lane would make it; the thief can draft as well as anybody."""
    drafter = siege.bridge.drafter(chain)
    dies_at = int(time.time()) + how.get("seconds", 15)
    draft = await drafter.draft(kind, made, dies_at=dies_at, attesters=[])
    return SigningRequest(deposit=made, draft=draft)


async def swapped(siege: Siege) -> None:
    request = await asked(siege, await _waiting(siege))
    await siege.ask(replace(request, draft=replace(request.draft, digest=b"\7" * 32)))


async def for_the_thief(siege: Siege) -> None:
    made = await _waiting(siege)
    await siege.ask(await asked(siege, replace(made, recipient=USER)))


async def _waiting(siege: Siege) -> Deposit:
    siege.deliveries_wait()
    return siege.make()


async def for_nothing(siege: Siege) -> None:
    await siege.ask(await asked(siege, siege.new(height=1)))


async def again(siege: Siege) -> None:
    await siege.ask(await asked(siege, await delivered_one(siege)))


async def to_void(siege: Siege) -> None:
    await siege.ask(await asked(siege, await delivered_one(siege), ActKind.VOID))


async def to_refund(siege: Siege) -> None:
    await siege.ask(await asked(siege, await delivered_one(siege), ActKind.REFUND, BNB))


async def long_lived(siege: Siege) -> None:
    await siege.ask(await asked(siege, await _waiting(siege), seconds=3600))


async def over(siege: Siege) -> None:
    await siege.ask(await asked(siege, siege.new(), seconds=-1))


async def elsewhere(siege: Siege) -> None:
    request = await asked(siege, siege.new())
    await siege.ask(replace(request, draft=replace(request.draft, chain=ChainId("eip155:1"))))


async def of_two(siege: Siege) -> None:
    await siege.ask(replace(await asked(siege, siege.new()), deposit=siege.new()))


async def garbage(siege: Siege) -> None:
    await siege.write(SIGNING_REQUESTS, b"{", b'{"type":"signing_request"}', b"\x00" * 50)
