"""The gateway's logs as facts, against logs that eth_abi encodes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from relayer.chains.gateway.events import (
    DELIVERED,
    DEPOSITED,
    REFUNDED,
    SKIPPED,
    VOIDED,
    GatewayLog,
    fact_of,
    skipped_of,
)
from relayer.chains.gateway.words import padded
from relayer.domain.address import account_from_evm, chain_key, word_of
from relayer.domain.errors import Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.transfer import Delivery, Deposit, Refund, Void, counted_id
from tests.chains.gateway_samples import BNB, GATEWAY, PLACE, SOLANA, TRON, TSLAX, from_here

TOKEN = padded(word_of(TSLAX.token))
STRANGER = chain_key(BNB)
"""A chain that is no peer of the gateway: its own."""


def log(*topics: bytes, data: bytes = b"") -> GatewayLog:
    """A log at a fixed place."""
    return GatewayLog(topics=topics, data=data, tx="0x" + "cd" * 32, index=3, height=10, time=99)


def deposited(deposit: Deposit, *, token: bytes = TOKEN, destination: bytes = b"") -> GatewayLog:
    """The log of a deposit."""
    kinds = ["uint64", "address", "address", "bytes32", "uint256"]
    data = encode(
        kinds,
        [
            deposit.nonce,
            word_of(deposit.sender),
            word_of(deposit.refund_to),
            bytes(deposit.recipient),
            deposit.shares,
        ],
    )
    to = destination or chain_key(deposit.destination or SOLANA)
    return log(DEPOSITED, deposit.id, token, to, data=data)


def test_a_deposit_is_read_whole() -> None:
    """Every field of the log stands in the fact."""
    expected = replace(from_here(), time=99)
    assert fact_of(PLACE, deposited(expected)) == expected


def test_a_deposit_whose_id_is_not_its_own_is_nonsense() -> None:
    """The id is recomputed: a node that tells another one is not believed."""
    with pytest.raises(Unavailable):
        fact_of(PLACE, deposited(replace(from_here(), nonce=10)))


def test_a_deposit_to_a_chain_that_is_no_peer_is_told_with_its_flaw() -> None:
    """It has no destination, and is told all the same."""
    fact = fact_of(PLACE, deposited(from_here(), destination=STRANGER))
    assert isinstance(fact, Deposit)
    assert (fact.destination, fact.flaw) == (None, Reason.UNKNOWN_ROUTE)


def test_a_deposit_of_an_unknown_token_is_told_with_its_flaw() -> None:
    """Its asset is the token's address, so that nobody takes it for a known one."""
    fact = fact_of(PLACE, deposited(from_here(), token=padded(b"\x77" * 20)))
    assert isinstance(fact, Deposit)
    assert (fact.asset, fact.flaw) == ("token:" + "77" * 20, Reason.UNKNOWN_ROUTE)


def test_a_recipient_of_another_chains_form_is_told_with_its_flaw() -> None:
    """A BNB address is no Tron recipient."""
    wrong = replace(
        from_here(),
        id=counted_id(BNB, GATEWAY, TRON, 9),
        destination=TRON,
        recipient=account_from_evm(b"\x0e" * 20),
    )
    fact = fact_of(PLACE, deposited(wrong))
    assert isinstance(fact, Deposit)
    assert fact.flaw is Reason.RECIPIENT_REFUSED


def test_a_delivery_is_read_whole() -> None:
    """Every field of the log stands in the fact."""
    data = encode(["bytes32", "address", "uint256"], [b"\x05" * 32, b"\x06" * 20, 7 * 10**18])
    fact = fact_of(PLACE, log(DELIVERED, b"\x04" * 32, chain_key(TRON), TOKEN, data=data))
    assert fact == Delivery(
        id=b"\x04" * 32,  # type: ignore[arg-type]  # bytes stand for an id
        chain=BNB,
        source=TRON,
        asset="TSLAx",
        recipient=account_from_evm(b"\x06" * 20),
        shares=7 * 10**18,  # type: ignore[arg-type]  # an integer stands for shares
        digest=b"\x05" * 32,
        tx="0x" + "cd" * 32,
        height=10,
        time=99,
    )


def test_a_refund_and_a_void_are_told_apart() -> None:
    """Both name their id; a refund says who got what."""
    data = encode(["bytes32", "address", "uint256"], [b"\x05" * 32, b"\x06" * 20, 7])
    refund = fact_of(PLACE, log(REFUNDED, b"\x04" * 32, STRANGER, TOKEN, data=data))
    void = fact_of(PLACE, log(VOIDED, b"\x04" * 32))
    assert isinstance(refund, Refund)
    assert (refund.destination, refund.recipient) == (None, account_from_evm(b"\x06" * 20))
    assert isinstance(void, Void)
    assert void.id == refund.id == b"\x04" * 32


def test_a_skipped_item_is_no_fact_and_has_a_word() -> None:
    """Skipped logs prove nothing, but say why."""
    skipped = log(SKIPPED, b"\x04" * 32, data=encode(["uint8"], [12]))
    assert fact_of(PLACE, skipped) is None
    assert skipped_of(skipped) == (b"\x04" * 32, "CapExceeded")
    assert skipped_of(log(VOIDED, b"\x04" * 32)) is None


def test_an_unknown_event_is_no_fact() -> None:
    """Logs that this version does not know are passed over, and so is one without topics."""
    assert fact_of(PLACE, log(b"\x01" * 32)) is None
    assert fact_of(PLACE, log()) is None


@given(
    topic=st.sampled_from([DEPOSITED, DELIVERED, REFUNDED, VOIDED]),
    others=st.lists(st.binary(min_size=32, max_size=32), max_size=5),
    data=st.binary(max_size=200),
)
def test_garbage_in_a_gateways_log_is_nonsense(
    topic: bytes, others: list[bytes], data: bytes
) -> None:
    """Whatever a node makes up becomes a fact of the right form or Unavailable, nothing else."""
    try:
        fact = fact_of(PLACE, log(topic, *others, data=data))
    except Unavailable:
        return
    assert isinstance(fact, Void)
    assert (topic, len(others), data) == (VOIDED, 1, b"")
