"""Bytes of the real node: ids of transactions, blocks and contracts are computed as it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.faultwords import ApiError
from relayer.devnet.tron.rendering import read_message, read_transaction, render_transaction

FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "tron"


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Walk through all objects in some JSON."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from nodes(one)


def recorded() -> list[dict[str, Any]]:
    texts = (path.read_text() for path in sorted(FOLDER.glob("*.json")))
    answers = (one.get("response") for text in texts for one in json.loads(text)["exchanges"])
    return [node for answer in answers for node in nodes(answer)]


def test_recorded_transactions_are_rendered_and_read_to_the_byte() -> None:
    """All recorded transactions: protobuf to JSON and back, with the id of the node."""
    seen = 0
    for one in recorded():
        if "raw_data_hex" not in one or "raw_data" not in one:
            continue
        visible = '"owner_address": "T' in json.dumps(one)
        raw = messages.parse("Raw", bytes.fromhex(one["raw_data_hex"]))
        shown = render_transaction(messages.new("Transaction", raw_data=raw), visible=visible)
        assert (shown["txID"], shown["raw_data"]) == (one["txID"], one["raw_data"])
        read = read_transaction({**one, "visible": visible})
        assert read.raw_data.SerializeToString().hex() == one["raw_data_hex"]
        seen += 1
    assert seen > 80


def test_recorded_block_ids_are_computed_from_their_headers() -> None:
    """A block's id is the hash of its header with the number in front."""
    seen = 0
    for one in recorded():
        header = one.get("block_header", {}).get("raw_data", {})
        if "number" not in header:
            continue
        raw = read_message("HeaderRaw", header, visible=False).SerializeToString()
        digest = hashlib.sha256(raw).digest()
        assert one["blockID"] == (header["number"].to_bytes(8, "big") + digest[8:]).hex()
        seen += 1
    assert seen > 20


def test_a_contract_lives_where_its_transaction_says() -> None:
    """The address of a recorded deployment follows from its id and its owner."""
    for one in recorded():
        if set(one) >= {"txID", "contract_address", "raw_data_hex", "visible"}:
            raw = messages.parse("Raw", bytes.fromhex(one["raw_data_hex"]))
            owner = messages.unpack(raw.contract[0]).owner_address
            created = addresses.of_contract(bytes.fromhex(one["txID"]), owner)
            assert created.hex() == one["contract_address"]
            break
    else:
        pytest.fail("no deployment is recorded")


@pytest.mark.parametrize("text", ["", "T", "41" * 21, "TD9tqhFsGCGkbgT1ywPJEgf4ZPbuGMeQnj"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Empty, short, hex and a wrong checksum are no base58 addresses."""
    with pytest.raises(addresses.AddressError):
        addresses.from_visible(text)


def test_a_transaction_without_raw_data_is_refused_in_javas_words() -> None:
    """The node's own exception comes out."""
    with pytest.raises(ApiError, match="getJSONArray"):
        read_transaction({"txID": "00"})
