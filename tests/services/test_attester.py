"""What an attester looks at before it signs: each look alone, with nothing else wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.amount import Shares
from relayer.domain.authority import Signed
from relayer.domain.command import Command, Verb
from relayer.domain.distrust import Decline
from relayer.domain.draft import Attestation, Draft, SigningRequest, payload_digest
from relayer.domain.errors import DraftRefused
from relayer.domain.gate import CONTROL_RECORDS
from relayer.domain.halt import Halt, Scope, ScopeKind
from relayer.domain.reasons import Reason
from relayer.domain.records import INBOX, inbox
from relayer.domain.transfer import ActKind, Deposit, Location, Receipt, ReceiptKind, TransferId
from relayer.ports.bus import Out
from relayer.services.attester.attester import Attester, Post, binding_of
from relayer.services.attester.journal import Journal
from relayer.services.gatekeeper import Gatekeeper
from relayer.services.vouching import Voucher
from tests.domain.gates import NOW, OPERATOR, a_gate, a_lease, give
from tests.domain.samples import BNB, ID, SOLANA, SOLANA_USER, USER, deposit
from tests.services.bridge import ATTESTERS, KEEPER, PAIR, topics
from tests.services.fake_chain import FakeChain
from tests.services.fakes import FakeDrafter, FakeReader
from tests.services.orders import signed_by
from tests.services.silence import Silence

NOWHERE = {"destination": None, "flaw": Reason.MEMO_MALFORMED}
OTHER = TransferId(b"\x08" * 32)
HALT = Halt(scope=Scope(kind=ScopeKind.GLOBAL), reason="r", evidence="", raised_at=1, raised_by="m")


class Still:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s here")


@dataclass(slots=True)
class Desk:
    """One attester over two chains in memory, whose gate is open."""

    attester: Attester
    chains: dict[ChainId, FakeChain]
    gatekeeper: Gatekeeper
    journal: Journal
    clock: Still

    async def draft(self, kind: ActKind, made: Deposit, dies_at: int = int(NOW) + 20) -> Draft:
        """An honest draft of an act."""
        place = made.source if kind is ActKind.REFUND else SOLANA
        drafter = FakeDrafter(self.chains[place], ATTESTERS, 2)
        return await drafter.draft(kind, made, dies_at=dies_at, attesters=[])

    async def request(
        self, kind: ActKind = ActKind.DELIVER, order: Signed | None = None, **changes: object
    ) -> SigningRequest:
        """A request that is right, about a deposit that stands on its chain."""
        made = self.chains[BNB].deposit(deposit(**changes))
        return SigningRequest(deposit=made, draft=await self.draft(kind, made), order=order)

    async def declines(self, request: SigningRequest) -> Decline:
        """Why the attester does not sign."""
        with pytest.raises(DraftRefused) as refused:
            await self.attester.attest(request)
        return refused.value.why

    def halt(self) -> None:
        self.gatekeeper.gate.fold_control(CONTROL_RECORDS.encode(HALT), NOW, 1)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The attester."""
    one = await _desk(tmp_path)
    with closing(one.journal):
        yield one


async def _desk(directory: Path, quarantine: float = 0.0, born: float = 1_000.0) -> Desk:
    clock, chains = Still(), {c: FakeChain(chain=c, started=2_000.0) for c in PAIR}
    bus = SqliteBus(directory / "bus.db", topics())
    gatekeeper = Gatekeeper(bus, a_gate().policy, Silence())
    await give(gatekeeper.gate, a_lease())
    journal = Journal(directory / "journal.db", "one", born)
    attester = Attester(
        bus=bus,
        readers={c: FakeReader(world) for c, world in chains.items()},
        posts={
            c: Post(drafter=FakeDrafter(world, ATTESTERS, 2), signer=ATTESTERS[0], lanes=1)
            for c, world in chains.items()
        },
        journal=journal,
        gatekeeper=gatekeeper,
        clock=clock,
        observer=Silence(),
        voucher=Voucher(KEEPER, clock),
        quarantine=quarantine,
    )
    return Desk(attester, chains, gatekeeper, journal, clock)


async def _order(transfer: TransferId = ID, expires_at: int = int(NOW) + 60) -> Signed:
    command = Command(
        command=bytes(32),
        verb=Verb.REFUND,
        transfer=transfer,
        chain=SOLANA,
        reason="stuck",
        issued_at=int(NOW),
        expires_at=expires_at,
    )
    return await signed_by(command, OPERATOR)


def _void(desk: Desk) -> None:
    desk.chains[SOLANA].done[ID] = Receipt(kind=ReceiptKind.VOIDED)


def _verified(desk: Desk, out: Out, made: Deposit, kind: ActKind, draft: Draft) -> bool:
    answer = INBOX.decode(out.value or b"")
    assert isinstance(answer, Attestation)
    drafter = FakeDrafter(desk.chains[draft.chain], ATTESTERS, 2)
    payload = drafter.payload(kind, made, draft.terms)
    assert (answer.id, answer.digest) == (made.id, payload_digest(payload))
    return drafter.verifies(payload, answer)


async def test_what_is_right_is_signed_and_bound(desk: Desk) -> None:
    """The answer goes to the lane that asked, and the journal has the id from then on."""
    request = await desk.request()

    out = await desk.attester.attest(request)

    assert (out.topic, out.partition, out.key) == (inbox(SOLANA), 0, ID.hex())
    assert _verified(desk, out, request.deposit, ActKind.DELIVER, request.draft)
    other = binding_of(ActKind.DELIVER, SOLANA, replace(request.deposit, shares=Shares(1)))
    assert desk.journal.bind([other]) != [None]


async def test_what_is_ordered_is_signed_whatever_the_gate_says(desk: Desk) -> None:
    """A void under its order; the refund after it under none, once the void is final."""
    desk.halt()
    request = await desk.request(ActKind.VOID, await _order())
    voided = await desk.attester.attest(request)
    assert _verified(desk, voided, request.deposit, ActKind.VOID, request.draft)
    _void(desk)
    refund = await desk.draft(ActKind.REFUND, request.deposit)

    refunded = await desk.attester.attest(SigningRequest(deposit=request.deposit, draft=refund))

    assert refunded.topic == inbox(BNB)
    assert _verified(desk, refunded, request.deposit, ActKind.REFUND, refund)


async def test_what_has_no_destination_is_refunded_under_an_order_alone(desk: Desk) -> None:
    """There is nothing to void; without the order there is no right."""
    request = await desk.request(ActKind.REFUND, await _order(), **NOWHERE)

    assert await desk.declines(replace(request, order=None)) is Decline.NO_ORDER
    out = await desk.attester.attest(request)
    assert _verified(desk, out, request.deposit, ActKind.REFUND, request.draft)


async def test_a_lie_about_the_deposit_is_not_signed(desk: Desk) -> None:
    """Another amount or recipient, another place, another id: the chain has the word."""
    request = await desk.request()
    dearer = replace(request.deposit, shares=Shares(2 * request.deposit.shares))
    thief = replace(request.deposit, recipient=USER)
    for lie in (dearer, thief):
        asked = SigningRequest(deposit=lie, draft=await desk.draft(ActKind.DELIVER, lie))
        assert await desk.declines(asked) is Decline.OTHER_DRAFT
    elsewhere = replace(request.deposit, location=Location(tx="0xbb", index=1))
    assert await desk.declines(replace(request, deposit=elsewhere)) is Decline.NOT_ON_CHAIN
    unknown = replace(request.deposit, id=OTHER)
    asked = SigningRequest(deposit=unknown, draft=await desk.draft(ActKind.DELIVER, unknown))
    assert await desk.declines(asked) is Decline.NOT_ON_CHAIN
    two = replace(request, draft=replace(request.draft, id=OTHER))
    assert await desk.declines(two) is Decline.NOT_SERVED


async def test_a_digest_that_is_not_the_payloads_is_not_signed(desk: Desk) -> None:
    """Whoever asks must know what he gets."""
    request = await desk.request()
    swapped = replace(request, draft=replace(request.draft, digest=bytes(32)))

    assert await desk.declines(swapped) is Decline.OTHER_DRAFT


async def test_an_act_that_the_deposit_does_not_call_for_is_not_signed(desk: Desk) -> None:
    """A flawed one is never delivered; a delivery has its place on the destination alone."""
    flawed = await desk.request(flaw=Reason.MEMO_MALFORMED)
    assert await desk.declines(flawed) is Decline.OTHER_ACT
    honest = await desk.request(id=OTHER, location=Location(tx="0xbb", index=1))
    at_home = replace(honest, draft=replace(honest.draft, chain=BNB))

    assert await desk.declines(at_home) is Decline.OTHER_ACT


async def test_terms_that_outlive_the_lease_or_its_epoch_are_not_signed(desk: Desk) -> None:
    """The lease ends after 30 seconds, and a signature that lives on would outlast a halt."""
    request = await desk.request()
    long = await desk.draft(ActKind.DELIVER, request.deposit, int(NOW) + 31)
    assert await desk.declines(replace(request, draft=long)) is Decline.TERMS
    longest = await desk.draft(ActKind.DELIVER, request.deposit, int(NOW) + 30)
    await desk.attester.attest(replace(request, draft=longest))
    desk.chains[SOLANA].epoch += 1

    assert await desk.declines(request) is Decline.TERMS


async def test_nothing_is_delivered_past_a_closed_gate(desk: Desk) -> None:
    """A halt, or no lease any more."""
    request = await desk.request()
    desk.clock.at = NOW + 30
    assert await desk.declines(request) is Decline.GATE_CLOSED
    desk.clock.at = NOW
    desk.halt()

    assert await desk.declines(request) is Decline.GATE_CLOSED


async def test_a_gate_that_closes_during_the_reads_is_seen(desk: Desk) -> None:
    """The last look is right before the signature."""
    request = await desk.request()
    desk.chains[SOLANA].fault = lambda name: desk.halt() if name == "receipts" else None

    assert await desk.declines(request) is Decline.GATE_CLOSED


@pytest.mark.parametrize("kind", ReceiptKind)
async def test_what_has_a_receipt_is_neither_delivered_nor_voided(
    desk: Desk, kind: ReceiptKind
) -> None:
    """Whatever it says, it is the end on the destination."""
    desk.chains[SOLANA].done[ID] = Receipt(kind=kind)
    request = await desk.request()
    void = await desk.draft(ActKind.VOID, request.deposit)

    assert await desk.declines(request) is Decline.RECEIPT
    asked = SigningRequest(deposit=request.deposit, draft=void, order=await _order())
    assert await desk.declines(asked) is Decline.RECEIPT


async def test_only_what_is_void_is_refunded_and_once(desk: Desk) -> None:
    """Open or delivered it is not given back, and what was given back is not again."""
    request = await desk.request(ActKind.REFUND, await _order())
    assert await desk.declines(request) is Decline.RECEIPT
    desk.chains[SOLANA].done[ID] = Receipt(kind=ReceiptKind.DELIVERED)
    assert await desk.declines(request) is Decline.RECEIPT
    _void(desk)
    desk.chains[BNB].refunded.add(ID)

    assert await desk.declines(request) is Decline.RECEIPT


async def test_what_was_given_back_is_not_delivered_where_no_gateway_counted_it(desk: Desk) -> None:
    """It may have been refunded as flawed, under older settings."""
    desk.chains[BNB].refunded.add(ID)

    assert await desk.declines(await desk.request()) is Decline.RECEIPT
    counted = await desk.request(id=OTHER, gateway=b"\1" * 32, location=Location(tx="b", index=1))
    desk.chains[BNB].refunded.add(OTHER)
    await desk.attester.attest(counted)  # such a gateway refunds nothing that is not void


@pytest.mark.parametrize(
    "order",
    [None, lambda: _order(OTHER), lambda: _order(expires_at=int(NOW))],
    ids=["none", "of another transfer", "expired"],
)
async def test_a_void_needs_the_operators_word_about_it(
    desk: Desk, order: Callable[[], Awaitable[Signed]] | None
) -> None:
    """None, one about another transfer, or one that is over gives no right."""
    request = await desk.request(ActKind.VOID, await order() if order else None)

    assert await desk.declines(request) is Decline.NO_ORDER


async def test_what_is_bound_otherwise_is_not_signed(desk: Desk) -> None:
    """Another amount was signed under this id, whoever made that so."""
    request = await desk.request()
    lie = replace(request.deposit, shares=Shares(1))
    desk.journal.bind([binding_of(ActKind.DELIVER, SOLANA, lie)])

    assert await desk.declines(request) is Decline.BOUND


async def test_a_new_journal_signs_nothing_and_then_asks_all_chains(tmp_path: Path) -> None:
    """What a lost one may have signed could land until then, or may have landed elsewhere."""
    desk = await _desk(tmp_path, quarantine=60.0, born=NOW - 59.0)
    request = await desk.request()
    assert await desk.declines(request) is Decline.YOUNG_JOURNAL
    desk.clock.at = NOW + 1.0
    desk.chains[BNB].done[ID] = Receipt(kind=ReceiptKind.DELIVERED)
    assert await desk.declines(request) is Decline.RECEIPT
    del desk.chains[BNB].done[ID]

    await desk.attester.attest(request)
    desk.journal.close()


def test_a_binding_is_of_all_that_is_paid_and_nothing_else() -> None:
    """Terms change with each draft; id, chain, who gets it, how much and of what do not."""
    plain = deposit()
    bound = binding_of(ActKind.DELIVER, SOLANA, plain)
    others = [
        replace(plain, recipient=USER),
        replace(plain, shares=Shares(1)),
        replace(plain, asset="AAPLx"),
    ]

    assert binding_of(ActKind.DELIVER, SOLANA, replace(plain, refund_to=SOLANA_USER)) == bound
    assert len({binding_of(ActKind.DELIVER, SOLANA, one) for one in [plain, *others]}) == 4
    refund = binding_of(ActKind.REFUND, BNB, plain)
    assert binding_of(ActKind.REFUND, BNB, replace(plain, refund_to=SOLANA_USER)) != refund
    assert binding_of(ActKind.REFUND, BNB, replace(plain, recipient=USER)) == refund
