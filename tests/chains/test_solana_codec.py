"""Decoding of Solana: transactions and accounts of a real validator."""

from __future__ import annotations

from dataclasses import replace

import base58
import pytest

from relayer.chains.solana.accounts import account_data, read_mint, read_token_account
from relayer.chains.solana.codec import Codec
from relayer.chains.solana.config import Fee
from relayer.chains.solana.supply import SupplyReader
from relayer.chains.solana.transaction import read_transaction
from relayer.domain.address import Account
from relayer.domain.amount import RAW_UNIT, WAD, Shares
from relayer.domain.errors import Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.transfer import (
    Delivery,
    Deposit,
    Location,
    Refund,
    Void,
    content_digest,
    located_id,
)
from tests.chains.solana_recorded import (
    BNB,
    CONFIG,
    EVM_RECIPIENT,
    RECORDED,
    TOKENS,
    TRANSACTIONS,
    USER,
    executed,
)


@pytest.mark.parametrize("asset", ["TSLAx", "AAPLx"])
def test_a_recorded_deposit_is_read_whole(asset: str) -> None:
    """Burnt and locked on a real validator: every field."""
    answer = TRANSACTIONS[f"deposit-{asset}"]
    tx = answer["signature"]
    [deposit] = Codec(CONFIG).facts(executed(f"deposit-{asset}"))
    assert deposit == Deposit(
        id=located_id(CONFIG.chain, base58.b58decode(tx), 0, -1),
        source=CONFIG.chain,
        destination=BNB,
        asset=asset,
        shares=Shares(WAD * 3 // 2),
        sender=USER,
        refund_to=USER,
        recipient=EVM_RECIPIENT,
        location=Location(tx=tx, index=0),
        height=answer["slot"],
        time=answer["blockTime"],
    )


@pytest.mark.parametrize("asset", ["TSLAx", "AAPLx"])
def test_a_recorded_delivery_is_read_whole(asset: str) -> None:
    """Minted and released: shares, recipient, source, and the digest that binds them."""
    [delivery] = Codec(CONFIG).facts(executed(f"deliver-{asset}"))
    assert isinstance(delivery, Delivery)
    assert (delivery.source, delivery.asset) == (BNB, asset)
    assert delivery.shares == 2 * WAD + RAW_UNIT
    assert delivery.digest == content_digest(
        delivery.id, BNB, TOKENS[asset].token, delivery.recipient, delivery.shares
    )


@pytest.mark.parametrize("asset", ["TSLAx", "AAPLx"])
def test_a_recorded_refund_names_its_deposit(asset: str) -> None:
    """The refund has the deposit's id, its shares and its owner."""
    [deposit] = Codec(CONFIG).facts(executed(f"deposit-{asset}"))
    [refund] = Codec(CONFIG).facts(executed(f"refund-{asset}"))
    assert isinstance(deposit, Deposit)
    assert isinstance(refund, Refund)
    assert (refund.id, refund.shares) == (deposit.id, deposit.shares)
    assert (refund.recipient, refund.destination) == (deposit.refund_to, BNB)


def test_a_recorded_void_is_told() -> None:
    """A void is told by its id and moves nothing."""
    [void] = Codec(CONFIG).facts(executed("void"))
    assert isinstance(void, Void)
    assert void.tx == TRANSACTIONS["void"]["signature"]


def test_a_mint_without_receipt_is_told_as_a_delivery_of_nothing() -> None:
    """What the quorum's keys mint outside the grammar gets an id no deposit can have."""
    [delivery] = Codec(CONFIG).facts(executed("mint-without-receipt"))
    assert isinstance(delivery, Delivery)
    assert (delivery.source, delivery.asset, delivery.recipient) == (None, "TSLAx", USER)
    assert delivery.shares == 777 * RAW_UNIT
    signature = base58.b58decode(delivery.tx)
    assert delivery.id == located_id(CONFIG.chain, signature, 0, -1)


def test_recorded_accounts_give_the_supply() -> None:
    """Mints and vaults of the real node: raw supplies in shares, the multiplier to its last digit."""
    accounts = RECORDED["accounts"]
    supply = SupplyReader(CONFIG)
    assert supply.accounts == accounts["keys"]
    tesla, apple = supply.snapshots(accounts["value"])
    assert (tesla.height, apple.height) == (accounts["slot"],) * 2
    assert (tesla.multiplier, apple.multiplier) == (WAD, 1_002_664_207_589_379_700)
    assert tesla.supply.low == tesla.supply.high == 1_002 * WAD + RAW_UNIT + 777 * RAW_UNIT
    assert apple.held == 5_000 * WAD - 2 * WAD - RAW_UNIT
    assert apple.supply.low == 6_000 * WAD


def test_an_account_is_not_taken_for_a_mint_nor_a_mint_for_an_account() -> None:
    """Token-2022 marks which is which behind the part they share."""
    by_key = dict(zip(RECORDED["accounts"]["keys"], RECORDED["accounts"]["value"], strict=True))
    texts = SupplyReader.keys([TOKENS["AAPLx"].token, CONFIG.vaults["AAPLx"]])
    mint, vault = (account_data(by_key[text]) for text in texts)
    assert read_mint(mint) is not None
    assert read_token_account(mint) is None
    assert read_token_account(vault) is not None
    assert read_mint(vault) is None


def test_an_unexpected_authority_gives_no_snapshot() -> None:
    """Another mint authority, receipt authority or permanent delegate ends all leases."""
    other = Account(bytes.fromhex(RECORDED["bridge"]["payer"]))
    for wrong in (replace(CONFIG, multisig=other), replace(CONFIG, issuers=(other,))):
        with pytest.raises(Unavailable, match=r"authority|delegate"):
            SupplyReader(wrong).snapshots(RECORDED["accounts"]["value"])


def test_another_transaction_than_asked_for_is_no_answer() -> None:
    """A node that mixes transactions up is not believed."""
    other = TRANSACTIONS["void"]["signature"]
    with pytest.raises(Unavailable):
        read_transaction(other, TRANSACTIONS["deliver-TSLAx"])


def test_an_answer_without_inner_instructions_is_no_answer() -> None:
    """A node that records no inner instructions cannot show what a program did."""
    answer = TRANSACTIONS["deliver-TSLAx"]
    blind = {**answer, "meta": {**answer["meta"], "innerInstructions": None}}
    with pytest.raises(Unavailable):
        read_transaction(answer["signature"], blind)


def test_a_burn_inside_another_program_is_told_as_such() -> None:
    """The same burn called by a program: told with its inner place, to be refunded to its owner."""
    read = executed("deposit-TSLAx")
    burn, *rest = read.steps
    inside = replace(burn, outer=3, inner=1)
    [deposit] = Codec(CONFIG).facts(replace(read, steps=(inside, *rest)))
    assert isinstance(deposit, Deposit)
    assert (deposit.flaw, deposit.destination) == (Reason.INSIDE_CPI, None)
    assert (deposit.location.index, deposit.location.inner) == (3, 1)
    assert deposit.refund_to == USER


def test_a_fee_once_enough_stays_enough() -> None:
    """Raising the fee leaves the deposits before it as they were."""
    read = executed("deposit-TSLAx")
    old = CONFIG.fees[0]
    for since, flaw in ((read.slot + 1, None), (read.slot, Reason.FEE_UNDERPAID)):
        raised = Fee(destination=BNB, lamports=2 * old.lamports, since=since)
        [deposit] = Codec(replace(CONFIG, fees=(raised, *CONFIG.fees))).facts(read)
        assert isinstance(deposit, Deposit)
        assert deposit.flaw is flaw
