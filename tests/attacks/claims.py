"""What a thief tells a lane."""

from __future__ import annotations

from dataclasses import replace

from relayer.domain.amount import Shares
from relayer.domain.command import Verb
from relayer.domain.draft import Attestation, SigningRequest
from relayer.domain.records import INBOX, RefundDue, inbox
from relayer.domain.transfer import Deposit
from relayer.signing.local import Ed25519Signer
from tests.attacks.siege import Siege
from tests.domain.samples import BNB, SOLANA, USER, delivery, void
from tests.services.bridge import ATTESTERS, MONITOR
from tests.services.orders import a_command, signed_by

LANE = inbox(SOLANA)
THIEF = Ed25519Signer(b"\x66" * 32)


async def invented(siege: Siege) -> None:
    await siege.claim(siege.new(height=1))


async def reorged(siege: Siege) -> None:
    height = siege.bridge.chains[BNB].height
    await siege.claim(siege.new(height=max(height, 1)))


async def another_amount(siege: Siege) -> None:
    made = siege.make()
    await siege.claim(*[replace(made, shares=Shares(10**22))] * 3)


async def another_recipient(siege: Siege) -> None:
    made = siege.make()
    await siege.claim(*[replace(made, recipient=USER)] * 3)


async def delivered_one(siege: Siege) -> Deposit:
    if not siege.honest:
        await siege.serves()
    there = siege.bridge.chains[SOLANA].done
    return next(made for made in siege.honest if made.id in there)


async def replayed(siege: Siege) -> None:
    await siege.claim(await delivered_one(siege))


async def misplaced(siege: Siege) -> None:
    await siege.claim(siege.new(source=SOLANA, destination=BNB))


async def open_one(siege: Siege) -> Deposit:
    """A deposit that stays open for a moment: no attester can read its terms."""
    siege.attesters_wait()
    return siege.make()


async def delivered(siege: Siege) -> None:
    made = await open_one(siege)
    for _ in range(3):
        await siege.claim(delivery(made))
        await siege.moment()


async def voided(siege: Siege) -> None:
    made = await open_one(siege)
    for _ in range(3):
        await siege.claim(void(made))
        await siege.moment()


async def delivered_before(siege: Siege) -> None:
    await siege.claim(delivery(siege.new()), void(siege.new()))


async def due(siege: Siege) -> None:
    await siege.claim(RefundDue(deposit=siege.new(height=1)), chain=BNB)
    await siege.claim(replace(siege.new(height=1)))


async def due_again(siege: Siege) -> None:
    again = await delivered_one(siege)
    await siege.claim(RefundDue(deposit=again), chain=BNB)
    await siege.claim(again)


def _signature(request: SigningRequest, signer: Ed25519Signer, made: bytes) -> Attestation:
    draft = request.draft
    return Attestation(id=draft.id, digest=draft.digest, attester=signer.public, signature=made)


async def _signing(siege: Siege) -> SigningRequest | None:
    """The request of a Transfer that waits for its signatures now."""
    await open_one(siege)
    await siege.moment()
    return siege.newest_request()


async def garbage_signature(siege: Siege) -> None:
    if request := await _signing(siege):
        await siege.claim(*(_signature(request, one, b"\2" * 64) for one in ATTESTERS))


async def removed(siege: Siege) -> None:
    if request := await _signing(siege):
        good = await THIEF.sign(request.draft.digest)
        await siege.claim(_signature(request, THIEF, good))


async def other_draft(siege: Siege) -> None:
    if request := await _signing(siege):
        other = replace(_signature(request, ATTESTERS[0], b"\2" * 64), digest=b"\5" * 32)
        await siege.claim(other)


async def replayed_signature(siege: Siege) -> None:
    await delivered_one(siege)
    known = [
        r.value for r in siege.seen if r.topic == LANE and b'"attestation"' in (r.value or b"")
    ]
    await siege.write(LANE, *known[:3])


async def unordered(siege: Siege) -> None:
    await siege.claim(await signed_by(a_command(siege.new()), THIEF))


async def by_monitor(siege: Siege) -> None:
    await siege.claim(await signed_by(a_command(siege.new()), MONITOR))


async def expired_order(siege: Siege) -> None:
    await siege.claim(await signed_by(a_command(siege.new(), seconds=-1)))


async def replayed_order(siege: Siege) -> None:
    """The operator's own word, recorded: the second time it means nothing."""
    siege.drafts_wait()
    made = siege.make()
    await siege.moment()
    order = await signed_by(a_command(made, Verb.RETRY))
    for _ in range(2):
        await siege.claim(order)
        await siege.moment()


async def closed_order(siege: Siege) -> None:
    await siege.claim(await signed_by(a_command(await delivered_one(siege), Verb.PARK)))


async def future(siege: Siege) -> None:
    await siege.write(LANE, b'{"type":"attestation","v":2,"id":"00","new":[]}')


async def garbage(siege: Siege) -> None:
    await siege.write(
        LANE, b"{", b"\xff" * 100, b"null", b"[]", b'"\\ud800"', '{"type":"dépôt"}'.encode(), b"0"
    )


async def large(siege: Siege) -> None:
    await siege.write(LANE, b"x" * 990_000, b"[" * 300_000)


async def nested(siege: Siege) -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    await siege.write(LANE, deep, b"[" * 10_000 + b"]" * 10_000)


async def numbers(siege: Siege) -> None:
    text = INBOX.encode(siege.new())
    values = [b"1e999", b"NaN", b"9" * 400, b"-1e400"]
    await siege.write(LANE, *(text.replace(b'"time":1000', b'"time":' + one) for one in values))


async def nothing(siege: Siege) -> None:
    await siege.write(LANE, None, b"")
