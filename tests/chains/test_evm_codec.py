"""A node's own JSON, recorded from Anvil 1.x, as facts; and what is not in its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relayer.chains.evm.codec import (
    data_of,
    gateway_log,
    is_pruned,
    is_too_wide,
    read_header,
    read_log,
    read_receipt,
    skipped_items,
)
from relayer.chains.evm.rpc import NodeRefused
from relayer.chains.gateway.events import fact_of
from relayer.chains.gateway.place import GatewayPlace
from relayer.chains.gateway.reads import read_snapshots
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import WAD
from relayer.domain.errors import Unavailable
from relayer.domain.transfer import Delivery, Deposit, Mode, Refund, TokenPlace, Void

RECORDED = json.loads(
    (Path(__file__).parents[1] / "recordings" / "evm" / "gateway.json").read_text(encoding="utf-8")
)
TRON = ChainId("tron:0x2b6653dc")
PLACE = GatewayPlace(
    chain=ChainId(RECORDED["chain"]),
    gateway=Account(bytes.fromhex(RECORDED["gateway"])),
    tokens=tuple(
        TokenPlace(asset=asset, token=Account(bytes.fromhex(token)), mode=Mode(mode))
        for asset, (token, mode) in RECORDED["tokens"].items()
    ),
    peers=(TRON,),
    attesters=(),
    quorum=2,
)


def facts() -> list[Any]:
    """The facts in the recorded logs."""
    return [fact_of(PLACE, gateway_log(read_log(raw), 1_700_000_000)) for raw in RECORDED["logs"]]


def test_recorded_logs_are_told_as_what_happened() -> None:
    """Two deposits, a delivery, a void, a refund and a delivery were recorded in this order."""
    kinds = [type(fact) for fact in facts()]
    assert kinds == [Deposit, Deposit, Delivery, Void, Refund, Delivery]


def test_a_recorded_deposit_is_read_to_the_last_field() -> None:
    """The values are those that the recording was made with."""
    deposit = facts()[0]
    assert deposit.id.hex() == "27bb0cae67098d8bdb2cd2a10563f1c0014321d01cb80ece2c6a20a6c9ee50c9"
    assert (deposit.destination, deposit.asset, deposit.nonce) == (TRON, "TSLAx", 0)
    assert deposit.shares == 1_008_275_830_000_000_000
    assert deposit.sender.hex() == "0" * 24 + "efbe7d0e436a2211eee91041c111022dc5f27340"
    assert deposit.recipient.hex() == "0" * 22 + "41e739572bdfb77fd3409bb4fe1c9755a2c3083787"
    assert (deposit.height, deposit.location.index) == (9, 5)
    assert deposit.flaw is None


def test_the_refund_gives_back_what_the_second_deposit_took() -> None:
    """Both name the same id, asset, shares and account."""
    deposit, refund = facts()[1], facts()[4]
    assert (refund.id, refund.asset, refund.shares) == (deposit.id, "AAPLx", deposit.shares)
    assert refund.recipient == deposit.refund_to


def test_a_skipped_item_is_found_in_its_receipt() -> None:
    """The batch had one item that was done before, and one that it delivered."""
    mined = read_receipt(RECORDED["receipt_with_a_skipped_item"])
    skipped = skipped_items(mined, PLACE.address)
    assert mined.succeeded
    assert skipped == {facts()[2].id: "AlreadyDone"}
    assert skipped_items(mined, b"\x01" * 20) == {}


def test_recorded_books_are_read() -> None:
    """One call told both tokens at block 28."""
    one, two = read_snapshots(PLACE, data_of(RECORDED["snapshot"]))
    assert (one.height, one.mode, two.mode) == (28, Mode.BURN_MINT, Mode.LOCK_RELEASE)
    assert one.counters is not None
    assert one.counters.deposited == facts()[0].shares
    assert one.counters.delivered == facts()[2].shares
    assert two.inventory == 5_000 * WAD


def test_a_recorded_block_is_read() -> None:
    """Height and chain time come from the header."""
    header = read_header(RECORDED["block"])
    assert header.height == int(RECORDED["block"]["number"], 16)
    assert header.hash == RECORDED["block"]["hash"]


@pytest.mark.parametrize("name", ["address", "topics", "data", "logIndex", "blockNumber"])
@pytest.mark.parametrize("wrong", [None, 5, "zz", "0xzz", [], {}])
def test_a_log_with_a_wrong_field_is_nonsense(name: str, wrong: object) -> None:
    """No field of a log is taken for granted; one without topics is no fact."""
    raw = {**RECORDED["logs"][0], name: wrong}
    if name == "topics" and not wrong and wrong is not None:
        assert fact_of(PLACE, gateway_log(read_log(raw), 1)) is None
        return
    with pytest.raises(Unavailable):
        read_log(raw)


def test_a_removed_log_is_nonsense_in_a_final_range() -> None:
    """What a reorg took away is no fact."""
    with pytest.raises(Unavailable):
        read_log({**RECORDED["logs"][0], "removed": True})


@pytest.mark.parametrize(
    "answer", [{}, {"number": "0x1"}, {"number": 1, "hash": "", "timestamp": ""}]
)
def test_a_block_out_of_form_is_nonsense(answer: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(Unavailable):
        read_header(answer)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-32005, "query returned more than 10000 results"),
        (-32005, "limit exceeded"),
        (-32000, "exceed maximum block range: 5000"),
        (-32602, "block range is too wide"),
        (-32600, "Log response size exceeded"),
        (-32000, "too many results, reduce the range"),
    ],
)
def test_nodes_refuse_wide_ranges_in_many_words(code: int, words: str) -> None:
    """All of them mean: ask for less."""
    assert is_too_wide(NodeRefused("eth_getLogs", {"code": code, "message": words}))


@pytest.mark.parametrize(
    ("code", "words"), [(4444, "pruned history unavailable"), (-32000, "missing trie node ab12")]
)
def test_pruned_history_is_told_from_a_wide_range(code: int, words: str) -> None:
    """Asking for less would not help."""
    fault = NodeRefused("eth_getLogs", {"code": code, "message": words})
    assert is_pruned(fault)
    assert not is_too_wide(fault)
