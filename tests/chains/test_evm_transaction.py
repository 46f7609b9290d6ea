"""Transactions built here, against eth_account and the rlp library."""

from __future__ import annotations

import pytest
import rlp as library  # type: ignore[import-untyped]  # no types are published
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from relayer.chains.evm.transaction import Transaction, read_transaction, rlp, sign
from relayer.signing.local import Secp256k1Signer

SECRET = bytes(range(1, 33))

TRANSACTIONS = st.builds(
    Transaction,
    chain_id=st.integers(1, 2**32),
    nonce=st.integers(0, 2**63),
    gas_price=st.integers(0, 2**70),
    gas=st.integers(21_000, 2**30),
    to=st.one_of(st.just(b""), st.binary(min_size=20, max_size=20)),
    value=st.integers(0, 2**90),
    data=st.binary(max_size=600),
)


@given(TRANSACTIONS)
async def test_signed_bytes_are_those_of_eth_account(transaction: Transaction) -> None:
    """The library signs the same bytes to the same hash."""
    fields = {
        "type": 2,
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "maxPriorityFeePerGas": transaction.gas_price,
        "maxFeePerGas": transaction.gas_price,
        "gas": transaction.gas,
        "to": to_checksum_address(transaction.to) if transaction.to else b"",
        "value": transaction.value,
        "data": transaction.data,
    }
    expected = Account.from_key(SECRET).sign_transaction(fields)
    signed = await sign(transaction, Secp256k1Signer(SECRET))
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.tx == "0x" + bytes(expected.hash).hex()


@given(TRANSACTIONS)
async def test_signed_bytes_read_back_as_what_was_signed(transaction: Transaction) -> None:
    """A replacement is made from nothing but the bytes that were kept."""
    signed = await sign(transaction, Secp256k1Signer(SECRET))
    assert read_transaction(signed.raw) == transaction


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x02" + tail))
def test_other_bytes_are_refused(raw: bytes) -> None:
    """Cut off, of another type or of another form: a clear refusal, nothing else."""
    with pytest.raises(ValueError, match=r"RLP|transaction|list"):
        read_transaction(raw)


NESTED = st.recursive(
    st.one_of(st.binary(max_size=100), st.integers(0, 2**256 - 1)),
    lambda inner: st.lists(inner, max_size=4),
)


@given(NESTED)
def test_rlp_is_that_of_the_library(item: object) -> None:
    """Any nesting of bytes and numbers encodes to the same bytes."""
    assert rlp(item) == library.encode(item)  # type: ignore[arg-type]  # hypothesis nests what rlp takes
