"""Acts on Solana: whatever can be written is read back, and nothing else is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.message import from_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.acts import payload_of, read_mark
from relayer.chains.solana.codec import Codec
from relayer.chains.solana.programs import ATA_BYTES, MEMO_BYTES, TOKEN_BYTES, token_account
from relayer.chains.solana.terms import MessageTerms, Pays, read_terms
from relayer.chains.solana.transaction import Executed, Step, read_transaction
from relayer.domain.address import Account
from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.errors import DraftRefused
from relayer.domain.reasons import Reason
from relayer.domain.transfer import (
    ActKind,
    Delivery,
    Deposit,
    Location,
    Refund,
    TransferId,
    Void,
    content_digest,
)
from tests.chains.solana_recorded import (
    CONFIG,
    TOKENS,
    executed,
)

KEYS = st.binary(min_size=32, max_size=32).filter(any).map(Account)
AMOUNTS = st.integers(1, 2**64 - 1).map(lambda raw: Shares(raw * RAW_UNIT))
TERMS = st.builds(
    MessageTerms,
    blockhash=st.binary(min_size=32, max_size=32),
    slot=st.integers(0, 2**63),
    last_valid=st.integers(0, 2**63),
    signers=st.permutations(CONFIG.attesters).map(lambda keys: tuple(keys[:2])),
    payer=KEYS,
    cu_price=st.integers(0, 2**32),
    cu_limit=st.integers(0, 1_400_000),
)
ANY_TERMS = st.builds(replace, TERMS, pays=st.sampled_from(Pays))


@st.composite
def deposits(draw: st.DrawFn, kind: ActKind) -> Deposit:
    """A deposit on which an act of a kind can be done here."""
    here, there = CONFIG.chain, draw(st.sampled_from(CONFIG.peers))
    refund = kind is ActKind.REFUND
    return Deposit(
        id=TransferId(draw(KEYS)),
        source=here if refund else there,
        destination=draw(st.sampled_from([there, None])) if refund else here,
        asset=draw(st.sampled_from(sorted(TOKENS))),
        shares=draw(AMOUNTS),
        sender=draw(KEYS),
        refund_to=draw(KEYS),
        recipient=draw(KEYS),
        location=Location(tx="", index=0),
        height=1,
        time=1,
    )


def run(payload: bytes, paid: dict[bytes, bytes]) -> Executed:
    """What a node would tell of the message once it was executed; ``paid`` accounts have owners."""
    message = from_bytes_versioned(payload)
    count = message.header.num_required_signatures
    signatures = [Signature(bytes([place + 1]) * 64) for place in range(count)]
    raw = bytes(VersionedTransaction.populate(message, signatures))
    keys = [bytes(key) for key in message.account_keys]
    balances = [
        {"accountIndex": keys.index(account), "owner": base58.b58encode(owner).decode()}
        for account, owner in paid.items()
    ]
    meta = {
        "err": None,
        "innerInstructions": [],
        "preTokenBalances": [],
        "postTokenBalances": balances,
    }
    text = b64encode(raw).decode()
    answer = {"slot": 7, "blockTime": 8, "meta": meta, "transaction": [text, "base64"]}
    read = read_transaction(str(signatures[0]), answer)
    assert read is not None
    return read


def told(kind: ActKind, deposit: Deposit, terms: MessageTerms) -> Sequence[object]:
    """The facts that an executed act leaves."""
    wallet = deposit.recipient if kind is ActKind.DELIVER else deposit.refund_to
    paid = {bytes(token_account(wallet, TOKENS[deposit.asset].token)): bytes(wallet)}
    if terms.pays is Pays.ACCOUNT:
        paid = {bytes(wallet): b"\5" * 32}
    if kind is ActKind.VOID:
        paid = {}
    return Codec(CONFIG).facts(run(payload_of(CONFIG, kind, deposit, terms), paid))


@given(deposits(ActKind.DELIVER), ANY_TERMS)
def test_any_delivery_is_read_back_as_it_was_written(deposit: Deposit, terms: MessageTerms) -> None:
    """Id, source, asset, recipient (wallet or token account), shares and digest survive."""
    [delivery] = told(ActKind.DELIVER, deposit, terms)
    assert isinstance(delivery, Delivery)
    assert (delivery.id, delivery.source) == (deposit.id, deposit.source)
    assert (delivery.asset, delivery.shares) == (deposit.asset, deposit.shares)
    assert delivery.recipient == deposit.recipient
    token = TOKENS[deposit.asset].token
    assert delivery.digest == content_digest(
        deposit.id, deposit.source, token, deposit.recipient, deposit.shares
    )


@given(deposits(ActKind.REFUND), TERMS)
def test_any_refund_is_read_back_as_it_was_written(deposit: Deposit, terms: MessageTerms) -> None:
    """Id, destination, asset, owner and shares survive the message."""
    [refund] = told(ActKind.REFUND, deposit, terms)
    assert isinstance(refund, Refund)
    assert (refund.id, refund.destination) == (deposit.id, deposit.destination)
    assert (refund.asset, refund.shares) == (deposit.asset, deposit.shares)
    assert refund.recipient == deposit.refund_to


@given(deposits(ActKind.VOID), TERMS)
def test_any_void_is_read_back_as_it_was_written(deposit: Deposit, terms: MessageTerms) -> None:
    """A void says its id and nothing else."""
    [void] = told(ActKind.VOID, deposit, terms)
    assert isinstance(void, Void)
    assert void.id == deposit.id


@given(deposits(ActKind.DELIVER), TERMS, st.data())
def test_a_delivery_short_of_a_part_is_none(
    deposit: Deposit, terms: MessageTerms, data: st.DataObject
) -> None:
    """Without receipt, payout or memo nothing is told as the delivery of the id; a payout is told."""
    payload = payload_of(CONFIG, ActKind.DELIVER, deposit, terms)
    whole = run(payload, {})
    freeze, payout, memo = 1, 3, 4
    programs = [ATA_BYTES, TOKEN_BYTES, ATA_BYTES, TOKEN_BYTES, MEMO_BYTES]
    assert [step.program for step in whole.steps] == programs
    parts = st.sampled_from([freeze, payout, memo])
    kept = data.draw(st.lists(parts, unique=True, max_size=2).map(sorted))
    facts = Codec(CONFIG).facts(replace(whole, steps=tuple(whole.steps[at] for at in kept)))
    assert len(facts) == (payout in kept)
    for fact in facts:
        assert isinstance(fact, Delivery)
        assert fact.source is None
        assert fact.id != deposit.id


@given(deposits(ActKind.DELIVER), TERMS, KEYS)
def test_the_memo_of_another_id_explains_nothing(
    deposit: Deposit, terms: MessageTerms, other: Account
) -> None:
    """The receipt must be the id's own: a memo alone moves no id to delivered."""
    payload = payload_of(CONFIG, ActKind.DELIVER, deposit, terms)
    whole = run(payload, {})
    lie = payload_of(CONFIG, ActKind.DELIVER, replace(deposit, id=TransferId(other)), terms)
    lying_memo = run(lie, {}).steps[-1]
    [fact] = Codec(CONFIG).facts(replace(whole, steps=(*whole.steps[:-1], lying_memo)))
    assert isinstance(fact, Delivery)
    assert (fact.source is None) == (bytes(other) != bytes(deposit.id))


@given(deposits(ActKind.DELIVER), TERMS, KEYS)
def test_only_the_quorum_makes_facts(deposit: Deposit, terms: MessageTerms, by: Account) -> None:
    """The very instructions under another authority tell nothing."""
    payload = payload_of(CONFIG, ActKind.DELIVER, deposit, terms)
    whole = run(payload, {})
    swap = {bytes(CONFIG.multisig): bytes(by)}
    steps = tuple(
        replace(step, accounts=tuple(swap.get(key, key) for key in step.accounts))
        for step in whole.steps
    )
    assert list(Codec(CONFIG).facts(replace(whole, steps=steps))) == []


@given(TERMS)
def test_terms_survive_their_texts(terms: MessageTerms) -> None:
    """Terms written and read again are the same."""
    assert read_terms(terms.write()) == terms


@given(
    TERMS, st.sampled_from(["slot", "last_valid", "cu_price", "cu_limit"]), st.sampled_from("+ 0")
)
def test_terms_are_written_in_one_way(terms: MessageTerms, name: str, sign: str) -> None:
    """A number with a sign, a blank or a leading zero is refused: one message, one text."""
    texts = terms.write()
    with pytest.raises(DraftRefused):
        read_terms({**texts, name: sign + texts[name]})


@given(st.binary(max_size=120))
def test_no_garbage_is_read_as_a_mark(data: bytes) -> None:
    """A memo that is not exactly an act's says nothing."""
    assert data.startswith((b"xs1:deliver:", b"xs1:refund:", b"xs1:void:")) or not read_mark(data)


@given(st.lists(st.binary(max_size=20), max_size=4), st.integers(0, 2))
def test_strange_memos_beside_a_deposit_never_break_the_reader(
    memos: list[bytes], inner: int
) -> None:
    """Whatever stands in memos, the burn is told once, with a flaw unless the memo is the one."""
    read = executed("deposit-TSLAx")
    kept = [step for step in read.steps if step.program != MEMO_BYTES]
    strange = [
        Step(program=MEMO_BYTES, accounts=(), data=data, outer=9, inner=inner - 1) for data in memos
    ]
    [deposit] = Codec(CONFIG).facts(replace(read, steps=(*kept, *strange)))
    assert isinstance(deposit, Deposit)
    assert deposit.flaw in {Reason.MEMO_MALFORMED, Reason.MEMO_AMBIGUOUS}
    assert deposit.shares == WAD * 3 // 2
