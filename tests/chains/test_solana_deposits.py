"""Deposits as people make them on Solana, good and bad, each made on a chain."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.chains.solana import programs, tokens
from relayer.chains.solana.programs import token_account
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import LandingKind
from relayer.domain.errors import Rejected
from relayer.domain.memo import write_memo
from relayer.domain.reasons import Reason
from relayer.domain.transfer import NOWHERE, ActKind, Deposit, Refund
from tests.chains.harness import fresh_account
from tests.chains.solana_world import BNB, TRON, SolanaWorld, solana_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAW = 150_000_000
"""1.5 shares in raw units."""
STRANGER = ChainId("eip155:1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[SolanaWorld]:
    """One bridge for all tests of this file."""
    async with solana_world() as made:
        yield made


class Parts:
    """The instructions that deposits of the world's user are made of."""

    def __init__(self, world: SolanaWorld) -> None:
        self._config = world.config
        self.mints = {place.asset: bytes(place.token) for place in world.config.tokens}
        self.owner = bytes(world.user.pubkey())
        self.vault = bytes(world.config.vaults["AAPLx"])
        self.source = token_account(self.owner, self.mints["TSLAx"])

    def burn(self, raw: int = RAW, *, by: bytes | None = None, beacon: bool = True) -> Instruction:
        extra = (bytes(self._config.beacon),) if beacon else ()
        return programs.burn(self.source, self.mints["TSLAx"], raw, by or self.owner, extra)

    def lock(self, raw: int = RAW, *, beacon: bool = True) -> Instruction:
        mint, extra = self.mints["AAPLx"], (bytes(self._config.beacon),) if beacon else ()
        source = token_account(self.owner, mint)
        return programs.transfer(source, mint, self.vault, raw, self.owner, extra=extra)

    def fee(self, lamports: int = 5_000_000) -> Instruction:
        return programs.pay(self.owner, self._config.fee_collector, lamports)

    def memo(self, text: str | None = None) -> Instruction:
        return programs.memo((text or write_memo(BNB, fresh_account(BNB))).encode())


async def deposits_of(world: SolanaWorld, tx: str) -> Sequence[Deposit]:
    """What the history tells of one transaction once it is final."""
    harness = world.harness(BNB, None)
    await harness.settle()
    reader = world.reader()
    head = await reader.final_head()
    facts = await reader.history(reader.first_height, head.height)
    return [fact for fact in facts if isinstance(fact, Deposit) and fact.location.tx == tx]


async def made(world: SolanaWorld, *instructions: Instruction) -> Sequence[Deposit]:
    """The deposits in a transaction of these instructions."""
    return await deposits_of(world, await world.send(instructions))


@pytest.mark.parametrize("chain", [BNB, TRON])
@pytest.mark.parametrize("mode", ["burn", "lock"])
async def test_a_proper_deposit_has_no_flaw(world: SolanaWorld, chain: ChainId, mode: str) -> None:
    """Burnt or locked, to an EVM or a Tron account: destination and recipient are the memo's."""
    parts, recipient = Parts(world), fresh_account(chain)
    gone = parts.burn() if mode == "burn" else parts.lock()
    [deposit] = await made(world, gone, parts.fee(), parts.memo(write_memo(chain, recipient)))
    assert (deposit.flaw, deposit.destination, deposit.recipient) == (None, chain, recipient)
    assert deposit.shares == RAW * 10**10
    assert deposit.sender == deposit.refund_to == parts.owner


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "xs1:",
        "xs2:eip155:56:0x" + "ab" * 20,
        "xs1:eip155:56:0x" + "ab" * 20 + " ",
        "xs1:eip155:56:0x" + "ab" * 20 + "\nxs1:",
        "xs1:eip155:56:TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
        "xs1:tron:0x2b6653dc:0x" + "ab" * 20,
        "xs1:eip155:56:0x" + "00" * 20,
        "xs1:cosmos:hub:cosmos1abc",
        "x" * 400,
    ],
)
async def test_a_memo_outside_the_grammar_is_told_malformed(world: SolanaWorld, text: str) -> None:
    """Garbage, a future version, another chain's account: told, refundable, without destination."""
    parts = Parts(world)
    [deposit] = await made(world, parts.burn(), parts.fee(), parts.memo(text))
    assert (deposit.flaw, deposit.destination) == (Reason.MEMO_MALFORMED, None)
    assert (deposit.recipient, deposit.refund_to) == (NOWHERE, parts.owner)


async def test_a_burn_without_memo_is_told_malformed(world: SolanaWorld) -> None:
    """The beacon alone marks it as meant for the bridge."""
    parts = Parts(world)
    [deposit] = await made(world, parts.burn(), parts.fee())
    assert deposit.flaw is Reason.MEMO_MALFORMED


async def test_a_memo_of_another_program_is_none(world: SolanaWorld) -> None:
    """Only the one memo program counts: a look-alike leaves the deposit without memo."""
    parts = Parts(world)
    first_memo_program = Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")
    data = write_memo(BNB, fresh_account(BNB)).encode()
    other = Instruction(first_memo_program, data, [])
    [deposit] = await made(world, parts.burn(), parts.fee(), other)
    assert deposit.flaw is Reason.MEMO_MALFORMED


async def test_two_burns_with_one_memo_are_ambiguous(world: SolanaWorld) -> None:
    """Each burn is a deposit of its own, with its own id, and none can be delivered."""
    parts = Parts(world)
    told = await made(world, parts.burn(), parts.burn(RAW + 1), parts.fee(), parts.memo())
    assert [deposit.flaw for deposit in told] == [Reason.MEMO_AMBIGUOUS] * 2
    assert [deposit.location.index for deposit in told] == [0, 1]
    assert len({deposit.id for deposit in told}) == 2


async def test_two_memos_are_ambiguous(world: SolanaWorld) -> None:
    """One burn with two memos says two things."""
    parts = Parts(world)
    [deposit] = await made(world, parts.burn(), parts.fee(), parts.memo(), parts.memo())
    assert deposit.flaw is Reason.MEMO_AMBIGUOUS


async def test_the_plain_form_is_ambiguous(world: SolanaWorld) -> None:
    """A burn that checks no decimals is not the agreed form; it is told so that it is refunded."""
    parts = Parts(world)
    accounts = [*parts.burn().accounts]
    plain = Instruction(programs.TOKEN, struct.pack("<BQ", programs.BURN, RAW), accounts)
    [deposit] = await made(world, plain, parts.fee(), parts.memo())
    assert (deposit.flaw, deposit.shares) == (Reason.MEMO_AMBIGUOUS, RAW * 10**10)


@pytest.mark.parametrize("paid", [0, 4_999_999])
async def test_an_underpaid_fee_is_told(world: SolanaWorld, paid: int) -> None:
    """Less than the destination's fee, or none at all."""
    parts = Parts(world)
    fees = [parts.fee(paid)] if paid else []
    [deposit] = await made(world, parts.burn(), *fees, parts.memo())
    assert (deposit.flaw, deposit.destination) == (Reason.FEE_UNDERPAID, None)


async def test_a_fee_in_two_parts_is_paid(world: SolanaWorld) -> None:
    """What counts is what the collector got in this transaction."""
    parts = Parts(world)
    halves = [parts.fee(2_500_000), parts.fee(2_500_000)]
    [deposit] = await made(world, parts.burn(), *halves, parts.memo())
    assert deposit.flaw is None


async def test_a_chain_that_is_not_served_has_no_route(world: SolanaWorld) -> None:
    """A well-formed memo for a chain that is no peer, this one included."""
    parts = Parts(world)
    own = world.config.chain
    for chain in (STRANGER, own):
        memo = parts.memo(write_memo(chain, fresh_account(chain)))
        [deposit] = await made(world, parts.burn(), parts.fee(), memo)
        assert (deposit.flaw, deposit.destination) == (Reason.UNKNOWN_ROUTE, None)


async def test_a_delegate_cannot_deposit_for_the_owner(world: SolanaWorld) -> None:
    """Burnt by an approved delegate: told with the owner as the one to refund."""
    parts, delegate = Parts(world), Keypair()
    key = bytes(delegate.pubkey())
    allowed = tokens.approve(bytes(parts.source), parts.mints["TSLAx"], key, RAW, parts.owner)
    await world.send([allowed])
    tx = await world.send([parts.burn(by=key), parts.fee(), parts.memo()], world.user, delegate)
    [deposit] = await deposits_of(world, tx)
    assert (deposit.flaw, deposit.sender) == (Reason.BY_DELEGATE, key)
    assert deposit.refund_to == parts.owner


async def test_the_permanent_delegate_makes_no_deposit(world: SolanaWorld) -> None:
    """The issuer's own act, beacon and memo or not, is never told and so never refunded."""
    parts = Parts(world)
    issuer = Keypair.from_seed(world.deployment.issuer_seed)
    by = bytes(issuer.pubkey())
    tx = await world.send([parts.burn(by=by), parts.fee(), parts.memo()], world.user, issuer)
    assert await deposits_of(world, tx) == []


async def test_a_burn_without_beacon_is_the_holders_own_affair(world: SolanaWorld) -> None:
    """Nothing says that it is meant for the bridge, and nothing looks for it."""
    parts = Parts(world)
    assert await made(world, parts.burn(beacon=False), parts.fee(), parts.memo()) == []


async def test_a_lock_is_found_without_the_beacon(world: SolanaWorld) -> None:
    """The vault's own history is read: a memo of ours makes the transfer a deposit."""
    parts = Parts(world)
    [deposit] = await made(world, parts.lock(beacon=False), parts.fee(), parts.memo())
    assert deposit.flaw is None


async def test_a_top_up_of_the_vault_is_no_deposit(world: SolanaWorld) -> None:
    """Neither beacon nor memo: seeding by the operator, or a gift."""
    parts = Parts(world)
    assert await made(world, parts.lock(beacon=False)) == []


async def test_a_token_that_looks_alike_is_ignored(world: SolanaWorld) -> None:
    """Burning another mint with beacon, memo and fee deposits nothing."""
    parts, mint, issuer = Parts(world), Keypair(), Keypair()
    key, by = bytes(mint.pubkey()), bytes(issuer.pubkey())
    await world.wallet.make(mint, tokens.MINT_BYTES, *tokens.xstock_mint(key, by, 1.0))
    account = token_account(parts.owner, key)
    create = programs.create_account(parts.owner, parts.owner, key)
    await world.send([create, programs.mint_to(key, account, RAW, by)], world.user, issuer)
    burn = programs.burn(account, key, RAW, parts.owner, (bytes(world.config.beacon),))
    assert await made(world, burn, parts.fee(), parts.memo()) == []


async def test_a_locked_asset_is_not_deposited_by_burning_it(world: SolanaWorld) -> None:
    """In lock-release mode a burn is the holder's own: nothing is owed for it."""
    parts = Parts(world)
    mint = parts.mints["AAPLx"]
    account = token_account(parts.owner, mint)
    burn = programs.burn(account, mint, RAW, parts.owner, (bytes(world.config.beacon),))
    assert await made(world, burn, parts.fee(), parts.memo()) == []


async def test_a_failed_deposit_is_none(world: SolanaWorld) -> None:
    """More than the owner has: the node refuses it, and nothing is told."""
    parts = Parts(world)
    too_much = [parts.burn(10**15), parts.fee(), parts.memo()]
    with pytest.raises(Rejected):
        await world.send(too_much)


async def test_a_new_owner_deposits_what_was_handed_over(world: SolanaWorld) -> None:
    """An account that changes hands in the transaction itself: the burner is its owner."""
    parts, old, new, account = Parts(world), Keypair(), Keypair(), Keypair()
    mint, key = parts.mints["TSLAx"], bytes(account.pubkey())
    before, after = bytes(old.pubkey()), bytes(new.pubkey())
    made_account = tokens.token_account(key, mint, before)
    await world.wallet.make(account, tokens.VAULT_BYTES, made_account)
    await world.send([programs.transfer(parts.source, mint, key, RAW, parts.owner)])
    hand_over = Instruction(
        programs.TOKEN,
        bytes([programs.SET_AUTHORITY, 2, 1]) + after,
        [programs.writable(key), programs.signer(before)],
    )
    burn = programs.burn(key, mint, RAW, after, (bytes(world.config.beacon),))
    tx = await world.send([hand_over, burn, parts.fee(), parts.memo()], world.user, old, new)
    [deposit] = await deposits_of(world, tx)
    assert (deposit.flaw, deposit.refund_to) == (None, after)


async def test_what_a_flawed_deposit_took_is_refunded(world: SolanaWorld) -> None:
    """A refund on Solana itself, under the id's own receipt, for a deposit without destination."""
    harness = world.harness(BNB, None)
    parts = Parts(world)
    before = await harness.shares_of(Account(parts.owner), "TSLAx")
    [deposit] = await made(world, parts.burn(), parts.fee(), parts.memo("no memo of ours"))
    first = (await harness.reader.final_head()).height + 1
    _, landing = await harness.submit(await harness.act(ActKind.REFUND, deposit))
    assert landing.kind is LandingKind.LANDED
    refund = await harness.fact(first, Refund, deposit.id)
    assert isinstance(refund, Refund)
    assert (refund.destination, refund.shares) == (None, deposit.shares)
    assert await harness.shares_of(Account(parts.owner), "TSLAx") == before


async def test_shares_are_carried_whatever_the_multiplier(world: SolanaWorld) -> None:
    """A deposit made at another multiplier has the same shares for the same raw units."""
    parts = Parts(world)
    await world.issuer.set_multiplier("TSLAx", 3.25)
    try:
        [deposit] = await made(world, parts.burn(), parts.fee(), parts.memo())
        assert deposit.shares == Shares(WAD * 3 // 2)
    finally:
        await world.issuer.set_multiplier("TSLAx", 1.0)
