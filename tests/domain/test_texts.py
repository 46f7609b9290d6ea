from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.address import (
    Account,
    account_from_evm,
    account_from_tron,
    caip10,
    chain_key,
    check_shape,
    format_account,
    parse_account,
    parse_caip10,
)
from relayer.domain.amount import (
    MAX_SHARES,
    RAW_UNIT,
    Shares,
    format_shares,
    parse_shares,
    raw_from_shares,
    shares_from_raw,
)
from relayer.domain.errors import AddressRefused, AmountRefused, MemoRefused
from relayer.domain.memo import MAX_MEMO, read_memo, write_memo
from relayer.domain.reasons import EXPLANATIONS, Reason
from relayer.domain.transfer import counted_id, lane_of, located_id
from tests.domain.samples import BNB, CHAINS, SOLANA, SOLANA_USER, TRON, TRON_USER, USER

WORDS = st.binary(min_size=20, max_size=20).filter(any)
ACCOUNTS = st.one_of(
    WORDS.map(lambda word: (BNB, account_from_evm(word))),
    WORDS.map(lambda word: (TRON, account_from_tron(word))),
    st.binary(min_size=32, max_size=32).filter(any).map(lambda key: (SOLANA, Account(key))),
)


@given(ACCOUNTS)
def test_an_account_comes_back_from_its_text(place: tuple[str, Account]) -> None:
    """Text, CAIP-10 name and memo all lead back to the same 32 bytes."""
    chain, account = place

    assert parse_account(chain, format_account(chain, account)) == account  # type: ignore[arg-type]
    assert parse_caip10(caip10(chain, account)) == place  # type: ignore[arg-type]
    assert read_memo(write_memo(chain, account).encode()) == place  # type: ignore[arg-type]


@given(WORDS)
def test_twenty_bytes_are_never_valid_on_both_evm_and_tron(word: bytes) -> None:
    """A BNB address has another shape than a Tron one."""
    with pytest.raises(AddressRefused):
        check_shape(TRON, account_from_evm(word))
    with pytest.raises(AddressRefused):
        check_shape(BNB, account_from_tron(word))


@pytest.mark.parametrize(
    ("chain", "text"),
    [
        (BNB, "0x8aD3c73F833d3F9A523aB01476625F269aEB7Cf1"),
        (BNB, "0x8aD3C73F833d3F9A523aB01476625F269aEB7Cf0"),
        (BNB, "0x" + "00" * 20),
        (BNB, "8ad3c73f833d3f9a523ab01476625f269aeb7cf0"),
        (BNB, format_account(TRON, TRON_USER)),
        (TRON, "0x8ad3c73f833d3f9a523ab01476625f269aeb7cf0"),
        (TRON, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwc"),
        (TRON, format_account(TRON, TRON_USER)[:-1] + "1"),
        (TRON, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        (SOLANA, "11111111111111111111111111111111"),
        (SOLANA, "0OIl"),
        (SOLANA, format_account(SOLANA, SOLANA_USER)[:-2]),
        (SOLANA, ""),
    ],
)
def test_a_wrong_address_is_refused_with_what_is_wrong(chain: str, text: str) -> None:
    """Checksums, lengths, version bytes, zero and other chains' texts are all refused."""
    with pytest.raises(AddressRefused):
        parse_account(chain, text)  # type: ignore[arg-type]  # a chain of the samples


@given(st.integers(0, 10**40))
def test_shares_come_back_from_their_text(shares: int) -> None:
    """Decimal text is exact to 1e-18 share."""
    if shares < 10**48:
        assert parse_shares(format_shares(shares)) == shares


@pytest.mark.parametrize("text", ["", "-1", "1.", ".5", "1e3", "1,5", "0.0000000000000000001", "x"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Signs, exponents, commas and more than 18 decimals are no amounts."""
    with pytest.raises(AmountRefused):
        parse_shares(text)


@given(st.integers(0, 2**64 - 1))
def test_raw_units_convert_without_loss(raw: int) -> None:
    """A u64 of raw units is exact in shares and back."""
    shares = shares_from_raw(raw)

    assert raw_from_shares(shares) == raw
    assert shares <= MAX_SHARES


@given(st.integers(1, RAW_UNIT - 1))
def test_dust_is_never_rounded(dust: int) -> None:
    """An amount below a raw unit is refused, not cut."""
    with pytest.raises(AmountRefused):
        raw_from_shares(Shares(RAW_UNIT + dust))


GOOD = write_memo(BNB, USER)


@pytest.mark.parametrize(
    "memo",
    [
        b"",
        b"\xff\xfe",
        GOOD[4:].encode(),
        b"xs2:" + GOOD[4:].encode(),
        b" " + GOOD.encode(),
        GOOD.encode() + b"\n",
        GOOD.encode() + b" thanks",
        GOOD.upper().encode(),
        b"xs1:eip155:56:0x00",
        b"xs1:eip155:56",
        b"xs1:bitcoin:1:abc",
        b"xs1:" + b"a" * MAX_MEMO,
        GOOD.encode() + b"\x00",
    ],
)
def test_a_memo_outside_the_grammar_is_refused(memo: bytes) -> None:
    """No other prefix, no blank, no second line, no trailing text, no garbage."""
    with pytest.raises(MemoRefused):
        read_memo(memo)


@given(st.binary(max_size=300))
def test_random_memos_never_crash(memo: bytes) -> None:
    """Any bytes are a memo or refused."""
    try:
        chain, account = read_memo(memo)
    except MemoRefused:
        return
    assert write_memo(chain, account).lower().encode() == memo.lower()


def test_a_lower_case_address_is_taken_as_people_write_it() -> None:
    """EIP-55 is a checksum, not a duty."""
    assert read_memo(GOOD.lower().encode()) == (BNB, USER)


def test_every_reason_speaks_to_users_and_operators() -> None:
    """Two sentences each, both with an end."""
    assert set(EXPLANATIONS) == set(Reason)
    for explanation in EXPLANATIONS.values():
        assert explanation.user.endswith(".")
        assert len(explanation.operator) > 15


def test_ids_are_locations() -> None:
    """Another nonce, chain, gateway or instruction is another id; the values are fixed for ever."""
    ids = {
        counted_id(BNB, USER, SOLANA, 0),
        counted_id(BNB, USER, SOLANA, 1),
        counted_id(BNB, USER, TRON, 0),
        counted_id(TRON, USER, SOLANA, 0),
        counted_id(BNB, TRON_USER, SOLANA, 0),
        located_id(SOLANA, b"\1" * 64, 0, -1),
        located_id(SOLANA, b"\1" * 64, 1, -1),
        located_id(SOLANA, b"\1" * 64, 0, 0),
        located_id(SOLANA, b"\2" * 64, 0, -1),
    }

    assert len(ids) == 9
    assert len({chain_key(chain) for chain in CHAINS}) == 3
    assert counted_id(BNB, USER, SOLANA, 0).hex() == (
        "81d667d892805b50d8dfb55e2041977971bdb974a5f2742f163ae2a3da446d7a"
    )
    assert located_id(SOLANA, b"\1" * 64, 0, -1).hex() == (
        "3a9467d8593cd5a6afa58cd5e6529cc5a5de9967d45d8223d9955e61a06152ca"
    )


@given(st.binary(min_size=32, max_size=32), st.integers(1, 64))
def test_a_transfer_has_one_lane(transfer: bytes, lanes: int) -> None:
    """The lane follows from the id alone."""
    assert 0 <= lane_of(transfer, lanes) < lanes
